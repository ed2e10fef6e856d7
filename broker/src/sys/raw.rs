//! The calls for which there is no safe one. Each does one thing, and says why it is sound.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A signal by its number: 1 to 64 without those that the C library keeps for itself.
pub(super) fn signal(number: i32) -> Option<Signal> {
    if let Some(named) = Signal::from_named_raw(number) {
        return Some(named);
    }
    if (34..=64).contains(&number) {
        // SAFETY: from_raw_unchecked wants a signal number that exists and that the C library does not use itself:
        // glibc and musl take 32 to 34 at most for their own threads (musl's 34 is SIGSYNCCALL), and rustix's
        // concern is handlers and masks of this process, while this value is only ever sent to another.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    None
}

/// Makes a descriptor known to the runtime, for as long as the result lives.
pub(super) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: register_with_interest wants a descriptor that stays open and the same for as long as the AsyncFd has it:
    // an OwnedFd is open until it is dropped, and nobody but the AsyncFd has this one.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// The kinds of SysV IPC objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SysvKind {
    SharedMemory,
    Semaphores,
    MessageQueue,
}

impl SysvKind {
    /// What removing one is called in a message.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::SharedMemory => "remove SysV shared memory",
            Self::Semaphores => "remove SysV semaphores",
            Self::MessageQueue => "remove SysV message queue",
        }
    }
}

/// Removes a SysV IPC object by its number. Gone is gone, whether now or before.
pub(super) fn remove_sysv(kind: SysvKind, id: i32) -> io::Result<()> {
    use std::ptr::null_mut;
    // SAFETY: IPC_RMID reads no memory of ours: shmctl(2), semctl(2) and msgctl(2) ignore the buffer then, and a
    // number that stands for no object is an error of theirs.
    let outcome = unsafe {
        match kind {
            SysvKind::SharedMemory => libc::shmctl(id, libc::IPC_RMID, null_mut()),
            SysvKind::Semaphores => libc::semctl(id, 0, libc::IPC_RMID),
            SysvKind::MessageQueue => libc::msgctl(id, libc::IPC_RMID, null_mut()),
        }
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        _ if outcome != -1 => Ok(()),
        Some(libc::EINVAL | libc::EIDRM) => Ok(()),
        _ => Err(error),
    }
}
