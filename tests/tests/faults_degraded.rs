//! No cgroup tree to write to, as in an unprivileged container: sessions, nesting, runtime directories and logouts work.

mod faults_common;

use faults_common::*;
use usher_tests::Machine;

fn machine(config: &str) -> Machine {
    Machine::builder().config(config).cgroup_readonly().boot()
}

#[test]
fn sessions_come_and_go() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    assert!(broker.log().contains("sessions have no cgroups and end with their leaders"), "{}", broker.log());
    let mut shell = machine.ssh_session("alice");
    let id = shell.ask("echo $XDG_SESSION_ID");
    assert_eq!(shell.ask("echo $XDG_RUNTIME_DIR"), RUNTIME);
    assert_eq!(key(&machine, &session_file(&id), "SCOPE"), None);
    assert_eq!(state_of(&machine, &id).as_deref(), Some("active"));
    assert!(machine.mounted(RUNTIME).is_some());

    broker.kill9();
    broker.start();
    assert_eq!(state_of(&machine, &id).as_deref(), Some("active"));
    let other = Login::of(&machine, "bob");
    assert_eq!(sessions(&machine), [id.clone(), other.session.clone()]);
    other.log_out();
    machine.wait_for("bob's session to end", || sessions(&machine) == [id.clone()]);
    shell.close();
    wait_nothing_left(&machine);
    assert!(module_lines(&machine).is_empty(), "{:?}", module_lines(&machine));
}

#[test]
fn su_and_sudo_in_a_session_open_no_other() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let id = shell.ask("echo $XDG_SESSION_ID");
    for restarted in [false, true] {
        assert_eq!(shell.ask("sudo -n sh -c 'ls /run/systemd/sessions'"), id);
        assert_eq!(
            shell.ask("sudo -n su - bob -c 'ls /run/systemd/sessions; echo ${XDG_SESSION_ID-none}'"),
            format!("{id}\nnone")
        );
        assert!(!machine.exists("/run/user/1002"));
        if !restarted {
            broker.kill9();
            broker.start();
        }
    }
    shell.close();
    wait_nothing_left(&machine);
}

#[test]
fn a_leader_that_is_killed_ends_its_session() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let mut login = Login::of(&machine, "alice");
    login.su.kill9();
    login.wait_gone();
    wait_nothing_left(&machine);
}

#[test]
fn terminating_works_without_cgroups() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let id = shell.ask("echo $XDG_SESSION_ID");
    machine.run(&["usherctl", "terminate-session", &id]);
    shell.wait_closed(usher_tests::DEADLINE);
    wait_nothing_left(&machine);
    let mut login = Login::of(&machine, "alice");
    machine.run(&["usherctl", "terminate-user", "alice"]);
    login.su.wait(usher_tests::DEADLINE);
    wait_nothing_left(&machine);
}

/// systemd does not run without a cgroup of its own: that is said, and the login does not suffer.
#[test]
fn there_is_no_systemd_without_cgroups() {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    assert_eq!(shell.ask("touch $XDG_RUNTIME_DIR/mine; echo ${XDG_SESSION_ID:+session}"), "session");
    let status = || machine.run(&["usherctl", "user-status", "alice"]).stdout;
    machine.wait_for("a reason why there is no manager", || status().contains("Manager: failed"));
    let why = "systemd --user needs a cgroup2 tree that usherd may write to";
    assert!(status().contains(&format!("Notice: user manager failed: {why}")), "{}", status());
    assert!(broker.log().contains(why), "{}", broker.log());
    assert_eq!(module_lines(&machine).len(), 1, "{:?}", module_lines(&machine));
    shell.close();
    wait_nothing_left(&machine);
}

/// Any other manager works all the same.
#[test]
fn a_manager_that_needs_no_cgroup() {
    let program = "#!/usr/bin/python3
import os, socket, time
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
time.sleep(1000)
";
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=/usr/local/bin/manager\n")
        .file("/usr/local/bin/manager", program, 0o755, 0)
        .cgroup_readonly()
        .boot();
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    let manager = machine.wait_some("the manager", || ready_manager(&machine));
    broker.kill9();
    broker.start();
    assert_eq!(ready_manager(&machine), Some(manager));
    login.log_out();
    wait_nothing_left(&machine);
    assert!(
        !machine.exists(format!("/proc/{manager}/cwd"))
            || !machine.try_run(&["kill", "-0", &manager.to_string()]).ok()
    );
}
