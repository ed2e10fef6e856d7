//! usherd is stopped for moments (SIGSTOP: a debugger, a starved machine) while people log in and out: they wait within
//! their budget, and whoever has given up has no session afterwards.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, in_town};
use crate::load::{Ending, Expect, Logins};

/// Logins at a time.
const AT_ONCE: usize = 20;
/// The longest that it is stopped, in milliseconds: longer than a login waits.
const STALL: u64 = 6500;
/// The longest between two stops.
const BETWEEN: u64 = 500;
/// The module's budget for a session, and a generous allowance for a busy machine.
const LONGEST: Duration = Duration::from_secs(5 + 5);

const CONFIG: &str = "[Login]\nUserStopDelaySec=100ms\nManager=none\n";

/// Stops it for longer and longer moments.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn stalls(plan: &Plan) -> Result<Survived> {
    in_town(4, CONFIG, plan, |storm, users| rage(storm, users, plan))
}

fn rage(storm: &mut Storm<'_>, users: &str, plan: &Plan) -> Result<()> {
    storm.waves(plan, 5 * AT_ONCE, |storm, count| {
        let expect = Expect::MaybeSession;
        let logins =
            Logins { users, count, at_once: AT_ONCE, ending: Ending::Mixed, expect, ..Logins::default() };
        // One in eight is longer than anybody waits.
        let limit = if storm.chance.u8(..8) == 0 { STALL } else { STALL / 20 };
        let outcome = storm.amid(logins, |storm| {
            storm.stall(limit);
            storm.pause(BETWEEN);
        })?;
        let longest = outcome.longest_open().max(outcome.longest_close());
        ensure!(longest < LONGEST, "a login or logout took {longest:?}");
        Ok(outcome)
    })
}
