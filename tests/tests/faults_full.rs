//! /run is full: people log in and out all the same, and usherd catches up when there is room again.

mod faults_common;

use faults_common::*;
use usher_tests::{Machine, Usherd};

/// The state files on a small file system of their own: /run itself holds the logs of the tests, too.
fn booted(machine: &Machine) -> Usherd<'_> {
    machine.sh("mkdir -p /run/systemd /run/usher; mount -t tmpfs -o size=256k,mode=0755 tmpfs /run/systemd; mount -t tmpfs -o size=64k,mode=0755 tmpfs /run/usher");
    machine.start_usherd()
}

fn fill(machine: &Machine) {
    for directory in ["/run/systemd/shutdown", "/run/usher"] {
        machine.sh(&format!("cat /dev/zero > {directory}/filler 2>/dev/null; test -e {directory}/filler"));
        assert!(!machine.try_run(&["sh", "-c", &format!("echo x > {directory}/more")]).ok());
        machine.sh(&format!("rm -f {directory}/more"));
    }
}

fn make_room(machine: &Machine) {
    machine.sh("rm /run/systemd/shutdown/filler /run/usher/filler");
}

#[test]
fn logins_go_on_and_the_files_are_written_when_there_is_room_again() {
    let machine = machine(WITH_MANAGER);
    let mut broker = booted(&machine);
    fill(&machine);

    let su = su(&machine, "alice", "echo $XDG_SESSION_ID $XDG_RUNTIME_DIR; exec sleep 1000");
    wait_in(&machine, &su);
    machine.wait_for("its environment", || su.log().contains(RUNTIME));
    assert!(module_lines(&machine).is_empty(), "{:?}", module_lines(&machine));
    let listed = machine.run(&["usherctl", "list-sessions", "--no-legend"]).stdout;
    assert!(listed.contains(&format!(" {} ", su.pid())), "{listed}");
    assert!(broker.log().contains("cannot write /run/systemd/sessions/"), "{}", broker.log());
    assert!(broker.log().contains("No space left on device"), "{}", broker.log());
    assert_eq!(sessions(&machine), Vec::<String>::new());
    let temporary = machine.sh("find /run/systemd -name '.#*'");
    assert_eq!(temporary.text(), "", "what was begun is taken away again");

    make_room(&machine);
    let leader = su.pid();
    let session = machine.wait_some("the session's file", || session_led_by(&machine, leader));
    machine.wait_for("the user's file", || ready_manager(&machine).is_some());
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));

    // Nothing was lost, and nothing is forgotten now.
    let manager = ready_manager(&machine);
    broker.kill9();
    broker.start();
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    assert_eq!(ready_manager(&machine), manager);
    log_out(&machine, su);
    wait_nothing_left(&machine);
}

#[test]
fn logouts_go_on_too() {
    let machine = machine(QUICK);
    let mut broker = booted(&machine);
    let logins = [Login::of(&machine, "alice"), Login::of(&machine, "bob")];
    fill(&machine);
    for login in logins {
        login.log_out();
    }
    wait_nothing_left(&machine);
    make_room(&machine);
    Login::of(&machine, "alice").log_out();
    wait_nothing_left(&machine);
    assert!(broker.is_running());
}

/// A restart needs no room.
#[test]
fn a_restart_with_no_room() {
    let machine = machine(WITH_MANAGER);
    let mut broker = booted(&machine);
    let login = Login::of(&machine, "alice");
    let manager = machine.wait_some("the manager", || ready_manager(&machine));
    fill(&machine);
    broker.kill9();
    broker.start();
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
    assert_eq!(ready_manager(&machine), Some(manager));
    login.log_out();
    wait_nothing_left(&machine);
}

/// Who could not be put on file, and is gone, has left nothing after the next start.
#[test]
fn a_crash_before_there_is_room_again() {
    let machine = machine(WITH_MANAGER);
    let mut broker = booted(&machine);
    fill(&machine);
    let su = su(&machine, "alice", "exec sleep 1000");
    wait_in(&machine, &su);
    machine.wait_for("the manager", || !managers(&machine).is_empty());
    broker.kill9();
    log_out(&machine, su);
    assert!(!machine.exists(user_file(ALICE)) && machine.mounted(RUNTIME).is_some());
    make_room(&machine);
    broker.start();
    wait_nothing_left(&machine);
    assert_eq!(managers(&machine), Vec::<String>::new());
}

/// The user's own directory: nobody else's business.
#[test]
fn a_full_runtime_directory() {
    let machine = machine("[Login]\nUserStopDelaySec=0\nRuntimeDirectorySize=1M\n");
    let _broker = machine.start_usherd();
    let login = Login::running(&machine, "alice", "cat /dev/zero > $XDG_RUNTIME_DIR/filler; exec sleep 1000");
    machine.wait_for("it to be full", || login.su.log().contains("No space left"));
    let second = Login::of(&machine, "alice");
    assert_eq!(state_of(&machine, &second.session).as_deref(), Some("active"));
    second.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}
