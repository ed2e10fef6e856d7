//! Logins while usherd starts and finds out what the last one has left, which takes a while where that is much.

mod crash_common;
mod faults_common;

use crash_common::cast;
use faults_common::*;
use usher_tests::Machine;
use usher_tests::spec::NOTIFY_SOCKET;

/// Everything is known, nothing is done yet.
const POINT: &str = "start-restored-nothing-done";

/// Whether somebody has knocked at root's socket, and nobody has opened: the kernel lists him beside the listener, under
/// the name that the socket had before it was put in place.
fn somebody_waits(machine: &Machine) -> bool {
    let sockets = machine.run(&["cat", "/proc/net/unix"]);
    sockets.stdout.lines().filter(|line| line.contains(" /run/usher/broker.root")).count() > 1
}

#[test]
fn who_logs_in_while_it_starts_waits_for_it() {
    let machine = cast::machine();
    let mut usual = machine.start_usherd();
    let mut bob = machine.pam_login("bob");
    let session = bob.session();
    usual.kill9();

    let environment =
        [("NOTIFY_SOCKET", NOTIFY_SOCKET), ("USHERD_CRASH_POINT", POINT), ("USHERD_CRASH_STOPS", "1")];
    let starting = machine.spawn_with(&["/usr/sbin/usherd-crash-points"], None, &environment);
    let stat = format!("/proc/{}/stat", starting.pid());
    machine.wait_for("usherd to be stopped in its start", || machine.read(&stat).contains(") T "));

    let mut alice = machine.pam_login("alice");
    machine.wait_for("alice to knock", || somebody_waits(&machine));
    signal(&machine, starting.pid(), "CONT");
    let entered = alice.entered();
    assert!(entered.session.is_some(), "alice has no session: {}", machine.syslog());
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    alice.log_out();
    bob.log_out();
    wait_nothing_left(&machine);
}
