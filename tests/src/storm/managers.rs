//! User managers that fail, end, hang, flood and do not stop: logins go on, and nothing is left in the end.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Logins};
use crate::{DEADLINE, Machine};

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
    let (machine, users) = town(20, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan))
}

fn rage(machine: &Machine, users: &str, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    while made < plan.logins && plan.has_time() {
        let logins = Logins {
            users,
            count: CHUNK.min(plan.logins - made),
            at_once: 10,
            rest: storm.chance.u64(..30),
            ending: Ending::Mixed,
            ..Logins::default()
        };
        let outcome = load::cycles(machine, logins)?;
        ensure!(outcome.failures.is_empty(), "logins have failed: {:?}", outcome.failures);
        let longest = outcome.longest_open();
        // A login that meets its user's teardown waits for a manager's stop, too, within the module's 5 s.
        ensure!(longest < LONGEST + Duration::from_secs(5), "a login took {longest:?}");
        made += logins.count;
        storm.survived.count(&outcome);
        if storm.chance.u8(..4) == 0 {
            storm.crash();
        }
    }
    storm.end(DEADLINE)
}
