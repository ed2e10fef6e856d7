//! Starting a program in a cgroup: the process is born there (CLONE_INTO_CGROUP). To move one that runs already, the kernel
//! first waits for an RCU grace period, some ten milliseconds on a machine where nothing was moved of late.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::OFlags;

use super::raw;

/// Whether a child has become the program that it was started for.
#[derive(Debug)]
pub struct Execution(PipeReader);

impl Execution {
    /// Waits until it has, or could not: then why. Of a child that has ended it is known at once.
    pub fn failure(mut self) -> Option<io::Error> {
        let mut errno = [0; size_of::<i32>()];
        // Ends without a word when execve has closed the other end.
        self.0.read_exact(&mut errno).ok()?;
        Some(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
    }
}

/// Starts a program in a cgroup, with an empty environment, that standard input, and that standard output and error; the
/// calling process's where none is given. Of the command, the program (a path) and its arguments are used. Returns the process's number
/// and a pidfd; it is a child of the calling process. It is not waited for until it has become the program, which on a busy
/// machine takes a while.
///
/// # Errors
/// The kernel's of clone3(2), if it does not know CLONE_INTO_CGROUP (Linux 5.7) or does not permit it.
pub fn spawn_in_cgroup(
    command: &Command,
    cgroup: &Path,
    stdin: BorrowedFd<'_>,
    output: Option<BorrowedFd<'_>>,
) -> io::Result<(u32, OwnedFd, Execution)> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let directory = (OFlags::PATH | OFlags::DIRECTORY).bits().cast_signed();
    let cgroup = File::options().read(true).custom_flags(directory).open(cgroup)?;
    let (reader, writer) = io::pipe()?;
    let (pid, pidfd) = raw::clone_and_exec(&words, cgroup.as_fd(), stdin, output, writer.as_fd())?;
    Ok((pid, pidfd, Execution(reader)))
}
