//! Deleting what a user has left in a plain runtime directory: by a process that has no more rights than the user.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;
use usher_protocol::ids::Uid;

use super::super::{Context, Result};

/// usherd with this argument and a path calls [`remove_contents`] and does nothing else.
pub const REMOVE_CONTENTS_ARGUMENT: &str = "--internal-remove-contents";

/// No sane directory is as deep as this, and the recursion has to end somewhere.
const DEPTH_LIMIT: usize = 256;

/// Deletes everything in a directory, but not the directory. To be run as the user whose directory it is: never follows
/// a link, and stays on one file system.
///
/// # Errors
/// The first thing that could not be deleted; whatever could be is gone.
pub fn remove_contents(path: &Path) -> Result<()> {
    let top = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).context("open", path.display())?;
    let device = rustix::fs::fstat(&top).context("examine", path.display())?.st_dev;
    let mut failed = None;
    remove_below(top.as_fd(), device, DEPTH_LIMIT, &mut failed);
    match failed {
        None => Ok(()),
        Some((name, error)) => {
            Err(error).context("remove", format_args!("{name:?} below {}", path.display()))
        }
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn remove_below(directory: BorrowedFd<'_>, device: u64, depth: usize, failed: &mut Option<(CString, Errno)>) {
    let mut note = |name: &CStr, outcome: Result<(), Errno>| match outcome {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => drop(failed.get_or_insert_with(|| (name.to_owned(), error))),
    };
    let names = match names(directory) {
        Ok(names) => names,
        Err(error) => return note(c".", Err(error)),
    };
    for name in names {
        match rustix::fs::unlinkat(directory, &name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {}
            outcome => {
                note(&name, outcome);
                continue;
            }
        }
        if depth == 0 {
            note(&name, Err(Errno::NAMETOOLONG));
            continue;
        }
        let opened = open_child(directory, &name).and_then(|child| {
            let same = rustix::fs::fstat(&child)?.st_dev == device;
            if same { Ok(child) } else { Err(Errno::XDEV) }
        });
        match opened {
            Ok(child) => {
                let mut below = None;
                remove_below(child.as_fd(), device, depth - 1, &mut below);
                if let Some((name, error)) = below {
                    note(&name, Err(error));
                }
                note(&name, rustix::fs::unlinkat(directory, &name, AtFlags::REMOVEDIR));
            }
            Err(error) => note(&name, Err(error)),
        }
    }
}

/// Opens a directory, even one that its owner has locked himself out of.
fn open_child(directory: BorrowedFd<'_>, name: &CStr) -> Result<std::os::fd::OwnedFd, Errno> {
    match rustix::fs::openat(directory, name, DIRECTORY, Mode::empty()) {
        Err(Errno::ACCESS) => {}
        opened => {
            // A directory that can be read may still be one that cannot be written to.
            if let Ok(child) = &opened {
                let _ = rustix::fs::fchmod(child, Mode::from_raw_mode(0o700));
            }
            return opened;
        }
    }
    rustix::fs::chmodat(directory, name, Mode::from_raw_mode(0o700), AtFlags::empty())?;
    rustix::fs::openat(directory, name, DIRECTORY, Mode::empty())
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
    fn depth_has_an_end() {
        let directory = tempfile::tempdir().unwrap();
        let mut deep = directory.path().to_owned();
        for _ in 0..DEPTH_LIMIT + 10 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        assert!(remove_contents(directory.path()).is_err());
    }
}
