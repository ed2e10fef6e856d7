//! The real `systemd --user`, where usherd dies while it starts or stops one: never none, never two, and nothing of it is
//! left.

mod crash_common;
mod faults_common;

use std::thread;

use crash_common::{arm, disarm, start_doomed, with_successor};
use faults_common::*;
use usher_tests::Machine;

/// While one is started.
const STARTING: [&str; 4] =
    ["manager-cgroup-made", "manager-spawned-not-on-file", "manager-released", "manager-ready-not-reported"];
/// While one is stopped.
const STOPPING: [&str; 4] =
    ["before-StopManager", "manager-told-to-stop", "manager-ended-not-reaped", "manager-reaped-cgroup-there"];

#[test]
fn it_is_started_once_and_stopped_whole() {
    // A manager that became ready while nobody listened is taken for ready after that time.
    let config = format!("{WITH_MANAGER}ManagerReadyWaitSec=2\n");
    thread::scope(|scope| {
        for (points, act) in [(STARTING, log_in as fn(&Machine, &str)), (STOPPING, log_out_at)] {
            let config = &config;
            scope.spawn(move || {
                let machine = Machine::builder().crash_points().config(config).boot();
                points.iter().for_each(|point| act(&machine, point));
            });
        }
    });
}

fn log_in(machine: &Machine, point: &str) {
    let doomed = start_doomed(machine);
    arm(machine, point);
    let mut login = machine.pam_login("alice");
    let (usual, died) = with_successor(machine, doomed, || drop(login.session()), || {});
    disarm(machine);
    assert!(died, "usherd was to die at {point}");
    machine.wait_for("one manager that is ready", || {
        ready_manager(machine).is_some_and(|pid| managers(machine) == [pid.to_string()])
    });
    assert_eq!(stacked(machine, RUNTIME), 1, "after {point}");
    assert_eq!(logins(machine), [login.session()], "after {point}");
    login.log_out();
    wait_nothing_left(machine);
    assert_eq!(managers(machine), [""; 0], "after {point}");
    drop(usual);
}

fn log_out_at(machine: &Machine, point: &str) {
    let doomed = start_doomed(machine);
    let mut login = machine.pam_login("alice");
    login.session();
    machine.wait_for("the manager", || ready_manager(machine).is_some());
    arm(machine, point);
    let (usual, died) = with_successor(
        machine,
        doomed,
        || {
            login.close();
            wait_nothing_left(machine);
        },
        || {},
    );
    disarm(machine);
    assert!(died, "usherd was to die at {point}");
    assert_eq!(managers(machine), [""; 0], "after {point}");
    drop(usual);
}
