//! User managers that fail, end, hang, flood and do not stop: logins go on, and nothing is left in the end.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, in_town};
use crate::load::{self, Ending, Logins};

/// Logins between two looks at the clock.
const CHUNK: usize = 40;
/// `ManagerReadyWaitSec`, and a generous allowance for a busy machine.
const LONGEST: Duration = Duration::from_secs(1 + 5);

const CONFIG: &str = "[Login]\nUserStopDelaySec=0\nManager=/usr/bin/usher-pam-load manager --manner any\n\
                      ManagerReadyWaitSec=1\nManagerStartTimeoutSec=2\nManagerStopTimeoutSec=1\n";

/// Every login has a session, whatever its manager is like.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn managers(plan: &Plan) -> Result<Survived> {
    in_town(20, CONFIG, plan, |storm, users| rage(storm, users, plan))
}

fn rage(storm: &mut Storm<'_>, users: &str, plan: &Plan) -> Result<()> {
    storm.waves(plan, CHUNK, |storm, count| {
        let rest = storm.chance.u64(..30);
        let logins = Logins { users, count, at_once: 10, rest, ending: Ending::Mixed, ..Logins::default() };
        let outcome = load::cycles(storm.machine, logins)?;
        let longest = outcome.longest_open();
        // A login that meets its user's teardown waits for a manager's stop, too, within the module's 5 s.
        ensure!(longest < LONGEST + Duration::from_secs(5), "a login took {longest:?}");
        if storm.chance.u8(..4) == 0 {
            storm.crash();
        }
        Ok(outcome)
    })
}
