//! The short forms of the storms that `cargo xtask soak` lets loose for longer.

use std::time::Duration;

use anyhow::Result;
use usher_tests::storm::{self, Plan, Survived};

/// A storm that has time for all its logins, on a busy machine, too.
fn weather(let_loose: fn(&Plan) -> Result<Survived>, logins: usize) -> Survived {
    let plan = Plan::new(logins, Duration::from_secs(120), 1);
    let survived = let_loose(&plan).unwrap_or_else(|error| panic!("{error:?}"));
    println!("{survived:#?}");
    assert!(survived.logins >= logins, "{survived:?}");
    survived
}

#[test]
fn a_thousand_short_sessions_and_crashes_leave_nothing() {
    let survived = weather(storm::short_sessions, 1000);
    assert!(survived.crashes >= 3, "{survived:?}");
}

#[test]
fn crashes_during_two_hundred_logins_at_a_time_leave_nothing() {
    let survived = weather(storm::crashes, 400);
    assert!(survived.crashes > 0 && survived.without_session < survived.logins, "{survived:?}");
}

#[test]
fn logins_that_meet_teardown_get_sessions() {
    weather(storm::relogin, 150);
}

#[test]
fn bad_managers_keep_nobody_out() {
    weather(storm::managers, 40);
}

#[test]
fn a_stopped_broker_is_waited_for() {
    let survived = weather(storm::stalls, 200);
    assert!(survived.stalls > 0, "{survived:?}");
}

#[test]
fn denied_logins_leave_no_sessions() {
    weather(storm::denied, 400);
}
