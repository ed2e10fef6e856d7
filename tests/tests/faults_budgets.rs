//! Whatever a login depends on may hang, flood or be missing: each login finishes within its budget, with one line that says
//! why, and with a session and a runtime directory where usherd answers. Root waits for nothing.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use nix::sys::signal::Signal;
use usher_tests::Machine;

/// A login waits 1 s for the manager.
const BUDGETS: &str =
    "[Login]\nUserStopDelaySec=0\nManagerReadyWaitSec=1\nManagerStartTimeoutSec=3\nManagerStopTimeoutSec=1\n";
/// That, and what a busy computer adds.
const WITH_MANAGER_WAIT: Duration = Duration::from_secs(1 + 3);
/// Root's login, whatever hangs.
const ROOT: Duration = Duration::from_secs(1);

/// A machine with this program as the manager.
fn with_manager(text: &str, mode: u32) -> Machine {
    Machine::builder()
        .config(&format!("{BUDGETS}Manager=/usr/local/bin/manager\n"))
        .file("/usr/local/bin/manager", text, mode, 0)
        .boot()
}

/// Root's login takes less than a second: the fastest of a few, because other tests run on this computer, too.
fn root_gets_in(machine: &Machine, expected: &str) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let answer = machine.run(&["su", "-", "root", "-c", "echo in ${XDG_SESSION_ID:+with a session}"]);
        times.push(start.elapsed());
        assert_eq!(answer.text(), expected);
        if start.elapsed() < ROOT {
            return;
        }
    }
    panic!("root's logins took {times:?}");
}

/// The auth log's new lines from pam_usher about this user's logins.
fn said_about(machine: &Machine, before: usize, user: &str) -> Vec<String> {
    let lines = module_lines(machine);
    let of_user = |line: &&String| line.contains("su-l") && line.contains(user);
    lines[before..].iter().filter(of_user).cloned().collect()
}

#[test]
fn root_gets_in_within_a_second_while_everything_hangs() {
    let machine = machine(&format!("{BUDGETS}Manager=/bin/sleep 1000\n"));
    let mut bus = machine.start_dbus();
    let mut broker = machine.start_usherd();
    bus.signal(Signal::SIGSTOP);
    // The manager hangs, too: root has a session nevertheless.
    root_gets_in(&machine, "in with a session");
    let before = module_lines(&machine).len();
    broker.sigstop();
    root_gets_in(&machine, "in");
    for line in said_about(&machine, before, "root") {
        assert!(line.contains("registering the session with usherd") && line.contains("hangs"), "{line}");
    }
    let before = module_lines(&machine).len();
    machine.run(&["su", "-", "root", "-c", "true"]);
    assert_eq!(said_about(&machine, before, "root").len(), 1);

    broker.sigcont();
    root_gets_in(&machine, "in with a session");
    wait_nothing_left(&machine);
}

#[test]
fn logins_do_not_depend_on_the_bus() {
    // systemd --user does: it looks for the bus when it starts, and waits for one that hangs when it is to stop.
    let machine = machine("[Login]\nUserStopDelaySec=0\nManagerReadyWaitSec=2\nManagerStopTimeoutSec=1\n");
    let _broker = machine.start_usherd();
    let script = "echo $XDG_SESSION_ID $XDG_RUNTIME_DIR; usherctl show-session $XDG_SESSION_ID -P State";
    let logs_in = |what: &str| {
        let start = Instant::now();
        let answer = machine.run(&["su", "-", "alice", "-c", script]);
        assert!(start.elapsed() < Duration::from_secs(2 + 3), "{what}: {:?}", start.elapsed());
        assert!(answer.text().ends_with(" /run/user/1001\nactive"), "{what}: {answer}");
        let start = Instant::now();
        wait_nothing_left(&machine);
        assert!(
            start.elapsed() < Duration::from_secs(1 + 5),
            "{what}: the logout took {:?}",
            start.elapsed()
        );
    };
    logs_in("no bus");
    let mut bus = machine.start_dbus();
    logs_in("a bus");
    bus.signal(Signal::SIGSTOP);
    logs_in("a bus that hangs");
    bus.signal(Signal::SIGCONT);
    bus.kill9();
    assert!(machine.exists("/run/dbus/system_bus_socket"));
    logs_in("a dead bus");
    assert_eq!(module_lines(&machine), Vec::<String>::new());
}

/// Everything that a datagram can be: as long as the kernel takes them, not text, with descriptors, from children.
#[test]
fn a_manager_floods_its_readiness_channel() {
    let program = "#!/usr/bin/python3
import array, os, socket, time
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
for _ in range(3): os.fork()
link.connect(os.environ['NOTIFY_SOCKET'])
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2] * 50))]
while True:
    for text, ancillary in [
        (b'x' * 200000, []), (bytes(range(256)) * 16, []), (b'', []), (b'\\n' * 4096, rights), (b'READY=0', rights),
        (b'STATUS=' + b'READY=1 ' * 10000, []),
    ]:
        try: link.sendmsg([text], ancillary)
        except OSError: time.sleep(0.0001)
";
    let machine = with_manager(program, 0o755);
    let broker = machine.start_usherd();
    let login = logs_in(&machine, WITH_MANAGER_WAIT, &["not ready yet", "goes on without it"]);
    assert_eq!(ready_manager(&machine), None, "nobody has said so");
    let before = size_of(&machine, broker.pid());
    for _ in 0..3 {
        let start = Instant::now();
        machine.run(&["su", "-", "bob", "-c", "true"]);
        assert!(start.elapsed() < WITH_MANAGER_WAIT, "bob waits {:?}", start.elapsed());
    }
    let after = size_of(&machine, broker.pid());
    assert!(
        after.0 <= before.0 + 20 && after.1 < before.1 + 4096,
        "descriptors and KiB: {before:?}, {after:?}"
    );
    machine.wait_for("the manager to be given up", || {
        machine.run(&["usherctl", "user-status", "alice"]).stdout.contains("ManagerStartTimeoutSec=")
    });
    login.log_out();
    wait_nothing_left(&machine);
}

/// One line each in the auth log says what is wrong with the manager.
fn cannot_be_had(machine: &Machine, why: &str) {
    let broker = machine.start_usherd();
    let login = logs_in(machine, WITH_MANAGER_WAIT, &["user manager", why]);
    machine.wait_for("the manager to be given up", || {
        let status = machine.run(&["usherctl", "user-status", "alice"]).stdout;
        status.contains("Manager: failed") && status.contains("5 times in a row") && status.contains(why)
    });
    assert_eq!(broker.log().matches("next attempt in").count(), 4, "{}", broker.log());
    assert_eq!(state_of(machine, &login.session).as_deref(), Some("active"));
    login.log_out();
    wait_nothing_left(machine);
}

#[test]
fn a_manager_that_ends_at_once_and_calls_that_a_success() {
    cannot_be_had(&with_manager("#!/bin/sh\nexit 0\n", 0o755), "exit status 0");
}

#[test]
fn a_manager_that_fails_at_once() {
    cannot_be_had(&with_manager("#!/bin/sh\nexit 1\n", 0o755), "exit status 1");
}

#[test]
fn a_manager_that_is_not_executable() {
    cannot_be_had(&with_manager("#!/bin/sh\nexec sleep 1000\n", 0o644), "exit status 203");
}

#[test]
fn a_manager_whose_interpreter_is_missing() {
    cannot_be_had(&with_manager("#!/no/such/shell\n", 0o755), "exit status 203");
}

/// One that hangs after it was ready keeps nobody: the next login does not ask it, and the last logout kills it.
#[test]
fn a_manager_that_hangs_later() {
    let machine = machine(BUDGETS);
    let broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    let pid = machine.wait_some("the manager", || ready_manager(&machine));
    signal(&machine, pid, "STOP");
    let start = Instant::now();
    let answer = machine.run(&["su", "-", "alice", "-c", "echo $XDG_RUNTIME_DIR"]);
    assert_eq!(answer.text(), RUNTIME);
    assert!(start.elapsed() < WITH_MANAGER_WAIT, "{:?}", start.elapsed());
    login.log_out();
    wait_nothing_left(&machine);
    let log = broker.log();
    let killed: Vec<_> =
        log.lines().filter(|line| line.contains("ManagerStopTimeoutSec=) and is killed")).collect();
    assert!(killed.len() == 1 && killed[0].contains(&format!("{pid} (systemd) in init.scope")), "{log}");
}
