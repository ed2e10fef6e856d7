//! Logins that find no usherd, or one that does not answer.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::Machine;

/// What the module may take to register a session, and what a busy computer adds.
const BUDGET: Duration = Duration::from_secs(5 + 3);
/// Where there is nothing to wait for.
const AT_ONCE: Duration = Duration::from_secs(3);

const ASK: &str = "echo in; echo ${XDG_SESSION_ID-none} ${XDG_RUNTIME_DIR-none}";

/// Logs in through sshd; the login must come through without a session and say so in exactly one line.
fn logs_in_without_a_session(machine: &Machine, user: &str, budget: Duration, words: &[&str]) {
    let before = module_lines(machine).len();
    let start = Instant::now();
    let output = machine.ssh(user, ASK);
    let took = start.elapsed();
    assert_eq!(output.text(), "in\nnone none");
    assert!(took < budget, "the login of {user} took {took:?}");
    let lines = module_lines(machine);
    assert_eq!(lines.len(), before + 1, "{lines:?}");
    for word in words {
        assert!(lines[before].contains(word), "no word of '{word}' in {}", lines[before]);
    }
}

#[test]
fn usherd_was_never_started() {
    let machine = machine(QUICK);
    for user in ["alice", "root"] {
        logs_in_without_a_session(&machine, user, AT_ONCE, &["connecting to usherd", "start usherd", user]);
    }
}

#[test]
fn something_else_is_in_the_place_of_the_socket() {
    let machine = machine(QUICK);
    for what in ["touch /run/usher/broker", "mkdir /run/usher/broker", "ln -s /nowhere /run/usher/broker"] {
        machine.sh(&format!("rm -rf /run/usher; mkdir /run/usher; {what}"));
        logs_in_without_a_session(&machine, "alice", AT_ONCE, &["connecting to usherd"]);
    }
    // Where usherd can, it puts its socket there all the same.
    let _broker = machine.start_usherd();
    assert_ne!(machine.ssh("alice", "echo ${XDG_SESSION_ID-none}").text(), "none");
}

#[test]
fn usherd_hangs() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    machine.start_sshd();
    broker.sigstop();
    logs_in_without_a_session(
        &machine,
        "root",
        BUDGET,
        &["registering the session with usherd", "hangs", "root"],
    );

    // One that is still logged in when usherd goes on has no session then, either: nobody would close it.
    let start = Instant::now();
    let mut shell = machine.ssh_session("alice");
    assert_eq!(shell.ask(ASK), "in\nnone none");
    assert!(start.elapsed() < BUDGET, "{:?}", start.elapsed());
    let lines = module_lines(&machine);
    assert_eq!(lines.len(), 2, "{lines:?}");

    broker.sigcont();
    let bob = Login::of(&machine, "bob");
    machine.wait_for("nobody's session but bob's", || sessions(&machine) == [bob.session.clone()]);
    assert!(!machine.exists(RUNTIME) && !machine.exists(user_file(ALICE)));
    assert_eq!(shell.ask("grep -c session- /proc/self/cgroup; true"), "0");
    assert!(!shell.try_ask("usherctl show-session self").1.contains("Id="));
    bob.log_out();
    shell.close();
    wait_nothing_left(&machine);
    assert!(broker.is_running());
}

#[test]
fn many_logins_while_it_hangs_and_none_of_them_stays() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let (before, _) = size_of(&machine, broker.pid());
    broker.sigstop();
    let start = Instant::now();
    let logins: Vec<_> = (0..20).map(|n| su(&machine, ["alice", "bob"][n % 2], "exec sleep 1000")).collect();
    logins.iter().for_each(|login| wait_in(&machine, login));
    assert!(start.elapsed() < BUDGET + Duration::from_secs(2), "{:?}", start.elapsed());
    broker.sigcont();
    // Whoever comes now is served, after all those were heard.
    let after = Login::of(&machine, "alice");
    machine.wait_for("no session but the new one", || sessions(&machine) == [after.session.clone()]);
    machine.wait_for("bob to be unknown", || !machine.exists("/run/systemd/users/1002"));
    after.log_out();
    wait_nothing_left(&machine);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= before + 2);
    logins.into_iter().for_each(|login| log_out(&machine, login));
}

/// The session has been told of before usherd hung: it is valid, and it stays.
#[test]
fn usherd_hangs_while_the_login_waits_for_the_manager() {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/bin/sleep 1000\nManagerReadyWaitSec=2\nManagerStopTimeoutSec=1\n";
    let machine = machine(config);
    let mut broker = machine.start_usherd();
    let login = su(&machine, "alice", "env; exec sleep 1000");
    let leader = login.pid();
    let session = machine.wait_some("the session", || session_led_by(&machine, leader));
    machine.wait_for("the manager to be started", || manager(&machine).is_some());
    // On file before it has its cgroup, and in that before the login is told that it is registered.
    machine.wait_for("the session to be open", || {
        broker.log().contains(&format!("new session {session} of user"))
    });
    machine.run(&["usherctl", "list-sessions"]);
    assert!(!login.log().contains("I am in"), "the login does not wait for the manager");
    broker.sigstop();
    machine.wait_within(Duration::from_secs(8), "the login to go on", || login.log().contains("I am in"));
    machine.wait_for("its environment", || login.log().contains(&format!("XDG_RUNTIME_DIR={RUNTIME}")));
    assert!(login.log().contains(&format!("XDG_SESSION_ID={session}\n")), "{}", login.log());
    let lines = module_lines(&machine);
    let of_login: Vec<_> = lines.iter().filter(|line| line.contains("su-l")).collect();
    assert_eq!(of_login.len(), 1, "{lines:?}");
    assert!(of_login[0].contains("waiting for usherd to start the user manager"), "{lines:?}");
    broker.sigcont();
    // All that usherd had to say to the login is said before it answers somebody else.
    machine.run(&["usherctl", "list-sessions"]);
    let bob = su(&machine, "bob", "true");
    wait_in(&machine, &bob);
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    log_out(&machine, login);
    wait_nothing_left(&machine);
}
