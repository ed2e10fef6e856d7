//! Short sessions, as fast as the machine makes them, with crashes of usherd in the middle: like su and sudo from outside a
//! session, like ssh with a command, like programs that crash.

use anyhow::Result;

use super::{Plan, Storm, Survived, in_town};
use crate::load::{Ending, Expect, Logins};

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
    in_town(4, CONFIG, plan, |storm, users| rage(storm, users, plan))
}

fn rage(storm: &mut Storm<'_>, users: &str, plan: &Plan) -> Result<()> {
    let (mut made, mut next_crash) = (0, BETWEEN_CRASHES / 2);
    storm.waves(plan, CHUNK, |storm, count| {
        let service = SERVICES[made / CHUNK % SERVICES.len()];
        let (ending, expect) = (Ending::Mixed, Expect::MaybeSession);
        let logins = Logins { service, users, count, at_once: AT_ONCE, ending, expect, ..Logins::default() };
        made += count;
        storm.amid(logins, |storm| {
            if made <= next_crash {
                return storm.pause(5);
            }
            next_crash += BETWEEN_CRASHES;
            storm.pause(100);
            storm.crash();
        })
    })
}
