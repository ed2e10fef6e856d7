//! usherd is stopped for moments (SIGSTOP: a debugger, a starved machine) while people log in and out: they wait within
//! their budget, and whoever has given up has no session afterwards.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Expect, Logins};
use crate::{DEADLINE, Machine};

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
    let (machine, users) = town(4, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan))
}

fn rage(machine: &Machine, users: &str, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    while made < plan.logins && plan.has_time() {
        let logins = Logins {
            users,
            count: (5 * AT_ONCE).min(plan.logins - made),
            at_once: AT_ONCE,
            ending: Ending::Mixed,
            expect: Expect::MaybeSession,
            ..Logins::default()
        };
        // One in eight is longer than anybody waits.
        let limit = if storm.chance.u8(..8) == 0 { STALL } else { STALL / 20 };
        let outcome = std::thread::scope(|scope| {
            let wave = scope.spawn(|| load::cycles(machine, logins));
            while !wave.is_finished() {
                storm.stall(limit);
                storm.pause(BETWEEN);
            }
            wave.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        ensure!(outcome.failures.is_empty(), "logins have failed: {:?}", outcome.failures);
        let longest = outcome.longest_open().max(outcome.longest_close());
        ensure!(longest < LONGEST, "a login or logout took {longest:?}");
        made += logins.count;
        storm.survived.count(&outcome);
    }
    storm.end(DEADLINE)
}
