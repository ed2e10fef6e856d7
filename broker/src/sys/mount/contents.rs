//! Deleting what a user has left in a plain runtime directory: by a process that has no more rights than the user.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use usher_protocol::ids::Uid;

use super::super::{Context, Result};
use super::look::by_number;

/// usherd with this argument and a path calls [`remove_contents`] and does nothing else.
pub const REMOVE_CONTENTS_ARGUMENT: &str = "--internal-remove-contents";

/// Deletes everything in a directory, but not the directory. To be run as the user whose directory it is: never follows
/// a link, and stays on one file system.
///
/// Directories are not descended into: what is in one is deleted, the directories in it are moved up to the top and have
/// their turn there. So a tree of any depth costs two descriptors and no stack.
///
/// # Errors
/// The first thing that could not be deleted; whatever could be is gone.
pub fn remove_contents(path: &Path) -> Result<()> {
    // Nothing of the user's is to get hold of this process, which is not in the user's cgroup.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let top = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).context("open", path.display())?;
    let device = rustix::fs::fstat(&top).context("examine", path.display())?.st_dev;
    let mut level = Level { top: top.as_fd(), device, lifted: 0 };
    let mut stuck = HashMap::new();
    loop {
        let mut names = names(top.as_fd()).context("list", path.display())?;
        names.retain(|name| !stuck.contains_key(name));
        if names.is_empty() {
            break;
        }
        for name in names {
            if let Err(error) = level.remove(&name) {
                stuck.insert(name, error);
            }
        }
    }
    match stuck.into_iter().next() {
        None => Ok(()),
        Some((name, error)) => {
            Err(error).context("remove", format_args!("{name:?} below {}", path.display()))
        }
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The one directory that is emptied.
struct Level<'fd> {
    top: BorrowedFd<'fd>,
    device: u64,
    /// How many directories were moved up; makes their new names differ.
    lifted: u64,
}

impl Level<'_> {
    /// Removes a file; of a directory, everything but the directories in it, which are moved up.
    fn remove(&mut self, name: &CStr) -> Result<(), Errno> {
        match unlink(self.top, name) {
            Ok(Unlinked::Gone) => return Ok(()),
            Ok(Unlinked::Directory) => {}
            Err(error) => return Err(error),
        }
        let Some(directory) = self.open(self.top, name)? else { return Ok(()) };
        let mut failed = None;
        for inner in names(directory.as_fd())? {
            let outcome = match unlink(directory.as_fd(), &inner) {
                Ok(Unlinked::Directory) => self.lift(directory.as_fd(), &inner),
                outcome => outcome.map(drop),
            };
            failed = failed.or(outcome.err());
        }
        match (failed, rustix::fs::unlinkat(self.top, name, AtFlags::REMOVEDIR)) {
            (_, Ok(()) | Err(Errno::NOENT)) => Ok(()),
            (Some(error), Err(_)) => Err(error),
            // Somebody is still busy in there: it has another turn.
            (None, Err(Errno::NOTEMPTY | Errno::EXIST)) => Ok(()),
            (None, Err(error)) => Err(error),
        }
    }

    /// Moves a directory up to the top.
    fn lift(&mut self, from: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        // To be opened for once: one that its owner may not write to cannot be moved.
        if self.open(from, name)?.is_none() {
            return Ok(());
        }
        loop {
            let free = format!("usherd-removes-{}", self.lifted);
            self.lifted += 1;
            match rustix::fs::renameat_with(from, name, self.top, free, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens a directory of this file system; `None` if it has gone meanwhile.
    fn open(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Option<OwnedFd>, Errno> {
        match open_child(parent, name, self.device) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

enum Unlinked {
    Gone,
    Directory,
}

fn unlink(directory: BorrowedFd<'_>, name: &CStr) -> Result<Unlinked, Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(Unlinked::Gone),
        // PERM: what POSIX has for a directory; opening it tells.
        Err(Errno::ISDIR | Errno::PERM) => Ok(Unlinked::Directory),
        Err(error) => Err(error),
    }
}

/// Opens a directory, even one that its owner has locked himself out of; nothing that is mounted there, not even to look
/// at it: its server may hang.
fn open_child(directory: BorrowedFd<'_>, name: &CStr, device: u64) -> Result<OwnedFd, Errno> {
    // By way of what is open: by name, a link that the user puts there this moment would be followed.
    let locked = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let child = match rustix::fs::openat2(directory, name, locked, Mode::empty(), ResolveFlags::NO_XDEV) {
        // Before Linux 5.6, or forbidden by a filter of system calls; then the device alone tells.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::openat(directory, name, locked, Mode::empty())?,
        opened => opened?,
    };
    let status = rustix::fs::fstat(&child)?;
    if status.st_dev != device {
        return Err(Errno::XDEV);
    }
    // A directory that can be read may still be one that cannot be written to.
    if status.st_mode & 0o700 != 0o700 {
        rustix::fs::chmodat(CWD, by_number(&child), Mode::from_raw_mode(0o700), AtFlags::empty())?;
    }
    rustix::fs::openat(child, c".", DIRECTORY, Mode::empty())
}

/// Whether there is nothing in the directory.
pub(super) fn is_empty(directory: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(names(directory)?.is_empty())
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let entries = Dir::read_from(directory)?.map(|entry| Ok(entry?.file_name().to_owned()));
    let names: Result<Vec<CString>, Errno> = entries.collect();
    Ok(names?.into_iter().filter(|name| name.as_c_str() != c"." && name.as_c_str() != c"..").collect())
}

/// Runs a command with a user's rights and nobody else's, and no longer than it may take.
pub(super) async fn run_as(
    mut command: tokio::process::Command,
    uid: Uid,
    gid: u32,
    timeout: Duration,
) -> io::Result<()> {
    // Setting a uid as root drops the supplementary groups, too.
    command.uid(uid.get()).gid(gid).env_clear().current_dir("/").kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let ended = tokio::time::timeout(timeout, child.wait()).await;
    let status =
        ended.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it took too long and was killed"))??;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the child process failed: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn everything_goes_but_what_links_point_to() {
        let directory = tempfile::tempdir().unwrap();
        let (top, outside) = (directory.path().join("top"), directory.path().join("outside"));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        fs::write(top.join("a/file"), "x").unwrap();
        symlink(&outside, top.join("link")).unwrap();
        symlink(&outside, top.join("a/b/link")).unwrap();
        fs::set_permissions(top.join("a/b"), fs::Permissions::from_mode(0o000)).unwrap();
        remove_contents(&top).unwrap();
        assert_eq!(fs::read_dir(&top).unwrap().count(), 0);
        assert!(outside.join("precious").exists());
        remove_contents(&top).unwrap();
    }

    #[test]
    fn a_link_is_not_a_directory_to_empty() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("precious"), "x").unwrap();
        let link = directory.path().join("link");
        symlink(directory.path(), &link).unwrap();
        assert!(remove_contents(&link).unwrap_err().to_string().contains("link"));
        assert!(directory.path().join("precious").exists());
    }

    #[test]
    fn depth_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        // By relative steps: the whole path is longer than the kernel takes.
        let mut deep = rustix::fs::open(directory.path(), DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..2000 {
            for name in ["deep", "usherd-removes-0"] {
                rustix::fs::mkdirat(&deep, name, Mode::from_raw_mode(0o700)).unwrap();
            }
            deep = rustix::fs::openat(&deep, "deep", DIRECTORY, Mode::empty()).unwrap();
        }
        remove_contents(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
