//! The two calls that the type system cannot vouch for. The only file with unsafe code.

#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{ForkResult, fork as fork_process};

/// fork(2).
pub(crate) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: fork(2) is dangerous where other threads hold locks. This program never starts a thread, and the PAM
    // modules' contract (pam(3)) is to leave none behind.
    unsafe { fork_process() }
}

/// Every signal's default disposition, and none blocked: what exec(2) would otherwise pass on from usherd.
pub(crate) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: signal(2) with SIG_DFL installs no handler. It fails, harmlessly, for SIGKILL, SIGSTOP and the two
        // that the C library keeps for itself.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // Cannot fail: the arguments are constants.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
