//! Logins that a later module of the PAM stack refuses, after pam_usher has opened a session (pam_limits' maxlogins, for
//! instance): none of these sessions stays, and none counts against the limit that everybody shares.

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained};
use crate::load::{self, Expect, Logins};
use crate::{DEADLINE, Machine};

/// The PAM service of those logins.
const SERVICE: &str = "denied";
/// Logins between two looks at the clock.
const CHUNK: usize = 200;

/// Far fewer than there are logins.
const CONFIG: &str = "[Login]\nUserStopDelaySec=100ms\nManager=none\nSessionsMax=100\nUserSessionsMax=50\n";

/// Makes them; one after another can still log in where nobody refuses.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn denied(plan: &Plan) -> Result<Survived> {
    let machine = Machine::builder()
        .config(CONFIG)
        .pam_line(SERVICE, "session optional pam_usher.so")
        .pam_line(SERVICE, "session required pam_deny.so")
        .try_boot()?;
    explained(&machine, rage(&machine, plan))
}

fn rage(machine: &Machine, plan: &Plan) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut made = 0;
    while made < plan.logins && plan.has_time() {
        let count = CHUNK.min(plan.logins - made);
        let expect = Expect::Denial;
        let logins =
            Logins { service: SERVICE, users: "alice,bob", count, at_once: 8, expect, ..Logins::default() };
        let outcome = load::cycles(machine, logins)?;
        ensure!(outcome.failures.is_empty(), "logins were not refused: {:?}", outcome.failures);
        storm.survived.count(&outcome);
        let good = load::cycles(machine, Logins { users: "alice,bob", count: 2, ..Logins::default() })?;
        ensure!(good.failures.is_empty(), "nobody gets in any more: {:?}", good.failures);
        made += count;
    }
    storm.end(DEADLINE)
}
