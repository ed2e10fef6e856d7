//! What the type system cannot vouch for. The only file with unsafe code.

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

/// Replaces the command line that ps(1) shows. The old one is not to be read afterwards: `std::env::args` would find the
/// new text there.
pub(crate) fn set_command_line(name: &[u8]) {
    let Some((start, length)) = std::fs::read_to_string("/proc/self/stat").ok().and_then(|s| arguments(&s))
    else {
        return;
    };
    let shown = name.len().min(length.saturating_sub(1));
    let start = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: proc(5): from arg_start to arg_end lie this process's own argument strings, which execve(2) has put on the
    // stack, writable, for as long as the process lives. Nobody else reads or writes them: this program has one thread,
    // and has copied its arguments before.
    unsafe {
        std::ptr::write_bytes(start, 0, length);
        std::ptr::copy_nonoverlapping(name.as_ptr(), start, shown);
    }
}

/// Where the arguments are, and how long: fields 48 and 49 of /proc/PID/stat.
fn arguments(stat: &str) -> Option<(usize, usize)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(45);
    let start: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    (start != 0).then_some((start, end.checked_sub(start)?))
}
