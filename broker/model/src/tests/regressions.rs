//! Histories that have failed once, lived through again with every run.
//!
//! How one gets here: `histories` prints the shortest steps that it finds, and its machine; both can be pasted as they are,
//! as a new test with a name that says what was wrong.

use usher_protocol::session::SessionClass::{self, *};

use super::histories::lives;
use super::steps::Step::{self, *};
use super::steps::{Conf, Machine};
use super::world::Failures;

/// What most people's machine is.
const USUAL: Machine =
    Machine { delayed: false, lingering: false, cgroups: true, managers: true, vts: false };

const CONF: Conf =
    Conf { delay: Some(10_000_000), kill: false, lists: false, manager: true, few: false, impatient: false };

fn open(user: u8, class: SessionClass) -> Step {
    Open { user, other_name: false, class, vt: None, more: false }
}

fn login(user: u8) -> Step {
    open(user, User)
}

#[test]
fn a_login_waits_for_the_next_manager_when_the_configuration_says_there_is_none() {
    let steps = [
        login(1),
        // It is late, and then asked to stop.
        Deadline,
        Deadline,
        login(1),
        Reload(Conf { manager: false, ..CONF }),
        Settle,
    ];
    lives(Machine { cgroups: false, ..USUAL }, steps.to_vec());
}

#[test]
fn a_manager_is_configured_while_somebody_is_there() {
    lives(Machine { managers: false, ..USUAL }, vec![login(1), Reload(CONF), login(1)]);
}

#[test]
fn a_terminated_user_is_found_by_the_flag_of_another_name() {
    let under_other_name = Open { user: 1, other_name: true, class: User, vt: None, more: false };
    let steps = vec![login(1), under_other_name, TerminateUser { user: 1 }, Crash, Settle];
    lives(Machine { lingering: true, cgroups: false, managers: false, ..USUAL }, steps);
}

#[test]
fn a_session_is_given_the_number_of_one_that_an_older_file_names() {
    let full = |files| Fail(Failures { files, ..Failures::default() });
    let steps = vec![
        login(1),
        full(true),
        CrashWithoutIds,
        TerminateSession { session: 0 },
        Go { choices: [0, 0, 0] },
        CrashAfter { effects: 0 },
        login(1),
        Linger { user: 1, other_name: false, flag: false },
        full(false),
        Close { session: 0, by: 0 },
        CrashAfter { effects: 6 },
        login(2),
        login(1),
    ];
    lives(Machine { cgroups: false, ..USUAL }, steps);
}

#[test]
fn the_number_of_a_session_that_is_not_taken_over_is_given_again() {
    let full = |files| Fail(Failures { files, ..Failures::default() });
    let steps = vec![
        full(true),
        login(1),
        CrashAfter { effects: 1 },
        full(false),
        // Its file is there now, its user's is not.
        TerminateSession { session: 0 },
        login(1),
    ];
    lives(Machine { cgroups: false, managers: false, ..USUAL }, steps);
}

#[test]
fn a_restart_opens_no_fifo_of_a_session_that_it_ends() {
    let steps = [login(1), Fifo { session: 0 }, CrashAfter { effects: 1 }, TerminateUser { user: 1 }];
    lives(Machine { cgroups: false, managers: false, ..USUAL }, steps.to_vec());
}
