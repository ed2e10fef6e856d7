//! Everything that was measured, as it goes into the JSON file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use usher_tests::load::processes;

use super::alone::{self, Alone};
use super::broker::Name;
use super::bus::{self, Bus};
use super::module::Module;
use super::peers::{self, Peers};
use super::plan::Plan;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) system: System,
    pub(crate) plan: Plan,
    pub(crate) peers: Peers,
    pub(crate) alone: Alone,
    pub(crate) bus: Bus,
    pub(crate) module: Option<Module>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct System {
    pub(crate) kernel: String,
    pub(crate) processors: usize,
    /// proc_loadavg(5) of the last minute before the first measurement: what else ran.
    pub(crate) load: f64,
    /// The nice value (sched(7)) of everything that was measured.
    pub(crate) nice: i32,
    pub(crate) version: String,
}

impl Results {
    /// What went wrong with usher: what peers cannot do is a result.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = self.peers.failures();
        failures.extend(self.alone.first.iter().flat_map(|first| first.failures.clone()));
        failures.extend(self.alone.isolated.failures.clone());
        failures.extend(self.bus.failures.clone());
        failures
    }
}

/// Measures it all, beside these brokers.
pub(super) fn measure(plan: &Plan, brokers: &[Name]) -> Result<Results> {
    let system = system()?;
    let peers = peers::run(plan, brokers)?;
    let alone = alone::run(plan)?;
    let bus = bus::run(plan)?;
    Ok(Results { system, plan: plan.clone(), peers, alone, bus, module: Module::measure() })
}

fn system() -> Result<System> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's version")?;
    let processors = std::thread::available_parallelism().context("count processors")?.get();
    let load = fs::read_to_string("/proc/loadavg").context("read the load average")?;
    let load =
        load.split(' ').next().and_then(|load| load.parse().ok()).context("understand the load average")?;
    let nice = processes::nice(Path::new("/proc/self")).context("understand /proc/self/stat")?;
    Ok(System {
        kernel: kernel.trim().to_owned(),
        processors,
        load,
        nice,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
