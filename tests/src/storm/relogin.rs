//! Logins race the teardown of the same user's last logout: there is no stop delay, so that every logout tears down and
//! every login may meet it.

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Logins};
use crate::{DEADLINE, Machine};

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
    let (machine, users) = town(2, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan))
}

fn rage(machine: &Machine, users: &str, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    while made < plan.logins && plan.has_time() {
        let logins = Logins {
            users,
            count: CHUNK.min(plan.logins - made),
            at_once: 2 + 2 * storm.chance.usize(..2),
            rest: storm.chance.u64(..3),
            ending: if storm.chance.bool() { Ending::Close } else { Ending::Mixed },
            ..Logins::default()
        };
        let outcome = load::cycles(machine, logins)?;
        ensure!(outcome.failures.is_empty(), "logins have failed: {:?}", outcome.failures);
        made += logins.count;
        storm.survived.count(&outcome);
        storm.no_second_manager()?;
    }
    storm.end(DEADLINE)
}
