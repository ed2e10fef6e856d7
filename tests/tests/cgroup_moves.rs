//! The kernel is told to hurry while a login is moved to its cgroup, and at no other time.

mod crash_common;
mod faults_common;

use crash_common::{arm, start_doomed, with_successor};
use usher_tests::{ALICE, Machine};

const SWITCH: &str = "/sys/kernel/rcu_expedited";
const MARK: &str = "/run/usher/rcu-expedited";

/// A machine with a switch of its own: the kernel's is the whole host's.
fn machine(config: &str, switch: &str) -> Machine {
    let machine = Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\nManager=none\n{config}\n"))
        .crash_points()
        .boot();
    machine.sh(&format!("echo {switch} >/run/switch && mount --bind /run/switch {SWITCH}"));
    machine.sh("touch -d '1 hour ago' /run/switch");
    machine
}

/// What the switch says, and whether it has ever been written to.
fn switch(machine: &Machine) -> (String, bool) {
    let says = machine.read("/run/switch").trim().to_owned();
    let old = machine.run(&["find", "/run/switch", "-mmin", "+30"]);
    (says, old.text().is_empty())
}

/// Whether the next usherd would turn it off.
fn is_marked(machine: &Machine) -> bool {
    machine.exists(MARK) && machine.read(MARK).trim() != "0"
}

fn log_in_and_out(machine: &Machine) {
    let mut login = machine.pam_login("alice");
    let (session, leader) = (login.session(), login.entered().pid);
    assert_eq!(machine.cgroup_procs(&ALICE.scope(&session)), Some(vec![leader]), "{}", machine.dump());
    login.log_out();
    machine.wait_gone(&ALICE);
}

#[test]
fn it_is_off_again_when_the_login_is_where_it_belongs() {
    let machine = machine("", "0");
    let _usherd = machine.start_usherd();
    assert_eq!(switch(&machine), ("0".to_owned(), false), "nothing has been moved");
    log_in_and_out(&machine);
    assert_eq!(switch(&machine), ("0".to_owned(), true));
    assert!(!is_marked(&machine));
}

#[test]
fn what_an_administrator_has_said_stays() {
    let machine = machine("", "1");
    let _usherd = machine.start_usherd();
    log_in_and_out(&machine);
    assert_eq!(switch(&machine), ("1".to_owned(), false));
}

#[test]
fn who_does_not_want_it_does_not_get_it() {
    let machine = machine("ExpediteRCU=no", "0");
    let usherd = machine.start_usherd();
    log_in_and_out(&machine);
    assert_eq!(switch(&machine), ("0".to_owned(), false));

    machine.sh("sed -i s/ExpediteRCU=no/ExpediteRCU=yes/ /etc/usher/usher.conf");
    machine.run(&["kill", "-HUP", &usherd.pid().to_string()]);
    machine.wait_for("the login after a reload to be hurried", || {
        log_in_and_out(&machine);
        switch(&machine) == ("0".to_owned(), true)
    });
}

#[test]
fn the_next_usherd_turns_it_off_after_one_that_died() {
    let machine = machine("", "0");
    let doomed = start_doomed(&machine);
    arm(&machine, "leader-moved-not-reported:1");
    let (usherd, died) = with_successor(
        &machine,
        doomed,
        || {
            machine.pam_login("alice").try_entered();
        },
        || {
            assert_eq!(switch(&machine), ("1".to_owned(), true));
            assert!(is_marked(&machine));
        },
    );
    assert!(died);
    assert_eq!(switch(&machine).0, "0", "{}", usherd.log());
    assert!(!is_marked(&machine));
}
