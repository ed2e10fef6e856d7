//! Lists of sessions, as programs and people get them.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::bus;

use super::Peers;
use crate::bench::broker::{Broker, Name};
use crate::bench::plan::Plan;
use crate::bench::stats::Times;

/// How often people list; it is slow.
const COMMANDS: usize = 10;

/// With so many sessions held.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lists {
    pub(crate) broker: Name,
    pub(crate) held: usize,
    /// How many were in the list: those of managers, too, and what the broker has not noticed the end of.
    pub(crate) sessions: usize,
    /// ListSessions on the bus.
    pub(crate) call: Times,
    pub(crate) command: String,
    /// That command, from its start to its end.
    pub(crate) took: Times,
}

/// Measures one broker.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, broker: &Broker, held: usize) -> Result<()> {
    broker.check()?;
    let mut answers = bus::list(broker.place(), plan.calls)?;
    let call = answers.times_ns.remove("ListSessions").unwrap_or_default();
    let took = bus::time(broker.place(), COMMANDS, &broker.list_command())?;
    peers.lists.push(Lists {
        broker: broker.name,
        held,
        sessions: answers.sessions,
        call: Times::from(call),
        command: broker.list_command().join(" "),
        took: Times::from(took),
    });
    Ok(())
}
