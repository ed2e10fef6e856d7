//! What came of many logins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A session that a login got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Session {
    /// XDG_SESSION_ID.
    pub id: String,
    /// The process that opened it, by its number in the machine.
    pub leader: u32,
}

/// What came of many logins. Times are nanoseconds on CLOCK_MONOTONIC.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Of each pam_open_session that led to a session.
    pub open_ns: Vec<u64>,
    /// Of each pam_close_session.
    pub close_ns: Vec<u64>,
    /// Of each pam_open_session that led to a login without a session, where that is to be expected.
    pub alone_ns: Vec<u64>,
    /// Of each pam_open_session that was refused, where that is to be expected.
    pub denied_ns: Vec<u64>,
    /// How many have ended without pam_close_session, as they were to.
    pub died: usize,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// What was not to be expected.
    pub failures: Vec<String>,
    /// How many were not over when the time was.
    #[serde(default)]
    pub unfinished: usize,
    /// From the first to the last.
    pub wall_ns: u64,
    /// Processor time of all the processes that logged in, from fork to exit; only of logins that ended at once.
    #[serde(default)]
    pub client_ns: u64,
}

impl Outcome {
    /// Adds what came of other logins.
    pub fn add(&mut self, other: Self) {
        self.open_ns.extend(other.open_ns);
        self.close_ns.extend(other.close_ns);
        self.alone_ns.extend(other.alone_ns);
        self.denied_ns.extend(other.denied_ns);
        self.died += other.died;
        self.sessions.extend(other.sessions);
        self.failures.extend(other.failures);
        self.unfinished += other.unfinished;
        self.wall_ns += other.wall_ns;
        self.client_ns += other.client_ns;
    }

    /// How many logins came through, or were refused as they were to be.
    pub fn logins(&self) -> usize {
        self.open_ns.len() + self.alone_ns.len() + self.denied_ns.len()
    }

    /// The longest that anybody waited in pam_open_session.
    pub fn longest_open(&self) -> Duration {
        longest(self.open_ns.iter().chain(&self.alone_ns).chain(&self.denied_ns))
    }

    /// The longest that anybody waited in pam_close_session.
    pub fn longest_close(&self) -> Duration {
        longest(self.close_ns.iter())
    }
}

fn longest<'a>(times: impl Iterator<Item = &'a u64>) -> Duration {
    Duration::from_nanos(times.copied().max().unwrap_or(0))
}
