//! fork(2) and _exit(2), which the type system cannot vouch for. The only file with unsafe code.

#![allow(unsafe_code)]

use anyhow::{Context, Result};
use nix::unistd::{ForkResult, Pid, fork};

/// Runs `life` in a child process, which ends with it.
pub(crate) fn child(life: impl FnOnce()) -> Result<Pid> {
    // SAFETY: fork(2) is dangerous where other threads hold locks. This program never starts a thread, and the PAM
    // modules' contract (pam(3)) is to leave none behind.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            life();
            exit()
        }
    }
}

/// Ends the process without any clean-up.
pub(crate) fn exit() -> ! {
    // SAFETY: _exit(2) may be called by anyone. exit(3) would run the parent's clean-up a second time.
    unsafe { nix::libc::_exit(0) }
}
