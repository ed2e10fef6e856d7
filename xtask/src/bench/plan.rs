//! What is measured, and how often.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use usher_tests::Machine;

/// How often.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Rounds in which the compared cases take turns.
    pub(super) rounds: usize,
    /// Logins of each case in a round.
    pub(super) per_round: usize,
    /// First logins with each manager and each broker, and as many bare managers.
    pub(super) first: usize,
    /// Logins with a rest before each.
    pub(super) isolated: usize,
    /// Sessions to hold of all brokers side by side, in steps.
    pub(super) held: Cow<'static, [usize]>,
    /// Sessions to hold of one broker after the other; none if 0.
    pub(super) very_many: usize,
    /// Calls of each method on the bus.
    pub(super) calls: usize,
    /// How long daemons are watched while nothing happens, in seconds.
    pub(super) quiet: u64,
    /// For how long a broker may open sessions that are held, in seconds, and close them.
    pub(super) patience: u64,
    /// Whether elogind is shown with the descriptors that its init script gives it.
    pub(super) few_descriptors: bool,
}

pub(crate) const FULL: Plan = Plan {
    rounds: 10,
    per_round: 50,
    first: 20,
    isolated: 30,
    held: Cow::Borrowed(&[100, 1000]),
    very_many: 8000,
    calls: 200,
    quiet: 10,
    patience: 150,
    few_descriptors: true,
};
pub(crate) const QUICK: Plan = Plan {
    rounds: 3,
    per_round: 20,
    first: 3,
    isolated: 8,
    held: Cow::Borrowed(&[100, 1000]),
    very_many: 0,
    calls: 20,
    quiet: 3,
    patience: 20,
    few_descriptors: false,
};

/// How many at a time.
pub(super) const AT_ONCE: [usize; 3] = [1, 8, 32];
/// The PAM service with usher in a machine.
pub(super) const USHER: &str = "usher-bench";
/// Milliseconds without a login, long enough for the kernel to forget the last one: see [`Isolated`](super::alone::Isolated).
pub(super) const REST: u64 = 100;
/// Users of the held sessions.
pub(super) const HOLDERS: usize = 10;
/// Teardown follows the last logout at once, so that it is over before the next measurement begins.
pub(super) const CONFIG: &str = "[Login]\nUserStopDelaySec=0\n";

impl Plan {
    /// The most sessions that are held side by side.
    pub(super) fn many(&self) -> usize {
        self.held.last().copied().unwrap_or(0)
    }
}

pub(super) fn say(what: &str) {
    println!("Measuring: {what} …");
}

/// Managers that are still starting would be measured, too.
pub(super) fn wait_for_managers(machine: &Machine, users: &[&str]) {
    for user in users {
        let words = ["usherctl", "show-user", user, "-p", "Manager", "--value"];
        machine.wait_for("the user managers to be ready", || machine.try_run(&words).text() == "ready");
    }
}
