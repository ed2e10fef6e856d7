//! usherd is killed at random moments while hundreds log in and out at the same time.

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Expect, Logins};
use crate::{DEADLINE, Machine};

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
    let (machine, users) = town(10, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan))
}

fn rage(machine: &Machine, users: &str, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    while made < plan.logins && plan.has_time() {
        let logins = Logins {
            users,
            count: (2 * AT_ONCE).min(plan.logins - made),
            at_once: AT_ONCE,
            ending: Ending::Mixed,
            expect: Expect::MaybeSession,
            ..Logins::default()
        };
        let outcome = std::thread::scope(|scope| {
            let wave = scope.spawn(|| load::cycles(machine, logins));
            while !wave.is_finished() {
                storm.pause(LIFE);
                storm.crash();
            }
            wave.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        ensure!(outcome.failures.is_empty(), "logins have failed: {:?}", outcome.failures);
        made += logins.count;
        storm.survived.peak = AT_ONCE;
        storm.survived.count(&outcome);
        storm.no_second_manager()?;
    }
    storm.end(DEADLINE)
}
