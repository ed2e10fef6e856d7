//! What every system call error carries: the operation and what it was done to.

use std::fmt;
use std::io;

/// A failed operation on something the kernel keeps.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {object}: {source}")]
pub struct SysError {
    /// What was tried, as a verb: "mount", "remove cgroup".
    pub operation: &'static str,
    /// On what: a path, a process.
    pub object: String,
    /// What the kernel said.
    pub source: io::Error,
}

impl SysError {
    /// An error that no system call has given.
    pub fn other(operation: &'static str, object: impl fmt::Display, reason: &str) -> Self {
        Self { operation, object: object.to_string(), source: io::Error::other(reason.to_owned()) }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the kernel's answer was that the object, or the process, does not exist (any more).
    pub fn is_gone(&self) -> bool {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(&self.source);
        matches!(errno, Some(Errno::NOENT | Errno::SRCH | Errno::NODEV))
    }
}

/// The result of a system operation.
pub type Result<T, E = SysError> = std::result::Result<T, E>;

/// Adds the operation and its object to a bare error number.
pub trait Context<T> {
    /// Says what was tried, and on what. `object` is only formatted if it went wrong.
    ///
    /// # Errors
    /// The same as before, explained.
    fn context(self, operation: &'static str, object: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, operation: &'static str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|source| SysError { operation, object: object.to_string(), source: source.into() })
    }
}
