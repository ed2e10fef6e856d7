//! Thousands of sessions held: a crash of usherd forgets none, and all of them end at once. `cargo xtask soak` does the same
//! with 8000.

use std::time::Duration;

use usher_tests::load::Ending;
use usher_tests::storm::{self, Plan};

fn hold(sessions: usize, ending: Ending) {
    let plan = Plan::new(sessions, Duration::from_secs(120), 1);
    let survived = storm::held(&plan, ending).unwrap_or_else(|error| panic!("{error:?}"));
    println!("{survived:#?}");
    assert_eq!(survived.peak, sessions, "{survived:?}");
}

#[test]
fn none_is_forgotten_and_all_log_out_at_once() {
    hold(2000, Ending::Close);
}

#[test]
fn none_is_forgotten_and_all_die_at_once() {
    hold(1000, Ending::Die);
}
