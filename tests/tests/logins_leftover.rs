//! Logging out while a process stays: it keeps the session and the user, unless the configuration says that it has to go.

use usher_tests::{ALICE, BOB, Machine, Person, ROOT};

/// Heeds neither SIGTERM nor SIGHUP, and says when it is deaf.
const DEAF: &str = "setsid -f sh -c 'trap \"\" TERM HUP; touch ~/deaf; while :; do sleep 1000; done' > /dev/null 2>&1 < /dev/null";
const SLEEPER: &str = "setsid -f sleep 1000 > /dev/null 2>&1 < /dev/null";

fn machine(lines: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec=0\n{lines}")).boot()
}

/// Logs in, leaves a process behind, logs out; returns the session's id.
fn leave(machine: &Machine, person: &Person, process: &str) -> String {
    let mut ssh = machine.ssh_session(person.name);
    let id = ssh.ask("echo $XDG_SESSION_ID");
    ssh.ask(process);
    if process == DEAF {
        machine.wait_for("it to be deaf", || machine.exists(format!("/home/{}/deaf", person.name)));
    }
    ssh.close();
    id
}

fn wait_closing(machine: &Machine, id: &str) {
    let file = format!("sessions/{id}");
    machine.wait_for("the session to be closing", || machine.state_of(&file, "STATE") == "closing");
}

#[test]
fn a_process_that_stays_pins_session_and_user() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let manager = machine.manager(&ALICE).unwrap();
    let id = ssh.ask("echo $XDG_SESSION_ID");
    let pid: i32 = ssh.ask("(nohup sleep 1000 > /dev/null 2>&1 & echo $!)").parse().unwrap();
    ssh.close();
    wait_closing(&machine, &id);

    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);
    machine.wait_for("only it to be left", || machine.cgroup_procs(&ALICE.scope(&id)) == Some(vec![pid]));
    machine.wait_for("the user's file", || machine.state_of("users/1001", "STATE") == "closing");
    let user = machine.state("users/1001");
    assert_eq!(user["STOPPING"], "no");
    assert_eq!(machine.manager(&ALICE), Some(manager));
    assert!(machine.mounted("/run/user/1001").is_some());
    // nohup becomes sleep in its own time.
    let status = machine.wait_some("session-status to show it", || {
        let status = machine.run(&["usherctl", "session-status", &id]);
        status.stdout.contains(&format!("{pid} sleep 1000")).then_some(status)
    });
    assert!(status.stdout.contains("State: closing"), "{status}");
    // Not the one that stands for her any more, and no way in for `auto`.
    assert_eq!(user.get("DISPLAY"), None);

    // A new login beside it is a session of its own, with the same manager.
    let login = machine.login("alice");
    assert_eq!(machine.sessions(&ALICE).len(), 2);
    assert_eq!(machine.state_of("users/1001", "STATE"), "active");
    assert_eq!(machine.manager(&ALICE), Some(manager));
    login.close();
    machine.wait_for("one session", || machine.sessions(&ALICE) == [id.as_str()]);
    assert_eq!(machine.manager(&ALICE), Some(manager));

    machine.run(&["kill", &pid.to_string()]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_process_that_moves_to_the_user_manager_keeps_nobody() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("systemd-run --user --quiet --unit=stays sleep 1000");
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn kill_user_processes_ends_them_at_logout() {
    let machine = machine("KillUserProcesses=yes\n");
    let _usherd = machine.start_usherd();
    leave(&machine, &ALICE, SLEEPER);
    machine.wait_gone(&ALICE);
}

#[test]
fn those_who_ignore_the_signals_are_killed_after_a_while() {
    let machine = machine("KillUserProcesses=yes\nSessionStopTimeoutSec=1s\n");
    let usherd = machine.start_usherd();
    let id = leave(&machine, &ALICE, DEAF);
    wait_closing(&machine, &id);
    machine.wait_gone(&ALICE);
    assert!(usherd.log().contains(&format!("processes of session {id} have not stopped in time")));
}

#[test]
fn a_restart_does_not_save_them() {
    let machine = machine("KillUserProcesses=yes\nSessionStopTimeoutSec=1s\n");
    let mut usherd = machine.start_usherd();
    let id = leave(&machine, &ALICE, DEAF);
    wait_closing(&machine, &id);
    usherd.kill9();
    usherd.start();
    machine.wait_gone(&ALICE);
}

#[test]
fn nor_those_of_a_session_that_was_terminated() {
    let machine = machine("SessionStopTimeoutSec=1s\n");
    let mut usherd = machine.start_usherd();
    let id = leave(&machine, &ALICE, DEAF);
    wait_closing(&machine, &id);
    machine.run(&["usherctl", "terminate-session", &id]);
    usherd.kill9();
    usherd.start();
    machine.wait_gone(&ALICE);
}

#[test]
fn excluded_users_are_spared() {
    let machine = machine("KillUserProcesses=yes\nKillExcludeUsers=alice\n");
    let _usherd = machine.start_usherd();
    let hers = leave(&machine, &ALICE, SLEEPER);
    let his = leave(&machine, &BOB, SLEEPER);
    machine.wait_gone(&BOB);
    assert_eq!(machine.sessions(&ALICE), [hers.as_str()], "bob's was {his}");
    assert_eq!(machine.cgroup_procs(&ALICE.scope(&hers)).map(|pids| pids.len()), Some(1));
}

#[test]
fn nobody_else_than_those_listed_is_hit() {
    let machine = machine("KillOnlyUsers=bob\n");
    let _usherd = machine.start_usherd();
    let hers = leave(&machine, &ALICE, SLEEPER);
    leave(&machine, &BOB, SLEEPER);
    machine.wait_gone(&BOB);
    assert_eq!(machine.sessions(&ALICE), [hers.as_str()]);
}

#[test]
fn root_is_spared_by_default() {
    let machine = machine("KillUserProcesses=yes\n");
    let _usherd = machine.start_usherd();
    let id = leave(&machine, &ROOT, SLEEPER);
    wait_closing(&machine, &id);
    machine.wait_for("only it to be left", || {
        machine.cgroup_procs(&ROOT.scope(&id)).is_some_and(|pids| pids.len() == 1)
    });
    // setsid becomes sleep in its own time.
    machine.wait_for("it to be ended", || machine.try_run(&["pkill", "-x", "sleep"]).ok());
    machine.wait_gone(&ROOT);
}

#[test]
fn root_is_not_spared_where_nobody_is() {
    let machine = machine("KillUserProcesses=yes\nKillExcludeUsers=\n");
    let _usherd = machine.start_usherd();
    leave(&machine, &ROOT, SLEEPER);
    machine.wait_gone(&ROOT);
}

#[test]
fn terminating_a_closing_session_ends_what_is_left() {
    let machine = machine("SessionStopTimeoutSec=200ms\n");
    let _usherd = machine.start_usherd();
    let id = leave(&machine, &ALICE, DEAF);
    wait_closing(&machine, &id);
    machine.as_user("alice", &["usherctl", "terminate-session", &id]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_leader_that_is_killed_leaves_the_same() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    let leader = machine.state_of(&format!("sessions/{id}"), "LEADER");
    machine.run(&["kill", "-KILL", &leader]);
    wait_closing(&machine, &id);
    machine.wait_for("the leader to be forgotten", || {
        machine.run(&["usherctl", "show-session", &id, "-P", "Leader"]).text() == "0"
    });
    // sshd's other half and the shell do not mind, and keep the session.
    assert_eq!(ssh.ask("cat /proc/self/cgroup | grep ^0"), format!("0::{}", ALICE.scope(&id)));
    assert_eq!(ssh.ask("systemctl --user is-active basic.target"), "active");
    ssh.hang_up();
    machine.wait_gone(&ALICE);
}
