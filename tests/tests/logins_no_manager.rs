//! `Manager=none`: sessions, runtime directories and logouts without any service manager.

use usher_tests::{ALICE, Machine};

fn machine(lines: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nManager=none\nUserStopDelaySec=0\n{lines}")).boot()
}

#[test]
fn logins_work_the_same_without_a_manager() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    assert_eq!(
        ssh.ask("echo $XDG_RUNTIME_DIR $XDG_SESSION_TYPE $XDG_SESSION_CLASS"),
        "/run/user/1001 tty user"
    );
    // No bus, so no address of one.
    assert_eq!(ssh.ask("echo $DBUS_SESSION_BUS_ADDRESS"), "");
    assert_eq!(ssh.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", ALICE.scope(&id)));
    assert!(machine.mounted("/run/user/1001").is_some_and(|mount| mount.has("mode=700")));
    assert_eq!(machine.all_sessions(&ALICE), [(id.clone(), "user".to_owned())]);
    assert_eq!(machine.state_of("users/1001", "STATE"), "active");
    assert_eq!(machine.run(&["usherctl", "show-user", "alice", "-P", "Manager"]).text(), "none");
    assert_eq!(machine.cgroup_children(&ALICE.slice()), [format!("session-{id}.scope")]);

    let mut login = machine.login("alice");
    ssh.ask("echo kept > $XDG_RUNTIME_DIR/file");
    ssh.close();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert_eq!(login.ask("cat $XDG_RUNTIME_DIR/file"), "kept");
    assert!(!machine.try_run(&["pgrep", "-f", "systemd|usher-user-manager"]).ok());
    login.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn linger_keeps_the_directory() {
    let machine = machine("");
    let mut usherd = machine.start_usherd();
    machine.as_user("alice", &["usherctl", "enable-linger"]);
    machine.wait_for("alice to linger", || machine.state_of("users/1001", "STATE") == "lingering");
    machine.as_user("alice", &["sh", "-c", "echo kept > /run/user/1001/file"]);
    machine.ssh("alice", "cat $XDG_RUNTIME_DIR/file");
    machine.wait_for("alice to linger again", || machine.state_of("users/1001", "STATE") == "lingering");
    usherd.restart();
    assert_eq!(machine.read("/run/user/1001/file"), "kept\n");
    machine.as_user("alice", &["usherctl", "disable-linger"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn leftovers_and_termination() {
    let machine = machine("KillUserProcesses=yes\nSessionStopTimeoutSec=200ms\n");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("(trap '' TERM HUP; sleep 1000 > /dev/null 2>&1 &)");
    ssh.close();
    machine.wait_gone(&ALICE);
    let mut login = machine.login("alice");
    machine.run(&["usherctl", "terminate-user", "alice"]);
    login.wait_closed(usher_tests::DEADLINE);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_manager_chosen_later_comes_to_those_who_are_here() {
    let machine = machine("");
    let mut usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    machine.sh("printf '[Login]\nUserStopDelaySec=0\n' > /etc/usher/usher.conf");
    usherd.restart();
    machine.wait_for("the manager", || machine.state_of("users/1001", "USHER_MANAGER_READY") == "1");
    assert_eq!(ssh.ask("systemctl --user is-active basic.target"), "active");
    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);
    ssh.close();
    machine.wait_gone(&ALICE);
}
