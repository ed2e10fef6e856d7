//! What `usher-pam-load` says of the kernel and of bare managers.

use serde::Deserialize;

/// What the kernel takes.
#[derive(Debug, Deserialize)]
pub(super) struct Floor {
    pub(super) open_ns: Vec<u64>,
    pub(super) close_ns: Vec<u64>,
    pub(super) round_trip_ns: Vec<u64>,
    pub(super) enter_cgroup_ns: Vec<u64>,
    pub(super) two_files_ns: Vec<u64>,
    pub(super) leave_cgroup_ns: Vec<u64>,
    pub(super) tmpfs_ns: Vec<u64>,
}

/// How long a user manager took.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) ready_ns: u64,
}
