//! Waiting, in a task, for a descriptor that somebody else owns and reads.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::raw;

/// A duplicate of a descriptor, known to the runtime.
#[derive(Debug)]
pub struct Readiness {
    fd: AsyncFd<OwnedFd>,
    interest: Interest,
}

impl Readiness {
    /// Waits for data. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// Out of descriptors, or one that cannot be waited for.
    pub fn of(fd: impl AsFd) -> io::Result<Self> {
        Self::with_interest(fd, Interest::READABLE)
    }

    /// Waits for a change of a sysfs file (EPOLLPRI). To be called inside a tokio runtime.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub fn of_priority(fd: impl AsFd) -> io::Result<Self> {
        Self::with_interest(fd, Interest::PRIORITY)
    }

    fn with_interest(fd: impl AsFd, interest: Interest) -> io::Result<Self> {
        let fd = fd.as_fd().try_clone_to_owned()?;
        Ok(Self { fd: raw::register(fd, interest)?, interest })
    }

    /// Returns when there is something, or may be. Everything has to be read before the next call, which waits for
    /// something new.
    ///
    /// # Errors
    /// The runtime is being shut down.
    pub async fn wait(&self) -> io::Result<()> {
        self.fd.ready(self.interest).await?.clear_ready();
        Ok(())
    }
}
