//! The limit on descriptors is raised at start, whatever usherd was started with; users get none of that.

mod faults_common;

use faults_common::*;
use usher_tests::load::{Held, Logins};
use usher_tests::{DEADLINE, Machine};

/// More than usherd was started with.
const SESSIONS: usize = 150;

fn limits(machine: &Machine, pid: i32) -> (u64, u64) {
    let text = machine.read(format!("/proc/{pid}/limits"));
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let mut numbers = line.split_whitespace().filter_map(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[test]
fn a_low_limit_is_raised_and_managers_get_the_usual_one() {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/usr/bin/usher-pam-load manager\n";
    let machine = machine(config);
    let (_, hard) = limits(&machine, 1);
    let nr_open: u64 = machine.read("/proc/sys/fs/nr_open").trim().parse().unwrap();
    let wanted = nr_open.min(524_288).max(hard);
    // The hard limit is raised, too, unless root may not do that here (CAP_SYS_RESOURCE).
    let permitted = machine.try_run(&["prlimit", &format!("--nofile={wanted}:{wanted}"), "true"]).ok();
    let raised = if permitted { wanted } else { hard };
    let mut broker = start_usherd_by(&machine, &["prlimit", "--nofile=64:"]);
    assert_eq!(limits(&machine, broker.pid()), (raised, raised));

    let held = Held::open(&machine, Logins { count: SESSIONS, at_once: 8, ..Logins::default() }).unwrap();
    assert_eq!(held.opened.failures, [""; 0]);
    assert_eq!(logins(&machine).len(), SESSIONS);
    let manager = machine.wait_some("the manager", || ready_manager(&machine));
    assert_eq!(limits(&machine, manager), (1024, raised));

    assert_eq!(held.close().unwrap().failures, [""; 0]);
    machine.wait_no_leftovers(DEADLINE);
    assert!(broker.is_running());
}
