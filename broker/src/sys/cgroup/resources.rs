//! What a cgroup may use, in the words of the kernel's cgroup-v2 documentation.

use std::io::ErrorKind;
use std::path::Path;

use usher_protocol::ids::Uid;

use super::super::{Result, limits};
use super::{CgroupRoot, write};
use crate::config::{Ceiling, Resources};

impl CgroupRoot {
    /// Sets what a user's slice and the manager's cgroup in it may use. What no file of the user's cgroup stands for has no
    /// controller here.
    ///
    /// # Errors
    /// The kernel's, of the first value that it refuses; the others are set all the same.
    pub fn limit(&self, uid: Uid, slice: &Resources, service: &Resources) -> Result<()> {
        let slice = set(&self.slice_path(uid), slice);
        let service = set(&self.manager_path(uid), service);
        slice.and(service)
    }
}

fn set(directory: &Path, resources: &Resources) -> Result<()> {
    let of = |ceiling: Option<Ceiling>, all: fn() -> u64| ceiling.map(|ceiling| ceiling.on(all()));
    let weight = |weight: Option<u64>| weight.map(|weight| weight.to_string());
    let values = [
        ("pids.max", of(resources.tasks_max, limits::tasks_total)),
        ("memory.max", of(resources.memory_max, limits::memory_total)),
        ("memory.high", of(resources.memory_high, limits::memory_total)),
        ("cpu.weight", weight(resources.cpu_weight)),
        ("io.weight", weight(resources.io_weight).map(|weight| format!("default {weight}"))),
    ];
    let mut outcome = Ok(());
    for (file, value) in values {
        let Some(value) = value else { continue };
        match write(&directory.join(file), &value) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::debug!(file, cgroup = %directory.display(), "no controller for a setting of a drop-in");
            }
            written => outcome = outcome.and(written),
        }
    }
    outcome
}
