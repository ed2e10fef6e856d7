//! What user-status says of a user's manager: how it is, since when, what went wrong, and its last words.

use std::time::Instant;

use usher_tests::{ALICE, Machine};

/// Says who it is, and that it is ready; then a word whenever it is told to.
const TALKS: &str = "#!/usr/bin/python3
import os, signal, socket, sys, time
print('manager', os.getpid(), 'begins', file=sys.stderr, flush=True)
count = 0
def more(*_):
    global count
    count += 1
    print('word', count, flush=True)
signal.signal(signal.SIGUSR1, more)
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
while True:
    signal.pause()
";

fn machine(manager: &str) -> Machine {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/usr/local/bin/manager\n";
    Machine::builder().config(config).file("/usr/local/bin/manager", manager, 0o755, 0).boot()
}

fn status(machine: &Machine, by: &str) -> String {
    machine.as_user(by, &["usherctl", "user-status", "alice"]).stdout
}

/// The value after a label.
fn line(machine: &Machine, label: &str) -> String {
    let status = status(machine, "root");
    let found = status.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{label}: ")));
    found.unwrap_or_default().to_owned()
}

/// Its last words: below everything else, after an empty line.
fn words(machine: &Machine, by: &str) -> Vec<String> {
    let status = status(machine, by);
    status.lines().skip_while(|line| !line.is_empty()).skip(1).map(str::to_owned).collect()
}

fn manager(machine: &Machine) -> i32 {
    machine.wait_some("a manager that is ready", || {
        let line = line(machine, "Manager");
        let pid = line.strip_prefix("ready; process ")?.split(';').next()?.parse().ok()?;
        Some(pid)
    })
}

#[test]
fn how_it_is_and_what_it_says() {
    let machine = machine(TALKS);
    let mut usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    let first = manager(&machine);
    assert_eq!(machine.manager(&ALICE), Some(first));
    let text = line(&machine, "Manager");
    assert!(text.contains("; since ") && text.ends_with(" ago"), "{text}");
    assert_eq!(line(&machine, "Error"), "");
    machine.wait_for("its words", || words(&machine, "root") == [format!("manager {first} begins")]);
    assert!(usherd.log().contains(&format!("user manager: manager {first} begins")), "{}", usherd.log());
    // They are hers.
    assert_eq!(words(&machine, "alice"), words(&machine, "root"));
    assert_eq!(words(&machine, "bob"), [""; 0]);

    machine.run(&["kill", "-9", &first.to_string()]);
    let second = machine.wait_some("another one", || Some(manager(&machine)).filter(|pid| *pid != first));
    let text = line(&machine, "Manager");
    assert!(text.ends_with("; restarted once"), "{text}");
    let text = line(&machine, "Error");
    assert!(text.starts_with("it ended unasked: killed by signal 9 (at "), "{text}");
    let all = [first, second].map(|pid| format!("manager {pid} begins"));
    machine.wait_for("both ones' words", || words(&machine, "root") == all);

    // Not even a manager that talks while there is no usherd comes to harm, and what it says is heard later.
    usherd.kill9();
    machine.run(&["kill", "-USR1", &second.to_string()]);
    usherd.start();
    machine.wait_for("what was said meanwhile", || words(&machine, "root") == ["word 1"]);
    assert_eq!(manager(&machine), second);
    for n in 2..=20 {
        machine.run(&["kill", "-USR1", &second.to_string()]);
        machine.wait_for("the word", || words(&machine, "root").last() == Some(&format!("word {n}")));
    }
    assert_eq!(words(&machine, "root").len(), 10, "only the last ones are kept");
    login.log_out();
    machine.wait_gone(&ALICE);
    assert_eq!(machine.run(&["ls", "/run/usher/managers"]).stdout, "");
}

#[test]
fn what_its_launcher_says_of_a_program_that_is_missing() {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=/usr/bin/no-such-manager\nManagerReadyWaitSec=1\n")
        .boot();
    let _usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    let why = "cannot execute /usr/bin/no-such-manager";
    machine.wait_for("a word of each attempt", || {
        words(&machine, "root").iter().filter(|line| line.contains(why)).count() == 5
    });
    machine.wait_for("the end of attempts", || line(&machine, "Manager") == "failed; restarted 4 times");
    assert!(line(&machine, "Notice").contains("exit status 203"), "{}", status(&machine, "root"));
    login.log_out();
    machine.wait_gone(&ALICE);
}

#[test]
fn one_that_talks_without_end_keeps_nobody_from_anything() {
    let machine = machine(&TALKS.replace(
        "while True:",
        "if os.fork() == 0:\n    while True:\n        os.write(2, b'x' * 3000 + b'x\\n' * 1000)\nwhile True:",
    ));
    let usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    machine.wait_for("its words", || words(&machine, "root").len() == 10);
    let begun = Instant::now();
    for _ in 0..5 {
        machine.pam_login("bob").log_out();
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    // What usherd takes of a processor: in ticks of 10 ms.
    let ticks = || {
        let stat = machine.read(format!("/proc/{}/stat", usherd.pid()));
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        [11, 12].map(|n: usize| fields[n].parse::<u64>().unwrap()).iter().sum::<u64>()
    };
    let (before, begun) = (ticks(), Instant::now());
    machine.wait_for("two seconds", || begun.elapsed().as_secs() >= 2);
    let taken = ticks() - before;
    assert!(taken < 60, "usherd has run for {taken}0 ms in 2 s");
    for line in words(&machine, "root") {
        assert!(line.chars().count() <= 513, "a line of {} characters", line.len());
    }
    login.log_out();
    machine.wait_gone(&ALICE);
}
