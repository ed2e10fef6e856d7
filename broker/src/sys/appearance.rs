//! Waiting for a file to appear, without looking again and again: inotify(7) on its directory, or on the nearest one that is
//! there.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::{Context, Readiness, Result, SysError};

/// A watch on the way to a path.
#[derive(Debug)]
pub struct Appearance {
    changes: OwnedFd,
    some: Readiness,
}

impl Appearance {
    /// Watches for anything that comes to be or goes on the way to `path`, from now on. To be called inside a tokio
    /// runtime; look at the path afterwards, then wait.
    ///
    /// # Errors
    /// Out of descriptors or inotify watches.
    pub fn of(path: &Path) -> Result<Self> {
        let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .context("create", "inotify instance")?;
        let what = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for directory in path.ancestors().skip(1) {
            match inotify::add_watch(&changes, directory, what).context("watch", directory.display()) {
                Ok(_) => break,
                Err(error) if SysError::is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let some = Readiness::of(&changes).context("watch", PathBuf::from(path).display())?;
        Ok(Self { changes, some })
    }

    /// Waits until something has changed there.
    ///
    /// # Errors
    /// The runtime is being shut down.
    pub async fn wait(&self) -> std::io::Result<()> {
        self.some.wait().await?;
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.changes, &mut buffer);
        while events.next().is_ok() {}
        Ok(())
    }
}
