//! The FIFOs that hold sessions open whose PAM module expects one, pam_systemd before version 258 (contract/dbus.md section
//! 4): the session is closing as soon as nobody has its FIFO open for writing.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use usher_protocol::ids::SessionId;

use crate::sys::exit_watch::ExitWatch;
use crate::sys::{Context, Readiness, Result, SysError};

/// Where a session's FIFO is.
pub(crate) fn path_of(session: &SessionId) -> PathBuf {
    format!("/run/systemd/sessions/{session}.ref").into()
}

/// Opens a session's FIFO as whoever opened the session gets it.
///
/// # Errors
/// There is none, or nobody reads it.
pub(crate) fn open_for_writing(session: &SessionId) -> Result<OwnedFd> {
    open(session, OFlags::WRONLY)
}

fn open(session: &SessionId, access: OFlags) -> Result<OwnedFd> {
    let path = path_of(session);
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    rustix::fs::open(&path, flags, Mode::empty()).context("open", path.display())
}

/// The FIFOs whose reading ends usherd has.
pub(crate) struct Fifos {
    watch: ExitWatch<SessionId>,
    some_closed: Readiness,
}

impl Fifos {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let watch = ExitWatch::new()?;
        let some_closed = Readiness::of(&watch)?;
        Ok(Self { watch, some_closed })
    }

    /// Makes a session's FIFO, or takes the one that an earlier usherd has made. One that nobody has open for writing any more
    /// is reported by the next [`Self::closed`].
    pub(crate) fn open(&mut self, session: &SessionId) -> Result<()> {
        let path = path_of(session);
        let old = match rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::from_raw_mode(0o600)) {
            Ok(()) => false,
            Err(rustix::io::Errno::EXIST) => true,
            Err(error) => return Err(error).context("make FIFO", path.display()),
        };
        let reader = open(session, OFlags::RDONLY)?;
        self.watch.add_fifo(reader, session.clone())?;
        if old {
            // The kernel tells of a hang-up only those who were there when the last writer went.
            drop(File::from(open_for_writing(session)?));
        }
        Ok(())
    }

    /// Removes a session's FIFO.
    pub(crate) fn remove(&mut self, session: &SessionId) -> Result<()> {
        self.watch.remove(session);
        let path = path_of(session);
        match rustix::fs::unlink(&path).context("remove", path.display()) {
            Err(error) if !SysError::is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits until at least one FIFO has lost its last writer, and says whose. Nothing is lost if the wait is given up.
    pub(crate) async fn closed(&mut self) -> std::io::Result<Vec<SessionId>> {
        self.some_closed.wait().await?;
        self.watch.drain().map_err(std::io::Error::other)
    }
}
