//! The kernel and the system's files, one subject a file: thin, and nothing in here decides.

pub mod accounts;
pub mod appearance;
pub mod cgroup;
pub mod clock;
mod error;
pub mod exit_watch;
pub mod home;
pub mod idle;
pub mod ipc;
pub mod limits;
pub mod linger;
pub mod memory;
pub mod mount;
pub mod pidfd;
pub mod power;
mod proc;
pub mod process;
mod raw;
pub mod rcu;
mod readiness;
pub mod scope_watch;
pub mod spawn;
pub mod vt;

pub use error::{Context, Result, SysError};
pub use readiness::Readiness;

/// Takes a descriptor that this program was started with; programs that it starts do not get it. To be called before
/// anything else opens descriptors, and once for each number.
///
/// # Errors
/// It is not open.
pub(crate) fn inherited(number: i32) -> std::io::Result<std::os::fd::OwnedFd> {
    raw::inherited(number)
}
