//! Logins that a later module of the PAM stack refuses, after pam_usher has opened a session (pam_limits' maxlogins, for
//! instance): none of these sessions stays, and none counts against the limit that everybody shares.

use anyhow::{Result, ensure};

use super::{Plan, Storm, Survived, explained, from_begin_to_end};
use crate::Machine;
use crate::load::{self, Expect, Logins};

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
    explained(&machine, from_begin_to_end(&machine, plan, |storm| rage(storm, plan)))
}

fn rage(storm: &mut Storm<'_>, plan: &Plan) -> Result<()> {
    storm.waves(plan, CHUNK, |storm, count| {
        let expect = Expect::Denial;
        let logins =
            Logins { service: SERVICE, users: "alice,bob", count, at_once: 8, expect, ..Logins::default() };
        let refused = load::cycles(storm.machine, logins)?;
        let good = load::cycles(storm.machine, Logins { users: "alice,bob", count: 2, ..Logins::default() })?;
        ensure!(good.failures.is_empty(), "nobody gets in any more: {:?}", good.failures);
        Ok(refused)
    })
}
