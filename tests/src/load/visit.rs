//! A user who comes and goes, and what becomes of that.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{PROGRAM, Place, measure};

/// One login of a user who was not there, until nothing is left of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Visit {
    /// Nanoseconds of pam_open_session.
    pub open_ns: u64,
    /// From the return of pam_close_session until everything that was watched was gone; nothing if something stayed.
    pub gone_ns: Option<u64>,
    /// What was not to be expected.
    pub failures: Vec<String>,
}

/// Lets the user log in and out, and watches until those paths are gone, for some seconds at most.
///
/// # Errors
/// The load program itself failed; a failed login is in the visit.
pub fn visit(place: &dyn Place, service: &str, user: &str, watched: &[&str]) -> Result<Visit> {
    let mut words = vec![PROGRAM, "visit", "--service", service, "--user", user, "--"];
    words.extend(watched);
    measure(place, &words)
}
