//! usherd in a pid namespace of its own, as in a container that shares its socket and /run/user with others: a login comes
//! from a process for which it has no number. And the other way round: logins out of containers that it sees into.

mod containers_common;
mod faults_common;

use containers_common::*;
use faults_common::*;
use usher_tests::{Background, Machine};

/// A pid namespace with its own /proc, and the machine's mounts.
const APART: [&str; 11] = [
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount",
    "--propagation",
    "unchanged",
    "sh",
    "-c",
    "mount --make-rprivate /proc && mount -t proc proc /proc && exec \"$@\"",
    "sh",
];

const NOTICE: &str = "the login's process is in a pid namespace that usherd does not see into";

fn booted(config: &str) -> Machine {
    Machine::builder().config(config).shared_mounts().boot()
}

/// A login that stays; its session is the only one there is.
fn stays<'m>(machine: &'m Machine, user: &str) -> (Background<'m>, String) {
    let before = sessions(machine);
    let su = su(machine, user, "echo $XDG_SESSION_ID $XDG_RUNTIME_DIR; exec sleep 1000");
    wait_in(machine, &su);
    let session = machine.wait_some("its session", || {
        sessions(machine).into_iter().find(|id| !before.contains(id) && state_of(machine, id).is_some())
    });
    (su, session)
}

#[test]
fn a_login_has_a_session_and_a_directory_and_is_told_what_it_lacks() {
    let machine = booted(QUICK);
    let _broker = start_in(&machine, &APART);
    for (user, directory) in [("alice", RUNTIME), ("root", "/run/user/0")] {
        logs_in_at_once(&machine, user, directory);
        machine.wait_for("the logout", || logins(&machine).is_empty());
    }
    wait_nothing_left(&machine);
    let lines = module_lines(&machine);
    assert_eq!(lines.len(), 6, "one a login: {lines:?}");
    assert!(lines.iter().all(|line| line.contains(NOTICE) && line.contains("run usherd in")), "{lines:?}");

    let (su, session) = stays(&machine, "alice");
    assert!(su.log().contains(&format!("{session} {RUNTIME}")), "{}", su.log());
    let file = machine.read(session_file(&session));
    assert!(
        !file.contains("LEADER=") && !file.contains("SCOPE="),
        "nobody is to look for a process 0: {file}"
    );
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    assert_eq!(machine.run(&["stat", "-c", "%u %a", RUNTIME]).text(), "1001 700");
    assert!(machine.mounted(RUNTIME).is_some());
    let listed = machine.run(&["usherctl", "list-sessions", "--no-legend"]).stdout;
    assert!(listed.contains(&session) && listed.contains("alice"), "{listed}");
    log_out(&machine, su);
    wait_nothing_left(&machine);
}

#[test]
fn its_session_ends_with_its_process() {
    let machine = booted(QUICK);
    let _broker = start_in(&machine, &APART);
    let (mut first, gone) = stays(&machine, "alice");
    let (second, left) = stays(&machine, "alice");
    assert_ne!(gone, left);
    first.kill9();
    machine.wait_for("its end to be noticed", || sessions(&machine) == [left.clone()]);
    log_out(&machine, second);
    wait_nothing_left(&machine);
}

/// Who cannot be signalled can still be let go of.
#[test]
fn its_session_can_be_terminated() {
    let machine = booted(QUICK);
    let _broker = start_in(&machine, &APART);
    let (mut su, session) = stays(&machine, "alice");
    let refused = machine.try_run(&["usherctl", "kill-session", "--kill-whom=leader", &session]);
    assert!(refused.code == 1 && refused.stderr.contains("in another pid namespace"), "{refused}");
    machine.run(&["usherctl", "terminate-session", &session]);
    wait_nothing_left(&machine);
    assert!(su.is_running());
}

/// The next usherd has no way to watch the process: the session ends, and that is said.
#[test]
fn its_session_does_not_outlive_usherd() {
    let machine = booted(QUICK);
    let mut broker = start_in(&machine, &APART);
    let (su, session) = stays(&machine, "alice");
    broker.kill9();
    let broker = start_in(&machine, &APART);
    wait_nothing_left(&machine);
    says_once(
        &broker.log(),
        &[&format!("session {session} ends: its leader is in another pid namespace"), "WARN"],
    );
    log_out(&machine, su);
    logs_in_at_once(&machine, "alice", RUNTIME);
    wait_nothing_left(&machine);
}

/// A container whose processes usherd sees is nothing special.
#[test]
fn a_login_in_a_pid_namespace_below_is_like_any_other() {
    let machine = booted(QUICK);
    let mut broker = machine.start_usherd();
    let below = ["unshare", "--pid", "--fork", "--kill-child"];
    logs_in_by(&machine, &[&below[..], &["su", "-", "alice"]].concat(), RUNTIME);
    wait_nothing_left(&machine);

    let mut su =
        machine.spawn(&[&below[..], &["su", "-", "alice", "-c", "echo I am in; exec sleep 1000"]].concat());
    wait_in(&machine, &su);
    let session = machine.wait_some("its session", || sessions(&machine).pop());
    let leader = key(&machine, &session_file(&session), "LEADER").expect("a leader");
    assert_ne!(leader, su.pid().to_string(), "that is unshare");
    let scope = format!("/user.slice/user-1001.slice/session-{session}.scope");
    machine.wait_for("its cgroup", || machine.cgroup_procs(&scope).is_some_and(|all| all.len() >= 2));
    broker.kill9();
    broker.start();
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    su.kill9();
    wait_nothing_left(&machine);
    assert!(module_lines(&machine).is_empty(), "{:?}", module_lines(&machine));
}
