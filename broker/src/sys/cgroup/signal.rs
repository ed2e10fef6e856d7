//! Signals for all that are in a cgroup.

use std::path::Path;

use super::super::{Result, SysError, pidfd};
use super::{CgroupRoot, cgroup_of, path, populated, tree, write};

impl CgroupRoot {
    /// Sends a signal to every process in a cgroup and below it, as far as it is still there when its turn comes.
    /// Returns how many got it.
    ///
    /// # Errors
    /// The kernel's, of the first process that could not be signalled; the others are signalled all the same.
    pub fn signal_all(&self, directory: &Path, signal: i32) -> Result<usize> {
        let name = self.name_of(directory);
        let name =
            name.ok_or_else(|| SysError::other("signal", directory.display(), "it is not in the tree"))?;
        let mut reached = 0;
        let mut failed = None;
        for pid in tree::processes(directory)? {
            match signal_inside(pid, &name, signal) {
                Ok(true) => reached += 1,
                Ok(false) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(reached), Err)
    }

    /// Kills every process in a cgroup and below it. They may take a moment to be gone.
    ///
    /// # Errors
    /// The kernel's; or, on a kernel before 5.14, processes that multiply faster than they can be killed.
    pub fn kill_all(&self, directory: &Path) -> Result<()> {
        match write(&directory.join("cgroup.kill"), "1") {
            Err(error) if error.is_gone() => self.kill_one_by_one(directory),
            outcome => outcome,
        }
    }

    fn kill_one_by_one(&self, directory: &Path) -> Result<()> {
        const SIGKILL: i32 = 9;
        for _ in 0..100 {
            if self.signal_all(directory, SIGKILL)? == 0 || !populated(directory)? {
                return Ok(());
            }
        }
        Err(SysError::other("kill all processes of", directory.display(), "new ones keep appearing"))
    }
}

/// Signals a process if it is (still) in the cgroup. `false` if it is gone or elsewhere.
fn signal_inside(pid: u32, cgroup: &str, signal: i32) -> Result<bool> {
    let sent = pidfd::open(pid).and_then(|fd| {
        // The number may have been given to somebody else since it was read; the descriptor stays with its process.
        let inside = cgroup_of(pid).is_some_and(|now| path::is_below(&now, cgroup));
        if inside { pidfd::signal(&fd, signal).map(|()| true) } else { Ok(false) }
    });
    match sent {
        Err(error) if error.is_gone() => Ok(false),
        sent => sent,
    }
}
