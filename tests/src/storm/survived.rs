//! What a storm was like, and what it has cost.

use std::time::Duration;

use crate::Size;
use crate::load::Outcome;

/// What a storm was like, and what it has cost. Whatever must hold held, or there is no such value.
#[derive(Debug, Clone, Default)]
pub struct Survived {
    /// Logins that came through, or were refused as they were to be.
    pub logins: usize,
    /// How many of those got no session, because usherd was away or hung.
    pub without_session: usize,
    /// How often usherd was killed.
    pub crashes: usize,
    /// How often it was stopped for a while.
    pub stalls: usize,
    /// The most sessions at one time, as far as they were counted.
    pub peak: usize,
    /// The longest time in pam_open_session.
    pub longest_login: Duration,
    /// The longest time in pam_close_session.
    pub longest_logout: Duration,
    /// The longest time from a start of usherd until it served.
    pub back_after: Duration,
    /// usherd before, warm but without sessions.
    pub before: Size,
    /// And after.
    pub after: Size,
    /// What else is worth a line.
    pub notes: Vec<String>,
}

impl Survived {
    /// Takes notice of logins.
    pub fn count(&mut self, outcome: &Outcome) {
        self.logins += outcome.logins();
        self.without_session += outcome.alone_ns.len();
        self.longest_login = self.longest_login.max(outcome.longest_open());
        self.longest_logout = self.longest_logout.max(outcome.longest_close());
    }

    /// Says something more.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}
