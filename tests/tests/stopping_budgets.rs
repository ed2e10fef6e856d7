//! Who does not stop is killed when his time is over, not sooner and not much later, and the log names him: units have
//! less time than the manager that waits for them, and nobody waits for usherd.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine};

/// A program that heeds nothing but SIGKILL; its number is in the file.
const DEAF: &str = "#!/bin/sh\ntrap '' TERM HUP\necho $$ > /tmp/deaf\nwhile :; do sleep 1000; done\n";
const DEAF_PATH: &str = "/usr/local/bin/deaf";

/// What a busy computer adds to a time-out.
const SLACK: Duration = Duration::from_secs(5);

fn settings(lines: &str) -> String {
    format!("[Login]\nUserStopDelaySec=0\n{lines}")
}

/// A machine in which alice has such a unit.
fn with_unit(lines: &str, unit: &str) -> Machine {
    let unit = format!("[Service]\nExecStart={DEAF_PATH}\n{unit}\n");
    Machine::builder()
        .config(&settings(lines))
        .file(DEAF_PATH, DEAF, 0o755, 0)
        .user_unit("alice", "deaf.service", &unit)
        .boot()
}

/// Logs in and out with the unit running; its main process.
fn run_unit(machine: &Machine) -> String {
    let login = Login::running(
        machine,
        "alice",
        "systemctl --user start deaf && touch /tmp/started; exec sleep 1000",
    );
    machine.wait_for("the unit", || machine.exists("/tmp/started") && machine.exists("/tmp/deaf"));
    let pid = pid_in(machine, "/tmp/deaf");
    login.log_out();
    pid
}

fn pid_in(machine: &Machine, file: &str) -> String {
    machine.wait_some("a number in a file", || {
        let text = machine.read(file);
        text.ends_with('\n').then(|| text.trim().to_owned())
    })
}

/// The lines of a log with these words.
fn lines(log: &str, words: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

/// The one line of a log with these words.
fn line(log: &str, words: &str) -> String {
    let found = lines(log, words);
    assert_eq!(found.len(), 1, "lines with '{words}' in {log}");
    found[0].clone()
}

#[test]
fn a_manager_that_waits_for_a_unit_is_killed_in_time_and_the_unit_is_named() {
    let machine = with_unit("ManagerStopTimeoutSec=2\n", "");
    let broker = machine.start_usherd();
    assert!(broker.log().contains("ManagerStopTimeoutSec: 2 s are not more than a unit of systemd --user"));
    let pid = run_unit(&machine);
    let start = Instant::now();
    wait_nothing_left(&machine);
    let took = start.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(2) + SLACK, "{took:?}");
    let line = line(&broker.log(), "has not stopped within 2 s (ManagerStopTimeoutSec=) and is killed");
    assert!(line.contains(&format!("killed: {pid} (deaf) in app.slice/deaf.service, ")), "{line}");
    assert!(line.contains(" (systemd) in init.scope"), "{line}");
    // Nobody is named twice.
    assert_eq!(lines(&broker.log(), &format!("{pid} (")).len(), 1, "{}", broker.log());
}

#[test]
fn a_unit_s_own_time_is_shorter_and_then_nobody_else_is_killed() {
    let machine = with_unit("", "TimeoutStopSec=1");
    let broker = machine.start_usherd();
    assert!(!broker.log().contains("are not more than"), "the defaults nest: {}", broker.log());
    run_unit(&machine);
    let start = Instant::now();
    wait_nothing_left(&machine);
    assert!(start.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", start.elapsed());
    assert!(!broker.log().contains("killed"), "{}", broker.log());
}

/// The same with usherd's default: a unit that takes all its 90 s is not cut short by the manager's own.
#[test]
fn by_default_a_manager_has_longer_than_its_units() {
    let machine = machine(&settings(""));
    let broker = machine.start_usherd();
    assert!(!broker.log().contains("are not more than"));
    drop(broker);
    machine.sh(
        "mkdir -p /etc/systemd; printf '[Manager]\nDefaultTimeoutStopSec=2min\n' > /etc/systemd/user.conf",
    );
    let broker = machine.start_usherd();
    let line = line(&broker.log(), "ManagerStopTimeoutSec: 120 s are not more than a unit");
    assert!(line.contains("(120 s, DefaultTimeoutStopSec= in user.conf)"), "{line}");
}

#[test]
fn what_a_manager_leaves_is_killed_and_named() {
    let manager = format!(
        "#!/bin/sh\n{DEAF_PATH} &\nwhile ! test -s /tmp/deaf; do sleep 0.01; done\n\
         trap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n"
    );
    let machine = Machine::builder()
        .config(&settings("Manager=/usr/local/bin/manager\nManagerReadyWaitSec=0\n"))
        .file("/usr/local/bin/manager", &manager, 0o755, 0)
        .file(DEAF_PATH, DEAF, 0o755, 0)
        .boot();
    let broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    let pid = pid_in(&machine, "/tmp/deaf");
    login.log_out();
    wait_nothing_left(&machine);
    let line = line(&broker.log(), "user manager has stopped, and what it left is killed: ");
    assert!(line.contains(&format!("{pid} (deaf) in init.scope")) && line.contains("uid=1001"), "{line}");
    assert!(!line.contains("sd-pam"), "{line}");
}

#[test]
fn processes_of_a_session_are_named_some_by_name_and_the_rest_by_number() {
    let machine = machine(&settings("Manager=none\nKillUserProcesses=yes\nSessionStopTimeoutSec=1\n"));
    let broker = machine.start_usherd();
    let script =
        "trap '' TERM HUP; for n in $(seq 13); do setsid sleep 1000 & done; touch /tmp/all; exec sleep 1000";
    let login = Login::running(&machine, "alice", script);
    machine.wait_for("all of them", || machine.exists("/tmp/all"));
    let scope = format!("/user.slice/user-1001.slice/session-{}.scope", login.session);
    // The first is the one that becomes the last sleep, and that is killed by whoever logs out.
    machine.wait_for("sleeps only", || {
        let pids = machine.cgroup_procs(&scope).unwrap_or_default();
        let comm = |pid: &i32| machine.read(format!("/proc/{pid}/comm"));
        pids.iter().filter(|pid| comm(pid) == "sleep\n").count() == 14
    });
    let session = login.session.clone();
    login.log_out();
    let mut left = machine.cgroup_procs(&scope).unwrap_or_default();
    left.sort_unstable();
    let start = Instant::now();
    wait_nothing_left(&machine);
    assert!(start.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", start.elapsed());
    let line = line(&broker.log(), &format!("processes of session {session} have not stopped in time"));
    assert_eq!(left.len(), 13);
    let named: Vec<_> =
        left[..10].iter().map(|pid| format!("{pid} (sleep) in session-{session}.scope")).collect();
    assert!(line.contains(&format!("are killed: {} and 3 more", named.join(", "))), "{line}");
}

/// Whatever its users do, usherd ends when it is told to, and the next one goes on with what it left.
#[test]
fn usherd_itself_stops_at_once_while_others_do_not() {
    let machine = with_unit("ManagerStopTimeoutSec=4\nKillUserProcesses=yes\nSessionStopTimeoutSec=4\n", "");
    let mut broker = machine.start_usherd();
    let pid = run_unit(&machine);
    machine.wait_for("the manager to be told", || {
        key(&machine, &user_file(ALICE), "STOPPING").as_deref() == Some("yes")
    });
    let bob = Login::running(&machine, "bob", "trap '' TERM HUP; setsid sleep 1000 & exec sleep 1000");
    bob.log_out();
    let start = Instant::now();
    assert_eq!(broker.stop(), 0);
    assert!(start.elapsed() < Duration::from_secs(3), "usherd took {:?} to stop", start.elapsed());
    assert!(machine.exists(format!("/proc/{pid}")), "and killed nobody");
    broker.start();
    wait_nothing_left(&machine);
    assert!(line(&broker.log(), "has not stopped within").contains(&format!("{pid} (deaf) in app.slice")));
}

/// What is frozen (cgroups(7), cgroup.freeze) hears no SIGTERM; it goes when its time is over, and nobody else waits.
#[test]
fn frozen_processes_go_too() {
    let machine =
        machine(&settings("ManagerStopTimeoutSec=2\nKillUserProcesses=yes\nSessionStopTimeoutSec=2\n"));
    let broker = machine.start_usherd();
    let login = Login::running(&machine, "alice", "setsid sleep 1000 & exec sleep 1000");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let manager = manager(&machine);
    let session = login.session.clone();
    let slice = "/sys/fs/cgroup/user.slice/user-1001.slice";
    machine.sh(&format!("echo 1 > {slice}/user@1001.service/cgroup.freeze"));
    let su = login.su;
    machine.run(&["pkill", "-KILL", "-x", "-P", &su.pid().to_string(), "sleep"]);
    wait_ended(su);
    machine.wait_for("bob's login meanwhile", || machine.try_run(&["su", "-", "bob", "-c", "true"]).ok());
    let start = Instant::now();
    wait_nothing_left(&machine);
    assert!(start.elapsed() < Duration::from_secs(4) + SLACK, "{:?}", start.elapsed());
    let line = line(&broker.log(), "has not stopped within 2 s");
    assert!(line.contains(&format!("{} (systemd) in init.scope", manager.unwrap_or(0))), "{line}");
    assert!(!sessions(&machine).contains(&session));
}

fn wait_ended(mut su: Background<'_>) {
    su.wait(usher_tests::DEADLINE);
}
