//! A user fills the own runtime directory, with bytes or with files: nobody else notices, and everything of the user's that
//! usherd does goes on.

mod faults_common;

use faults_common::*;
use usher_tests::Machine;

const LIMITS: &str = "[Login]\nUserStopDelaySec=0\nRuntimeDirectorySize=2M\nRuntimeDirectoryInodesMax=300\n";

/// Everything that still has to work when alice's is full; `how` is a command that fills it and fails.
fn is_full(how: &str) {
    let machine = Machine::builder().config(LIMITS).boot();
    let mut broker = machine.start_usherd();
    let bob = Login::running(&machine, "bob", "exec sleep 1000");
    let login = Login::running(&machine, "alice", "exec sleep 1000");
    let main = machine.wait_some("her manager", || ready_manager(&machine));
    let full = machine.try_as_user("alice", &["sh", "-c", &format!("cd {RUNTIME}; {how}")]);
    assert!(full.stderr.contains("No space left"), "{full}");

    // Hers: another login, and whatever becomes of a manager that has to start there.
    let second = Login::running(&machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
    machine.wait_for("its environment", || second.su.log().contains(RUNTIME));
    signal(&machine, main, "KILL");
    let status = || machine.run(&["usherctl", "user-status", "alice"]).stdout;
    machine.wait_for("a manager, or why there is none", || {
        ready_manager(&machine).is_some_and(|now| now != main) || status().contains("Notice:")
    });
    let third = Login::running(&machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
    machine.wait_for("its environment", || third.su.log().contains(RUNTIME));

    // Everybody else's.
    machine.as_user("bob", &["sh", "-c", "head -c 1M /dev/zero > /run/user/1002/file"]);
    let root = Login::running(&machine, "root", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
    machine.wait_for("its environment", || root.su.log().contains("/run/user/0"));
    broker.kill9();
    broker.start();

    for login in [login, second, third] {
        login.log_out();
    }
    machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)) && !machine.exists(RUNTIME));
    for login in [bob, root] {
        login.log_out();
    }
    wait_nothing_left(&machine);
}

#[test]
fn no_bytes_are_left() {
    is_full("cat /dev/zero > filler");
}

#[test]
fn no_files_are_left() {
    is_full("n=0; while : > file$n; do n=$((n + 1)); done");
}

#[test]
fn neither_is_left() {
    is_full("cat /dev/zero > filler; n=0; while : > file$n; do n=$((n + 1)); done");
}
