//! Short sessions, as fast as the machine makes them, with crashes of usherd in the middle: like su and sudo from outside a
//! session, like ssh with a command, like programs that crash.

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Expect, Logins};
use crate::{DEADLINE, Machine};

/// Logins between two looks at the clock.
const CHUNK: usize = 125;
/// Logins between two crashes.
const BETWEEN_CRASHES: usize = 250;
/// Logins at a time.
const AT_ONCE: usize = 8;
/// su's own PAM stack; ssh's; and one with nothing in it, for what the machine gives.
const SERVICES: [&str; 3] = ["su", "sshd", "usher-bench"];

const CONFIG: &str = "[Login]\nUserStopDelaySec=100ms\nManager=none\n";

/// Makes them; nothing is left of any of them.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn short_sessions(plan: &Plan) -> Result<Survived> {
    let (machine, users) = town(4, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan))
}

fn rage(machine: &Machine, users: &str, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    let mut next_crash = BETWEEN_CRASHES / 2;
    while made < plan.logins && plan.has_time() {
        let logins = Logins {
            service: SERVICES[made / CHUNK % SERVICES.len()],
            users,
            count: CHUNK.min(plan.logins - made),
            at_once: AT_ONCE,
            ending: Ending::Mixed,
            expect: Expect::MaybeSession,
            ..Logins::default()
        };
        let crash = made + logins.count > next_crash;
        let outcome = std::thread::scope(|scope| {
            let chunk = scope.spawn(|| load::cycles(machine, logins));
            if crash {
                storm.pause(100);
                storm.crash();
            }
            chunk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        if crash {
            next_crash += BETWEEN_CRASHES;
        }
        ensure!(outcome.failures.is_empty(), "logins have failed: {:?}", outcome.failures);
        made += logins.count;
        storm.survived.count(&outcome);
    }
    storm.end(DEADLINE)
}
