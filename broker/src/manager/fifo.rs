//! How a manager says that it is ready that does not speak sd_notify(3): a line in a FIFO, which is the manager's
//! descriptor 3 (user-manager/src/readiness.rs). Only who has inherited that can write to it: the FIFO is root's. Reading
//! is bounded, and after the one line the FIFO goes.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};
use usher_protocol::ids::Uid;

use super::notify::DIRECTORY;
use crate::sys;

/// More than this a manager has no reason to write before the line is at its end.
const MAX_BYTES: usize = 64 << 10;

/// A manager's FIFO.
#[derive(Debug)]
pub(super) struct Fifo {
    reader: OwnedFd,
    some_came: sys::Readiness,
    path: PathBuf,
}

/// Where a user's is.
pub(super) fn path(uid: Uid) -> PathBuf {
    PathBuf::from(DIRECTORY).join(format!("{uid}.fifo"))
}

impl Fifo {
    /// Makes it, in place of one that an earlier run has left.
    pub(super) fn make(uid: Uid) -> io::Result<Self> {
        std::fs::create_dir_all(DIRECTORY)?;
        let path = path(uid);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        mkfifoat(CWD, &path, Mode::from_raw_mode(0o600))?;
        Self::at(path)
    }

    /// The one of a manager that an earlier usherd has started. What that one was told and has not read is still in it,
    /// as long as the manager, or its PAM session's keeper, has it open.
    pub(super) fn find(uid: Uid) -> io::Result<Self> {
        Self::at(path(uid))
    }

    fn at(path: PathBuf) -> io::Result<Self> {
        let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let some_came = sys::Readiness::of(&reader)?;
        Ok(Self { reader, some_came, path })
    }

    /// Waits for the end of a line. dinit ends its line with NUL. Never returns if too much comes before.
    pub(super) async fn ready(&self) {
        let mut taken = 0;
        let mut woken = false;
        while taken < MAX_BYTES {
            let mut buffer = [0_u8; 4096];
            match rustix::io::read(&self.reader, &mut buffer) {
                Ok(length @ 1..) => {
                    let came = buffer.get(..length).unwrap_or_default();
                    if came.iter().any(|byte| matches!(byte, b'\n' | 0)) {
                        return;
                    }
                    taken += length;
                    // Others have their turn first.
                    tokio::task::yield_now().await;
                }
                // Whoever had it open has closed it, and nobody can open it any more.
                Ok(_) if woken => break,
                // The launcher has not opened it yet, or nothing has come.
                Ok(_) | Err(rustix::io::Errno::AGAIN) => {
                    if self.some_came.wait().await.is_err() {
                        break;
                    }
                    woken = true;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        std::future::pending().await
    }
}

impl Fifo {
    /// Removes it. Not when it is dropped: an usherd that is stopped leaves it to the next one.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
