//! What a broker takes, and those who work for it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use usher_tests::load::processes::Footprint;

use super::Peers;
use crate::bench::broker::{Broker, Name};

/// The same for everybody.
const REST: Duration = Duration::from_secs(4);

/// One process, with so many sessions held.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) broker: Name,
    pub(crate) held: usize,
    pub(crate) process: String,
    /// Whether it is the broker itself.
    pub(crate) daemon: bool,
    pub(crate) pss_kib: u64,
    pub(crate) anonymous_kib: u64,
    pub(crate) descriptors: usize,
}

/// Looks at all of them, when they have had time to give back what the last logins needed.
pub(super) fn measure(peers: &mut Peers, broker: &Broker, held: usize) -> Result<()> {
    std::thread::sleep(REST);
    let daemon = broker.daemon().context("it is gone")?;
    for process in broker.processes()? {
        let Some(Footprint { pss_kib, anonymous_kib, descriptors }) = process.footprint() else { continue };
        peers.memory.push(Memory {
            broker: broker.name,
            held,
            daemon: process.host_pid == daemon.host_pid,
            process: process.name,
            pss_kib,
            anonymous_kib,
            descriptors,
        });
    }
    Ok(())
}
