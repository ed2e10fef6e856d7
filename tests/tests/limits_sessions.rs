//! So many sessions and no more: of one user, on the machine; and root, who gets in all the same.

mod faults_common;

use faults_common::*;
use usher_tests::{ALICE, Machine};

/// A machine where a login without a session is none.
fn machine(settings: &str) -> Machine {
    Machine::builder()
        .user("carol", 1003)
        .config(&format!("{QUICK}{settings}"))
        .pam_line("strict", "session required pam_usher.so")
        .boot()
}

/// Whether somebody who insists on a session gets one.
fn gets_one(machine: &Machine, user: &str) -> bool {
    machine.try_run(&["pamtester", "strict", user, "open_session", "close_session"]).ok()
}

/// The last line that pam_usher has sent to syslog.
fn last_line(machine: &Machine) -> String {
    module_lines(machine).pop().unwrap_or_default()
}

#[test]
fn a_user_who_has_all_he_may_have_keeps_nobody_else_out() {
    let machine = machine("UserSessionsMax=2\n");
    let _broker = machine.start_usherd();
    let first = Login::of(&machine, "alice");
    let second = Login::of(&machine, "alice");
    assert!(!gets_one(&machine, "alice"));
    let line = last_line(&machine);
    assert!(line.contains("2 sessions") && line.contains("UserSessionsMax= in usher.conf"), "{line}");
    // Where the module is optional, the login goes on without.
    let output = machine.run(&["su", "-", "alice", "-c", "echo ${XDG_SESSION_ID-none}"]);
    assert_eq!(output.text(), "none");
    assert!(gets_one(&machine, "bob") && gets_one(&machine, "root"));
    let roots: Vec<_> = (0..4).map(|_| Login::of(&machine, "root")).collect();
    assert_eq!(logins(&machine).len(), 6);

    first.log_out();
    machine.wait_for("one session of alice", || machine.sessions(&ALICE).len() == 1);
    assert!(gets_one(&machine, "alice"));
    for login in roots {
        login.log_out();
    }
    second.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn root_gets_in_when_the_machine_has_all_it_may_have() {
    let machine = machine("SessionsMax=3\n");
    let _broker = machine.start_usherd();
    let users: Vec<_> = ["alice", "alice", "bob"].iter().map(|user| Login::of(&machine, user)).collect();
    for user in ["alice", "bob", "carol"] {
        assert!(!gets_one(&machine, user), "{user}");
        let line = last_line(&machine);
        assert!(
            line.contains("There are 3 sessions") && line.contains(" SessionsMax= in usher.conf"),
            "{line}"
        );
    }
    let root = Login::of(&machine, "root");
    assert!(gets_one(&machine, "root"));
    assert!(machine.sessions(&usher_tests::ROOT).len() == 1);
    // root can make room.
    machine.run(&["usherctl", "terminate-session", &users[0].session]);
    users[0].wait_gone();
    root.log_out();
    machine.wait_for("room", || logins(&machine).len() == 2);
    assert!(gets_one(&machine, "carol"));
    machine.run(&["usherctl", "terminate-user", "alice", "bob"]);
    wait_nothing_left(&machine);
}

/// Processes that outlive their login keep a session, and that counts; and comes free with the last of them.
#[test]
fn what_is_left_running_counts() {
    let machine = machine("UserSessionsMax=1\n");
    let _broker = machine.start_usherd();
    let mut login = Login::of(&machine, "alice");
    login.su.kill9();
    machine.wait_for("the session to be closing", || {
        state_of(&machine, &login.session).as_deref() == Some("closing")
    });
    assert!(!gets_one(&machine, "alice") && gets_one(&machine, "bob"));
    machine.run(&["pkill", "-KILL", "-u", "alice", "sleep"]);
    login.wait_gone();
    assert!(gets_one(&machine, "alice"));
    wait_nothing_left(&machine);
}

/// The user manager has a session of its own, class `manager`: it is no login.
#[test]
fn one_login_means_one_login_and_its_manager() {
    let machine = Machine::builder()
        .config(&format!("{WITH_MANAGER}UserSessionsMax=1\n"))
        .pam_line("strict", "session required pam_usher.so")
        .boot();
    let _broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    machine.wait_for("the manager's session", || machine.all_sessions(&ALICE).len() == 2);
    assert!(!gets_one(&machine, "alice"));
    login.log_out();
    machine.wait_gone(&ALICE);
    assert!(gets_one(&machine, "alice"));
}

/// A new limit holds for new logins, and ends nobody's.
#[test]
fn a_limit_that_is_lowered_ends_nothing() {
    let machine = machine("");
    let mut broker = machine.start_usherd();
    let held: Vec<_> = (0..3).map(|_| Login::of(&machine, "alice")).collect();
    machine.sh("echo UserSessionsMax=1 >> /etc/usher/usher.conf");
    broker.signal(nix::sys::signal::Signal::SIGHUP);
    machine.wait_for("the new limit", || !gets_one(&machine, "alice"));
    assert_eq!(machine.sessions(&ALICE).len(), 3);
    for login in held {
        login.log_out();
    }
    wait_nothing_left(&machine);
    assert!(gets_one(&machine, "alice"));
}
