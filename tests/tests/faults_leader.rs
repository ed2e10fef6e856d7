//! The PAM application dies without a word.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::Machine;

const POKE: &str = include_str!("faults_common/poke.py");

/// The invariant says 100 ms; a busy computer that runs other tests may be slower to look.
const SOON: Duration = Duration::from_secs(2);

fn wait_session_gone(machine: &Machine, id: &str, since: Instant) {
    machine.wait_for("the session to be gone", || !machine.exists(session_file(id)));
    let took = since.elapsed();
    println!("the session of a killed leader was gone after {took:?}");
    assert!(took < SOON, "{took:?}");
}

/// A single process that is all there is of its session.
#[test]
fn killed_its_session_and_all_that_follows_is_gone() {
    let machine = machine(WITH_MANAGER);
    let _broker = machine.start_usherd();
    for _ in 0..5 {
        let script =
            format!("{POKE}\ncall('OpenSession', login())\nprint('open', flush=True)\ntime.sleep(1000)\n");
        let mut leader = machine.spawn(&["python3", "-c", &script]);
        machine.wait_for("the session", || leader.log().contains("open"));
        let id = session_led_by(&machine, leader.pid()).expect("a session on file");
        let scope = format!("/user.slice/user-1001.slice/session-{id}.scope");
        assert_eq!(machine.cgroup_procs(&scope), Some(vec![leader.pid()]));
        let killed = Instant::now();
        leader.kill9();
        wait_session_gone(&machine, &id, killed);
        assert_eq!(machine.cgroup_procs(&scope), None);
        wait_nothing_left(&machine);
        assert!(managers(&machine).is_empty());
    }
}

#[test]
fn an_application_that_opens_and_never_closes() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    machine.run(&["pamtester", "usher-test", "alice", "open_session"]);
    wait_nothing_left(&machine);
    assert!(broker.log().contains("new session"), "{}", broker.log());
}

/// sshd's monitor is the leader. What it has forked for the user serves the connection on, until that ends.
#[test]
fn the_monitor_of_an_ssh_connection() {
    let machine = machine(WITH_MANAGER);
    let _broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let id = shell.ask("echo $XDG_SESSION_ID");
    let leader = key(&machine, &session_file(&id), "LEADER").unwrap().parse().unwrap();
    signal(&machine, leader, "KILL");
    machine.wait_for("the session to be closing", || state_of(&machine, &id).as_deref() == Some("closing"));
    assert_eq!(shell.ask("ls -d $XDG_RUNTIME_DIR"), RUNTIME);
    shell.hang_up();
    wait_nothing_left(&machine);
}

#[test]
fn what_it_has_left_keeps_the_session_closing_and_the_user_here() {
    let machine = machine(WITH_MANAGER);
    let _broker = machine.start_usherd();
    let mut login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let manager = manager(&machine);
    login.su.kill9();
    machine.wait_for("the session to be closing", || {
        state_of(&machine, &login.session).as_deref() == Some("closing")
    });
    assert!(machine.mounted(RUNTIME).is_some());
    assert_eq!(faults_common::manager(&machine), manager);
    let status = machine.run(&["usherctl", "session-status", &login.session]);
    assert!(status.stdout.contains("sleep 1000"), "{status}");
    machine.run(&["pkill", "-KILL", "-u", "alice", "sleep"]);
    login.wait_gone();
    wait_nothing_left(&machine);
}

#[test]
fn what_it_has_left_is_ended_where_the_administrator_wants_that() {
    let machine = machine(
        "[Login]\nUserStopDelaySec=0\nManager=none\nKillUserProcesses=yes\nSessionStopTimeoutSec=1\n",
    );
    let _broker = machine.start_usherd();
    for stubborn in ["exec sleep 1000", "trap '' TERM HUP; while :; do sleep 1; done"] {
        let mut login = Login::running(&machine, "alice", stubborn);
        login.su.kill9();
        machine.wait_within(Duration::from_secs(8), "everything to be ended", || left(&machine).is_empty());
        assert!(!machine.try_run(&["pgrep", "-u", "alice"]).ok());
    }
}

#[test]
fn killed_while_it_waits_for_the_manager() {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/bin/sleep 1000\nManagerReadyWaitSec=30\nManagerStopTimeoutSec=1\n";
    let machine = machine(config);
    let broker = machine.start_usherd();
    let (fds, _) = size_of(&machine, broker.pid());
    for _ in 0..3 {
        let mut su = su(&machine, "alice", "exec sleep 1000");
        let leader = su.pid();
        machine.wait_for("the session", || session_led_by(&machine, leader).is_some());
        su.kill9();
        wait_nothing_left(&machine);
    }
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
}
