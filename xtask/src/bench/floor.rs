//! What the kernel takes for the operations of a login and a logout, bare.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;
use usher_tests::load::{self, Place};

use super::stats::Times;

/// By operation; `open` and `close` are the sums.
pub(crate) type Floor = BTreeMap<String, Times>;

/// What `usher-pam-load` says of it.
#[derive(Debug, Deserialize)]
pub(super) struct Measured {
    pub(super) open_ns: Vec<u64>,
    pub(super) close_ns: Vec<u64>,
    round_trip_ns: Vec<u64>,
    enter_cgroup_ns: Vec<u64>,
    two_files_ns: Vec<u64>,
    leave_cgroup_ns: Vec<u64>,
    tmpfs_ns: Vec<u64>,
}

/// Measures so many, each after that many milliseconds of rest; `expedite`: with the kernel told to hurry, as usherd does.
pub(super) fn measure(place: &dyn Place, count: usize, rest: u64, expedite: bool) -> Result<Measured> {
    let (count, rest) = (count.to_string(), rest.to_string());
    let mut words = vec!["usher-pam-load", "floor", "--count", &count, "--rest", &rest];
    words.extend(expedite.then_some("--expedite"));
    load::measure(place, &words)
}

/// Adds what was measured.
pub(super) fn add(floor: &mut Floor, times: Measured) {
    for (name, times) in [
        ("open", times.open_ns),
        ("close", times.close_ns),
        ("round trip", times.round_trip_ns),
        ("enter cgroup", times.enter_cgroup_ns),
        ("two files", times.two_files_ns),
        ("leave cgroup", times.leave_cgroup_ns),
        ("tmpfs", times.tmpfs_ns),
    ] {
        floor.entry(name.to_owned()).or_default().extend(times);
    }
}
