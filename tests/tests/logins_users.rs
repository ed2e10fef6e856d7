//! Two users at once, and root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use usher_tests::{ALICE, BOB, Machine, ROOT};

fn machine(lines: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec=0\n{lines}")).boot()
}

#[test]
fn two_users_are_independent() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let (mut hers, mut his) = (machine.ssh_session("alice"), machine.login("bob"));
    let (alices, bobs) = (machine.manager(&ALICE).unwrap(), machine.manager(&BOB).unwrap());
    assert_ne!(alices, bobs);
    assert_eq!(hers.ask("echo $XDG_RUNTIME_DIR"), "/run/user/1001");
    assert_eq!(his.ask("echo $XDG_RUNTIME_DIR"), "/run/user/1002");
    assert_ne!(hers.try_ask("ls /run/user/1002").0, 0);
    // Nor has one's manager a hand on the other's directory, or it would outlive a logout.
    let mounts = |pid: i32| machine.read(format!("/proc/{pid}/mountinfo"));
    assert!(mounts(bobs).contains(" /run/user/1002 ") && !mounts(bobs).contains(" /run/user/1001 "));

    let listed = machine.run(&["usherctl", "list-users"]);
    let rows = "1001 alice no     active\n1002 bob   no     active\n\n2 users listed.\n";
    assert!(listed.stdout.ends_with(rows), "{listed}");

    machine.run(&["usherctl", "terminate-user", "alice"]);
    hers.wait_closed(usher_tests::DEADLINE);
    machine.wait_gone(&ALICE);
    assert_eq!(machine.manager(&BOB), Some(bobs));
    assert_eq!(machine.state_of("users/1002", "STATE"), "active");
    assert_eq!(his.ask("systemctl --user is-active basic.target; id -un"), "active\nbob");
    his.close();
    machine.wait_gone(&BOB);
}

#[test]
fn root_has_a_session_and_a_manager_too() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let mut login = machine.login("root");
    let id = login.ask("echo $XDG_SESSION_ID");
    let environment = login.ask("echo $XDG_RUNTIME_DIR $XDG_SESSION_CLASS $XDG_SESSION_TYPE");
    assert_eq!(environment, "/run/user/0 user-early tty");
    assert_eq!(login.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", ROOT.scope(&id)));
    let directory = fs::metadata(machine.file("/run/user/0")).unwrap();
    assert_eq!((directory.uid(), directory.permissions().mode() & 0o7777), (0, 0o700));
    // It was not waited for.
    machine.wait_for("root's manager", || machine.state_of("users/0", "USHER_MANAGER_READY") == "1");
    assert_eq!(login.ask("systemctl --user is-active basic.target"), "active");
    let classes: Vec<String> = machine.all_sessions(&ROOT).into_iter().map(|(_, class)| class).collect();
    assert_eq!(classes, ["user-early", "manager-early"]);
    assert_eq!(machine.state_of("users/0", "DISPLAY"), id);
    // sshd's logins are of class user, whoever comes (contract: pam.md section 3), and that stands for root better.
    let mut ssh = machine.ssh_session("root");
    assert_eq!(ssh.ask("echo $XDG_SESSION_CLASS"), "user");
    assert_eq!(machine.state_of("users/0", "DISPLAY"), ssh.ask("echo $XDG_SESSION_ID"));
    ssh.close();
    machine.wait_for("one session", || machine.sessions(&ROOT) == [id.as_str()]);
    machine.wait_for("the first login to stand for root", || machine.state_of("users/0", "DISPLAY") == id);
    login.close();
    machine.wait_gone(&ROOT);
}

#[test]
fn root_does_not_wait_for_a_manager_that_hangs() {
    let machine = machine(
        "Manager=/usr/bin/sleep 1000\nManagerReadyWaitSec=2min\nManagerStartTimeoutSec=1h\nManagerStopTimeoutSec=1s\n",
    );
    let _usherd = machine.start_usherd();
    // Waiting would take longer than the test's patience.
    let mut ssh = machine.ssh_session("root");
    assert_eq!(ssh.ask("echo $XDG_RUNTIME_DIR"), "/run/user/0");
    let manager = machine.wait_some("root's manager", || machine.manager(&ROOT));
    machine.wait_for("it to run", || machine.read(format!("/proc/{manager}/comm")) == "sleep\n");
    assert_eq!(machine.state_of("users/0", "USHER_MANAGER_READY"), "0");
    ssh.close();
    machine.wait_gone(&ROOT);
}

#[test]
fn others_wait_only_so_long() {
    let machine =
        machine("Manager=/usr/bin/sleep 1000\nManagerReadyWaitSec=100ms\nManagerStartTimeoutSec=1h\n");
    let _usherd = machine.start_usherd();
    let script =
        "echo $XDG_RUNTIME_DIR $XDG_SESSION_CLASS; usherctl show-user alice -P Manager; usherctl user-status";
    let answer = machine.ssh("alice", script);
    assert!(answer.stdout.starts_with("/run/user/1001 user\nstarting\n"), "{answer}");
    assert!(answer.stdout.contains("Manager: starting; process "), "{answer}");
    let lines = machine.syslog().lines().filter(|line| line.contains("pam_usher")).count();
    assert_eq!(lines, 1, "{}", machine.syslog());
    assert!(machine.syslog().contains("user manager is not ready yet; the login goes on without it"));
    machine.wait_gone(&ALICE);
}

#[test]
fn a_manager_that_fails_at_once_keeps_nobody_out() {
    let machine = machine("Manager=/usr/bin/false\nManagerReadyWaitSec=2min\n");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    assert_eq!(ssh.ask("echo $XDG_RUNTIME_DIR; usherctl show-user alice -P State"), "/run/user/1001\nactive");
    // Tried a few times, then given up; whoever looks is told why.
    let shown = || machine.run(&["usherctl", "user-status", "alice"]).stdout;
    machine
        .wait_for("the manager to be given up", || shown().contains(" Manager: failed; restarted 4 times\n"));
    assert!(shown().contains("  Notice: user manager failed: it ended before it was ready: exit status 1"));
    assert_eq!(machine.state_of("users/1001", "STATE"), "active");
    ssh.close();
    machine.wait_gone(&ALICE);
}
