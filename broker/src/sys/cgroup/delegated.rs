//! A cgroup below that of a user's manager, where the user may move and remove directories at any time.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use usher_protocol::ids::{LeaderPid, Uid};

use super::super::{Context, Result, pidfd};
use super::{CgroupRoot, cgroup_of};

/// A cgroup of a user's manager, or below it; the one that was opened, whatever has come to its place.
#[derive(Debug)]
pub struct Delegated {
    directory: OwnedFd,
    path: PathBuf,
}

impl CgroupRoot {
    /// Opens the cgroup of the user's manager, or the one with that path in it. Nothing leads out of that: no `..`, link or
    /// mount.
    ///
    /// # Errors
    /// [`super::SysError::is_gone`]: there is none; or the kernel's.
    pub fn below_manager(&self, uid: Uid, path: &str) -> Result<Delegated> {
        let unit = self.manager_path(uid);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(CWD, &unit, flags | OFlags::NOFOLLOW, Mode::empty());
        let top = top.context("open cgroup", unit.display())?;
        let inner = path.trim_start_matches('/');
        let (inner, path) = if inner.is_empty() { (".", unit.clone()) } else { (inner, unit.join(inner)) };
        let beneath = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let directory = rustix::fs::openat2(&top, inner, flags, Mode::empty(), beneath);
        Ok(Delegated { directory: directory.context("open cgroup", path.display())?, path })
    }

    /// After a process was moved to `there` that may have ended meanwhile: puts whoever has its number now, and is there, back
    /// to where its parent is, which is where a process comes from. Gives whether somebody has its number.
    ///
    /// # Errors
    /// The kernel's.
    pub fn put_back_others(&self, process: LeaderPid, there: &Path) -> Result<bool> {
        // One that has ended after it was moved is nobody else.
        let other = pidfd::leader_of(process.pid).is_ok_and(|moved| moved != process);
        if other && cgroup_of(process.pid) == self.name_of(there) {
            let parent = pidfd::parents(process.pid).next();
            let origin = parent.and_then(|parent| cgroup_of(parent.pid));
            self.move_pid(process.pid, origin.as_deref().unwrap_or("/"))?;
        }
        Ok(other)
    }
}

impl Delegated {
    /// Where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the process with that number there.
    ///
    /// # Errors
    /// [`super::SysError::is_gone`]: there is no such process, or the cgroup is gone; or the kernel's.
    pub fn take(&self, pid: u32) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(self.directory.as_fd(), c"cgroup.procs", flags, Mode::empty());
        let file = file.context("open cgroup.procs of", self.path.display())?;
        let text = pid.to_string();
        match rustix::io::write(file, text.as_bytes()) {
            Ok(count) if count == text.len() => Ok(()),
            Ok(_) => Err(Errno::IO),
            Err(error) => Err(error),
        }
        .context("move a process to cgroup", self.path.display())
    }
}
