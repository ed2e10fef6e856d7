//! Thousands of connections at once: root's are logins and logouts, and none of them is refused or makes others wait.

use std::thread;
use std::time::{Duration, Instant};

use usher_tests::load::{self, Logins};
use usher_tests::{DEADLINE, Machine};

const QUICK: &str = "[Login]\nUserStopDelaySec=0\nManager=none\n";

/// More than ConnectionsMax and what was once kept back for root on top of it.
const HOARD: &str = "
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (8000, 8000))
links = []
for n in range(5500):
    link = socket.socket(socket.AF_UNIX)
    link.connect('/run/usher/broker')
    links.append(link)
links[-1].sendall(b'{\"method\":\"org.varlink.service.GetInfo\"}\\0')
print(links[-1].recv(4096).decode().strip('\\0'), flush=True)
time.sleep(1000)
";

#[test]
fn thousands_of_roots_keep_nobody_out() {
    let machine = Machine::builder().config(QUICK).boot();
    let mut usherd = machine.start_usherd_quietly();
    let before = machine.size_of(usherd.pid());
    let mut hoarder = machine.spawn(&["python3", "-c", HOARD]);
    machine.wait_for("an answer on the last connection", || hoarder.log().contains('\n'));
    assert!(hoarder.log().contains("usherd"), "{}", hoarder.log());
    let held = machine.size_of(usherd.pid());
    assert!(held.descriptors >= 5500, "{held:?}");

    machine.as_user("alice", &["usherctl", "list-sessions"]);
    let outcome = load::cycles(&machine, Logins { count: 50, at_once: 10, ..Logins::default() }).unwrap();
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(outcome.sessions.len(), 50);

    hoarder.kill9();
    machine.wait_for("the connections to be closed", || {
        machine.size_of(usherd.pid()).descriptors <= before.descriptors
    });
    println!("{before:?}\n{held:?}");
    machine.wait_for("usherd to give its memory back", || {
        machine.size_of(usherd.pid()).anonymous_kib < before.anonymous_kib + 2048
    });
    assert!(usherd.is_running());
    machine.wait_no_leftovers(DEADLINE);
}

/// Whoever finds the backlog full waits for his turn without keeping the processor busy.
#[test]
fn a_full_backlog_is_waited_for() {
    const WAITING: usize = 60;
    let machine = Machine::builder().config(QUICK).boot();
    machine.sh("echo 4 > /proc/sys/net/core/somaxconn");
    let mut usherd = machine.start_usherd_quietly();
    usherd.sigstop();
    let outcome = thread::scope(|scope| {
        let logins = Logins { users: "alice,bob", count: WAITING, at_once: WAITING, ..Logins::default() };
        let machine = &machine;
        let logins = scope.spawn(move || load::cycles(machine, logins));
        let waiting = || {
            let pids = machine.try_run(&["pgrep", "-x", "usher-pam-load"]).stdout;
            let pids: Vec<String> = pids.lines().map(str::to_owned).collect();
            pids.into_iter()
                .filter(|pid| machine.read(format!("/proc/{pid}/stat")).contains(") S "))
                .collect::<Vec<_>>()
        };
        // And the one that has started them.
        machine.wait_for("everybody to wait", || waiting().len() == WAITING + 1);
        let pids = waiting();
        let wakes = || pids.iter().map(|pid| wakes(machine, pid)).sum::<u64>();
        let (start, before) = (Instant::now(), wakes());
        // Not a wait for anything: what they do meanwhile is counted.
        thread::sleep(Duration::from_millis(300));
        let (woken, time) = (wakes() - before, start.elapsed());
        usherd.sigcont();
        assert!(woken < WAITING as u64, "{WAITING} who wait have been woken {woken} times in {time:?}");
        logins.join().unwrap().unwrap()
    });
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(outcome.sessions.len(), WAITING);
    machine.wait_no_leftovers(DEADLINE);
}

fn wakes(machine: &Machine, pid: &str) -> u64 {
    let status = machine.read(format!("/proc/{pid}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}
