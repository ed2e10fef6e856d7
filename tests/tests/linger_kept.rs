//! What keeps a user: a detached process and the runtime directory outlive the logout for as long as something does, and
//! user-status says what.

use usher_tests::{ALICE, Machine};

fn machine(lines: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nManager=none\n{lines}")).boot()
}

/// The line of user-status that says why alice is still here; nothing while she is logged in, or gone.
fn kept_by(machine: &Machine) -> Option<String> {
    let status = machine.try_run(&["usherctl", "user-status", "alice"]).stdout;
    status.lines().find_map(|line| line.trim_start().strip_prefix("Kept by: ")).map(str::to_owned)
}

fn wait_kept_by(machine: &Machine, what: &str) {
    machine.wait_for(&format!("alice to be kept by {what}"), || kept_by(machine).as_deref() == Some(what));
}

/// alice logs in, leaves a file in her runtime directory and, if she is to, a process behind, and logs out. Gives the session.
fn visit(machine: &Machine, detached: bool) -> String {
    let mut ssh = machine.ssh_session("alice");
    let session = ssh.ask("echo kept > $XDG_RUNTIME_DIR/file; echo $XDG_SESSION_ID");
    if detached {
        ssh.ask("nohup setsid sleep 12345 > /dev/null 2>&1 &");
    }
    assert_eq!(kept_by(machine), None);
    ssh.close();
    session
}

fn end_detached(machine: &Machine) {
    machine.run(&["pkill", "-KILL", "-u", "alice", "sleep"]);
}

fn file_is_kept(machine: &Machine) -> bool {
    machine.read("/run/user/1001/file") == "kept\n"
}

#[test]
fn by_a_process_and_then_by_the_stop_delay() {
    let machine = machine("UserStopDelaySec=3s\n");
    let mut usherd = machine.start_usherd();
    let session = visit(&machine, true);
    wait_kept_by(&machine, &format!("processes left in session {session}"));
    usherd.restart();
    wait_kept_by(&machine, &format!("processes left in session {session}"));
    let status = machine.run(&["usherctl", "user-status", "alice"]).stdout;
    assert!(status.contains("sleep 12345") && file_is_kept(&machine), "{status}");
    end_detached(&machine);
    wait_kept_by(&machine, "UserStopDelaySec");
    assert!(file_is_kept(&machine));
    machine.wait_gone(&ALICE);
}

#[test]
fn by_linger() {
    let machine = machine("UserStopDelaySec=0\n");
    let _usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let session = visit(&machine, true);
    wait_kept_by(&machine, &format!("processes left in session {session}, linger"));
    end_detached(&machine);
    wait_kept_by(&machine, "linger");
    assert!(file_is_kept(&machine));
    machine.run(&["usherctl", "disable-linger", "alice"]);
    machine.wait_gone(&ALICE);
}

/// As containers without root are kept: a service of the user's manager lives on with linger, and only with it.
#[test]
fn a_service_and_the_directory_outlive_the_logout_with_linger_only() {
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\nKillUserProcesses=yes\n").boot();
    let _usherd = machine.start_usherd();
    for linger in [true, false] {
        machine.run(&["usherctl", if linger { "enable-linger" } else { "disable-linger" }, "alice"]);
        let mut ssh = machine.ssh_session("alice");
        ssh.ask("echo kept > $XDG_RUNTIME_DIR/file; systemctl --user reset-failed; systemctl --user stop stays 2>/dev/null; true");
        ssh.ask("systemd-run --user --quiet --unit=stays sleep 12345");
        ssh.close();
        if linger {
            wait_kept_by(&machine, "linger");
            let unit = format!("{}/app.slice/stays.service", ALICE.service());
            assert_eq!(machine.cgroup_procs(&unit).map(|pids| pids.len()), Some(1));
            assert!(file_is_kept(&machine));
        } else {
            machine.wait_gone(&ALICE);
        }
    }
}
