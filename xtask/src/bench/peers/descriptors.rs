//! elogind as its init script starts it: with as many descriptors as every program has.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::{Held, Logins};

use super::Peers;
use crate::bench::broker::{self, SERVICE};
use crate::bench::plan::say;

/// Somewhat more than it has descriptors.
const COUNT: usize = 1100;
/// In seconds: a login waits for 25 when it has gone.
const LIMIT: u64 = 40;

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Descriptors {
    pub(crate) wanted: usize,
    pub(crate) opened: usize,
    /// Whether it was still there afterwards.
    pub(crate) lives: bool,
    pub(crate) reason: Option<String>,
}

pub(super) fn measure(peers: &mut Peers) -> Result<()> {
    say(&format!("{COUNT} sessions held, elogind with 1024 descriptors"));
    let broker = broker::elogind_with_few_descriptors()?;
    let users = broker::holders().join(",");
    let logins = Logins {
        service: SERVICE,
        users: &users,
        count: COUNT,
        at_once: 32,
        limit: LIMIT,
        ..Logins::default()
    };
    let held = Held::open(broker.place(), logins)?;
    peers.descriptors = Some(Descriptors {
        wanted: COUNT,
        opened: held.opened.open_ns.len(),
        lives: broker.daemon().is_some(),
        reason: held.opened.failures.first().cloned(),
    });
    Ok(())
}
