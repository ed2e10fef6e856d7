//! Logins race the teardown of the same user's last logout: there is no stop delay, so that every logout tears down and
//! every login may meet it.

use anyhow::Result;

use super::{Plan, Storm, Survived, in_town};
use crate::load::{self, Ending, Logins};

/// Logins between two looks at the clock.
const CHUNK: usize = 50;

const CONFIG: &str =
    "[Login]\nUserStopDelaySec=0\nManager=/usr/bin/usher-pam-load manager\nManagerReadyWaitSec=20\n";

/// Two users log in and out, each one or two at a time: now and then the last one out meets the next one in.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn relogin(plan: &Plan) -> Result<Survived> {
    in_town(2, CONFIG, plan, |storm, users| rage(storm, users, plan))
}

fn rage(storm: &mut Storm<'_>, users: &str, plan: &Plan) -> Result<()> {
    storm.waves(plan, CHUNK, |storm, count| {
        let logins = Logins {
            users,
            count,
            at_once: 2 + 2 * storm.chance.usize(..2),
            rest: storm.chance.u64(..3),
            ending: if storm.chance.bool() { Ending::Close } else { Ending::Mixed },
            ..Logins::default()
        };
        let outcome = load::cycles(storm.machine, logins)?;
        storm.no_second_manager()?;
        Ok(outcome)
    })
}
