//! `kill -9` of a broker, and what its successor knows.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::{self, bus};

use super::Peers;
use crate::bench::broker::{Broker, Name};

/// How a broker came back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Revived {
    pub(crate) broker: Name,
    /// From kill -9 until ListSessions was answered on the bus, in milliseconds.
    pub(crate) answers_ms: f64,
    /// The same until logins were served; only of usher, which has a socket of its own for them.
    pub(crate) serves_ms: Option<f64>,
    /// How many sessions were listed before.
    pub(crate) before: usize,
    /// How many its successor listed.
    pub(crate) known: usize,
}

impl Revived {
    /// What is wrong with it, if anything is.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { known, before, .. } = self;
        (known != before).then(|| format!("after kill -9 {known} sessions of {before} were known"))
    }
}

/// Kills it once by way of the bus, and usher once more by way of its own socket.
pub(super) fn measure(peers: &mut Peers, broker: &Broker) -> Result<()> {
    let before = bus::list(broker.place(), 1)?.sessions;
    let revived = broker.revive()?;
    let daemon = broker.daemon().filter(|_| broker.name == Name::Usher);
    let serves = daemon.map(|daemon| load::revive(broker.place(), daemon.pid)).transpose()?;
    peers.revived.push(Revived {
        broker: broker.name,
        answers_ms: revived.serving_ns as f64 / 1e6,
        serves_ms: serves.map(|revived| revived.serving_ns as f64 / 1e6),
        before,
        known: revived.sessions,
    });
    Ok(())
}
