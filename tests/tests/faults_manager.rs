//! A user manager that is missing, ends, hangs, talks too much, dies, or does not stop. No login suffers from it for
//! longer than it may.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::Machine;

/// A login waits 1 s for the manager, and a manager has 2 s to stop.
fn config(manager: &str) -> String {
    format!(
        "[Login]\nUserStopDelaySec=0\nManager={manager}\nManagerReadyWaitSec=1\nManagerStartTimeoutSec=3\nManagerStopTimeoutSec=1\n"
    )
}

/// A machine whose manager is this Python program.
fn with_program(text: &str) -> Machine {
    let text = format!("#!/usr/bin/python3\nimport os, signal, socket, time\n{SAY}\n{text}");
    Machine::builder()
        .config(&config("/usr/local/bin/manager"))
        .file("/usr/local/bin/manager", &text, 0o755, 0)
        .boot()
}

/// sd_notify(3) for those programs.
const SAY: &str = "
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text):
    link.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])
";

fn user_status(machine: &Machine) -> String {
    machine.run(&["usherctl", "user-status", "alice"]).stdout
}

fn wait_given_up(machine: &Machine, why: &str) {
    machine.wait_for("the manager to be given up", || user_status(machine).contains("Manager: failed"));
    let status = user_status(machine);
    assert!(status.contains("Notice:") && status.contains(why), "no '{why}' in {status}");
}

/// A manager that cannot be had is tried a few times; the login does not wait for that.
fn cannot_be_had(machine: &Machine, log: &str, why: &str) {
    let broker = machine.start_usherd();
    let login = logs_in(machine, Duration::from_secs(4), &["user manager"]);
    wait_given_up(machine, why);
    assert!(broker.log().contains(log), "no '{log}' in {}", broker.log());
    assert_eq!(broker.log().matches("is given up until the next login").count(), 1, "{}", broker.log());
    assert_eq!(state_of(machine, &login.session).as_deref(), Some("active"));
    login.log_out();
    wait_nothing_left(machine);
}

#[test]
fn its_program_is_missing() {
    let machine = machine(&config("/usr/bin/no-such-manager"));
    cannot_be_had(&machine, "cannot execute /usr/bin/no-such-manager", "exit status 203");
}

#[test]
fn its_launcher_is_missing() {
    let machine = machine(&config("/bin/sleep 1000"));
    machine.sh("umount /usr/lib/usher/usher-user-manager; rm /usr/lib/usher/usher-user-manager");
    cannot_be_had(
        &machine,
        "cannot run /usr/lib/usher/usher-user-manager",
        "/usr/lib/usher/usher-user-manager",
    );
}

#[test]
fn it_ends_at_once() {
    let machine = machine(&config("/bin/false"));
    cannot_be_had(&machine, "exit status 1", "exit status 1");
}

#[test]
fn its_account_check_fails() {
    let machine = Machine::builder()
        .config(&config("/bin/sleep 1000"))
        .pam_line("systemd-user", "account requisite pam_deny.so")
        .boot();
    cannot_be_had(&machine, "no user manager for", "exit status 224");
}

#[test]
fn it_never_becomes_ready() {
    let machine = machine(&config("/bin/sleep 1000"));
    let broker = machine.start_usherd();
    let start = Instant::now();
    let login = logs_in(&machine, Duration::from_secs(4), &["not ready yet", "goes on without it"]);
    assert!(start.elapsed() >= Duration::from_secs(1), "the login did not wait for the manager");
    // Root waits for nothing.
    let root = Instant::now();
    let root_login = Login::of(&machine, "root");
    assert!(root.elapsed() < Duration::from_millis(900), "root waited {:?}", root.elapsed());
    wait_given_up(&machine, "it was not ready within 3 s (ManagerStartTimeoutSec=)");
    assert!(broker.log().contains("given up"), "{}", broker.log());
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
    root_login.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn it_talks_and_talks_and_does_not_say_that_it_is_ready() {
    let machine = with_program("while True: say('STATUS=' + 'x' * 1000)\n");
    let broker = machine.start_usherd();
    let login = logs_in(&machine, Duration::from_secs(4), &["not ready yet"]);
    let (_, before) = size_of(&machine, broker.pid());
    for _ in 0..20 {
        let start = Instant::now();
        machine.run(&["usherctl", "list-sessions"]);
        assert!(start.elapsed() < Duration::from_secs(1), "usherd takes {:?} to answer", start.elapsed());
    }
    let (_, after) = size_of(&machine, broker.pid());
    assert!(after < before + 2048, "usherd grew from {before} to {after} KiB");
    wait_given_up(&machine, "ManagerStartTimeoutSec=");
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn what_others_say_in_its_name_does_not_count() {
    // The child says that its parent is ready; sd_notify(3) goes by the sender.
    let machine = with_program(
        "if os.fork() == 0:\n    while True: say('READY=1'); time.sleep(0.05)\ntime.sleep(1000)\n",
    );
    let _broker = machine.start_usherd();
    let login = logs_in(&machine, Duration::from_secs(4), &["not ready yet"]);
    assert_eq!(ready_manager(&machine), None);
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn killed_it_is_started_again_and_nobody_notices() {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let first = machine.wait_some("the manager", || ready_manager(&machine));
    let before = identity(&machine, RUNTIME);
    let file = session_file(&shell.ask("echo $XDG_SESSION_ID"));
    let on_file = machine.read(&file);
    signal(&machine, first, "KILL");
    let second = machine.wait_some("another manager", || ready_manager(&machine).filter(|pid| *pid != first));
    machine.wait_for("one manager", || managers(&machine) == [second.to_string()]);
    assert_eq!(identity(&machine, RUNTIME), before);
    assert_eq!(machine.read(&file), on_file);
    assert_eq!(shell.ask("systemctl --user is-active default.target"), "active");
    assert_eq!(shell.ask("usherctl show-session $XDG_SESSION_ID -p State --value"), "active");
    let log = broker.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("user manager")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("next attempt in 100 ms") && lines[0].contains("killed by signal 9"), "{log}");
    assert!(!user_status(&machine).contains("Notice:"));
    shell.close();
    wait_nothing_left(&machine);
}

#[test]
fn what_it_has_started_goes_with_it() {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let first = machine.wait_some("the manager", || ready_manager(&machine));
    shell.ask("systemd-run --user --quiet --unit=stubborn sh -c 'trap \"\" TERM; while :; do sleep 1; done'");
    signal(&machine, first, "KILL");
    machine.wait_some("another manager", || ready_manager(&machine).filter(|pid| *pid != first));
    assert!(
        !machine.try_run(&["pgrep", "-u", "alice", "-f", "trap"]).ok(),
        "a service of the dead manager lives on"
    );
    // Still one line, which names it.
    let log = broker.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("user manager")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("killed by signal 9, and what it left is killed: "), "{log}");
    assert!(lines[0].contains(" (sh) in app.slice/stubborn.service"), "{log}");
    shell.close();
    wait_nothing_left(&machine);
}

#[test]
fn killed_again_and_again_it_is_given_up_until_the_next_login() {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    let (mut last, mut seen) = (0, Vec::new());
    for _ in 0..5 {
        let pid = machine.wait_some("a manager", || ready_manager(&machine).filter(|pid| *pid != last));
        signal(&machine, pid, "KILL");
        last = pid;
        seen.push(machine.wait_some("what has become of it", || {
            let status = user_status(&machine);
            let line = |name: &str| status.lines().find(|line| line.contains(name)).map(str::to_owned);
            // It may be back before anybody looks.
            line("Notice:")
                .or_else(|| ready_manager(&machine).filter(|pid| *pid != last).map(|_| String::new()))
        }));
    }
    let restarting = seen.iter().filter(|line| line.contains("is being restarted (attempt ")).count();
    assert!(restarting >= 1, "the last wait is long enough to be seen: {seen:?}");
    wait_given_up(&machine, "it ended unasked: killed by signal 9 (5 times in a row)");
    assert_eq!(broker.log().matches("next attempt in").count(), 4, "{}", broker.log());
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
    assert!(managers(&machine).is_empty());

    let next = Login::of(&machine, "alice");
    machine.wait_for("a manager for the next login", || ready_manager(&machine).is_some());
    assert!(!user_status(&machine).contains("Notice:"));
    next.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}

/// Ignores SIGTERM, and so does what it has started, some of it in cgroups below.
#[test]
fn it_does_not_stop_and_is_killed_with_all_that_it_has_started() {
    let machine = with_program(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)
own = '/sys/fs/cgroup' + open('/proc/self/cgroup').read().rstrip().rpartition('0::')[2]
for n in range(5):
    if os.fork() == 0:
        below = own + '/../%d.scope' % n
        os.mkdir(below)
        open(below + '/cgroup.procs', 'w').write('0')
        os.setsid()
        time.sleep(1000)
while len([d for d in os.listdir(own + '/..') if d.endswith('.scope')]) < 6: time.sleep(0.01)
say('READY=1')
time.sleep(1000)
",
    );
    let broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let unit = "/user.slice/user-1001.slice/user@1001.service";
    assert_eq!(machine.cgroup_children(unit).len(), 6);
    let start = Instant::now();
    login.log_out();
    wait_nothing_left(&machine);
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    assert!(!machine.try_run(&["pgrep", "-u", "alice"]).ok());
    assert_eq!(
        broker.log().matches("has not stopped within 1 s (ManagerStopTimeoutSec=) and is killed").count(),
        1
    );
}

/// A login in the middle of that waits for the next manager, within its time, and gets a new directory or the old one,
/// but never one that goes.
#[test]
fn a_login_while_it_does_not_stop() {
    let machine =
        with_program("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('READY=1')\ntime.sleep(1000)\n");
    let _broker = machine.start_usherd();
    let first = Login::of(&machine, "alice");
    let manager = machine.wait_some("the manager", || ready_manager(&machine));
    first.log_out();
    machine.wait_for("it to be told to stop", || {
        key(&machine, &user_file(ALICE), "STOPPING").as_deref() == Some("yes")
    });
    let next = Login::running(&machine, "alice", "touch $XDG_RUNTIME_DIR/mine && exec sleep 1000");
    machine.wait_for("another manager", || ready_manager(&machine).is_some_and(|pid| pid != manager));
    assert!(machine.exists(format!("{RUNTIME}/mine")));
    assert_eq!(state_of(&machine, &next.session).as_deref(), Some("active"));
    assert_eq!(stacked(&machine, RUNTIME), 1);
    next.log_out();
    wait_nothing_left(&machine);
}
