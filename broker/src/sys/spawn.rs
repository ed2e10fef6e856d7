//! Starting a program in a cgroup: the process is born there (CLONE_INTO_CGROUP). To move one that runs already, the kernel
//! first waits for an RCU grace period, some ten milliseconds on a machine where nothing was moved of late.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::OFlags;

use super::raw;

/// Starts a program in a cgroup, with an empty environment, that standard input, and that standard output and error; the
/// calling process's where none is given. Of the command, the program (a path) and its arguments are used. Returns the process's number
/// and a pidfd; it is a child of the calling process.
///
/// # Errors
/// The kernel's of clone3(2), if it does not know CLONE_INTO_CGROUP (Linux 5.7) or does not permit it; or of execve(2).
pub fn spawn_in_cgroup(
    command: &Command,
    cgroup: &Path,
    stdin: BorrowedFd<'_>,
    output: Option<BorrowedFd<'_>>,
) -> io::Result<(u32, OwnedFd)> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let directory = (OFlags::PATH | OFlags::DIRECTORY).bits().cast_signed();
    let cgroup = File::options().read(true).custom_flags(directory).open(cgroup)?;
    let (mut reader, writer) = io::pipe()?;
    let (pid, pidfd) = raw::clone_and_exec(&words, cgroup.as_fd(), stdin, output, writer.as_fd())?;
    drop(writer);
    // Ends without a word when execve has closed the other end.
    let mut errno = [0; size_of::<i32>()];
    match reader.read_exact(&mut errno) {
        Ok(()) => {
            let _ = rustix::process::waitid(
                rustix::process::WaitId::PidFd(pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            );
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
        }
        Err(_) => Ok((pid, pidfd)),
    }
}
