//! The guide to systemd/User, kill user processes on logout: who is killed, and the ways to stay.

mod guide_common;

use guide_common::*;
use usher_tests::{ALICE, Machine, Shell};

fn machine(kill: &str) -> Machine {
    guide().config(&format!("{CONFIG}KillUserProcesses={kill}\n")).boot()
}

fn runs(machine: &Machine, pid: &str) -> bool {
    let status = machine.read(format!("/proc/{pid}/stat"));
    !status.is_empty() && !status.contains(") Z ")
}

/// Starts a tmux, in the session or by a prefix in a unit; the number of its server.
fn tmux(machine: &Machine, shell: &mut Shell<'_>, prefix: &str) -> String {
    let socket = if prefix.is_empty() { "session" } else { "scope" };
    shell.ask(&format!("{prefix} tmux -L {socket} new-session -d -s work 'sleep 1000' > /dev/null 2>&1"));
    let pid = shell.ask(&format!("tmux -L {socket} display-message -p -t work '#{{pid}}'"));
    assert!(runs(machine, &pid), "tmux is {pid}");
    pid
}

const SCOPE: &str = "systemd-run --user --scope --quiet";

#[test]
fn kill_user_processes_no_leaves_tmux_for_the_next_login() {
    let machine = machine("no");
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    let pid = tmux(&machine, &mut shell, "");
    shell.close();
    machine.wait_for("the session to be closing", || machine.state_of("users/1001", "STATE") == "closing");
    let mut next = log_in(&machine, "alice");
    assert_eq!(next.ask("tmux -L session display-message -p -t work '#{pid}'"), pid);
    next.ask("tmux -L session kill-server");
    next.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn kill_user_processes_yes_kills_tmux() {
    let machine = machine("yes");
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    let pid = tmux(&machine, &mut shell, "");
    shell.close();
    machine.wait_gone(&ALICE);
    assert!(!runs(&machine, &pid));
}

#[test]
fn kill_user_processes_yes_spares_a_scope_of_who_lingers() {
    let machine = machine("yes");
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut shell = log_in(&machine, "alice");
    shell.ask("usherctl enable-linger");
    let killed = tmux(&machine, &mut shell, "");
    let spared = tmux(&machine, &mut shell, SCOPE);
    let cgroup = machine.read(format!("/proc/{spared}/cgroup"));
    assert!(
        cgroup.contains("/user@1001.service/app.slice/") && cgroup.trim().ends_with(".scope"),
        "{cgroup}"
    );
    shell.close();
    wait_lingering(&machine, &ALICE);
    machine.wait_for("the tmux of the session to be killed", || !runs(&machine, &killed));
    assert!(runs(&machine, &spared));
    let mut next = log_in(&machine, "alice");
    assert_eq!(next.ask("tmux -L scope display-message -p -t work '#{pid}'"), spared);
    next.ask("usherctl disable-linger");
    next.close();
    machine.wait_gone(&ALICE);
    assert!(!runs(&machine, &spared));
}

#[test]
fn kill_user_processes_yes_ends_a_scope_with_the_last_session_of_who_does_not_linger() {
    let machine = machine("yes");
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut first = log_in(&machine, "alice");
    let second = log_in(&machine, "alice");
    let pid = tmux(&machine, &mut first, SCOPE);
    let killed = tmux(&machine, &mut first, "");
    first.close();
    machine.wait_for("the tmux of the session to be killed", || !runs(&machine, &killed));
    assert!(runs(&machine, &pid));
    second.close();
    machine.wait_gone(&ALICE);
    assert!(!runs(&machine, &pid));
}

#[test]
fn kill_user_processes_no_leaves_a_scope_to_who_lingers() {
    let machine = machine("no");
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    machine.run(&["usherctl", "enable-linger", "alice"]);
    wait_lingering(&machine, &ALICE);
    let mut shell = log_in(&machine, "alice");
    let pid = tmux(&machine, &mut shell, SCOPE);
    shell.close();
    wait_lingering(&machine, &ALICE);
    assert!(runs(&machine, &pid));
    machine.run(&["usherctl", "disable-linger", "alice"]);
    machine.wait_gone(&ALICE);
    assert!(!runs(&machine, &pid));
}
