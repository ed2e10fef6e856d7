//! usherd is killed at random moments while hundreds log in and out at the same time.

use anyhow::Result;

use super::{Plan, Storm, Survived, in_town};
use crate::load::{Ending, Expect, Logins};

/// So many log in at the same time.
const AT_ONCE: usize = 200;
/// The longest that usherd lives, in milliseconds.
const LIFE: u64 = 400;

const CONFIG: &str =
    "[Login]\nUserStopDelaySec=100ms\nManager=/usr/bin/usher-pam-load manager\nManagerReadyWaitSec=5\n";

/// Kills and starts it for as long as there are logins.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn crashes(plan: &Plan) -> Result<Survived> {
    in_town(10, CONFIG, plan, |storm, users| rage(storm, users, plan))
}

fn rage(storm: &mut Storm<'_>, users: &str, plan: &Plan) -> Result<()> {
    storm.waves(plan, 2 * AT_ONCE, |storm, count| {
        let expect = Expect::MaybeSession;
        let logins =
            Logins { users, count, at_once: AT_ONCE, ending: Ending::Mixed, expect, ..Logins::default() };
        let outcome = storm.amid(logins, |storm| {
            storm.pause(LIFE);
            storm.crash();
        })?;
        storm.survived.peak = AT_ONCE;
        storm.no_second_manager()?;
        Ok(outcome)
    })
}
