//! Walking a cgroup's subtree. Part of it may belong to a user, who can nest directories as deep as he likes: the walk
//! needs one descriptor and no recursion whatever the depth, never follows a link, and gives up after so many steps.

use std::ffi::{CStr, CString};
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use usher_model::Reaped;

use super::super::{Context, Result, SysError};

/// More cgroups than any user has, and few enough to be through with in a second or two.
const STEP_LIMIT: usize = 200_000;

/// Every process in the cgroup at `top` and below it. A cgroup that is not there has none.
pub(super) fn processes(top: &Path) -> Result<Vec<u32>> {
    match some_processes(top, STEP_LIMIT)? {
        (pids, true) => Ok(pids),
        (_, false) => Err(too_many(top)),
    }
}

/// The same, but no more is looked at than that takes in so many steps (to enter or leave a cgroup is one); and whether
/// these are all.
pub(super) fn some_processes(top: &Path, steps: usize) -> Result<(Vec<u32>, bool)> {
    let mut pids = Vec::new();
    let enter = |directory: BorrowedFd<'_>| match read_at(directory, c"cgroup.procs") {
        Ok(text) => {
            pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|&pid| pid > 0));
            Ok(())
        }
        // NODEV: removed meanwhile. OPNOTSUPP: a threaded cgroup, whose processes its domain lists.
        Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error),
    };
    let complete = walk(top, steps, enter, |_, _| Ok(()))?;
    Ok((pids, complete))
}

/// Removes the cgroup at `top` with everything below it, the innermost first. Where there are processes it stays.
pub(super) fn remove(top: &Path) -> Result<Reaped> {
    // Nearly always there is nothing below.
    match fs::remove_dir(top) {
        Ok(()) => return Ok(Reaped::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Reaped::Gone),
        Err(error) if !is_busy(&error) => return Err(error).context("remove cgroup", top.display()),
        Err(_) => {}
    }
    let leave = |parent: BorrowedFd<'_>, name: &CStr| {
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            // Busy: so will be everything above, which the last attempt reports.
            Ok(()) | Err(Errno::NOENT | Errno::BUSY | Errno::NOTEMPTY) => Ok(()),
            Err(error) => Err(error),
        }
    };
    if !walk(top, STEP_LIMIT, |_| Ok(()), leave)? {
        return Err(too_many(top));
    }
    match fs::remove_dir(top) {
        Ok(()) => Ok(Reaped::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Reaped::Gone),
        Err(error) if is_busy(&error) => Ok(Reaped::Busy),
        Err(error) => Err(error).context("remove cgroup", top.display()),
    }
}

fn is_busy(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::BUSY | Errno::NOTEMPTY))
}

fn too_many(top: &Path) -> SysError {
    SysError::other("walk cgroup", top.display(), "there are too many cgroups below it")
}

/// Enters `top` and every directory below it, and leaves every one but `top` after what is below it. `false` if that
/// would have taken more than so many steps and was given up.
fn walk(
    top: &Path,
    limit: usize,
    mut enter: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<()>,
    mut leave: impl FnMut(BorrowedFd<'_>, &CStr) -> rustix::io::Result<()>,
) -> Result<bool> {
    let explain = |outcome: rustix::io::Result<()>| outcome.context("walk cgroup", top.display());
    let mut here = match open_directory(CWD, top) {
        Err(Errno::NOENT) => return Ok(true),
        opened => opened.context("open cgroup", top.display())?,
    };
    explain(enter(here.as_fd()))?;
    let mut stack = vec![(CString::default(), subdirectories(here.as_fd(), top)?)];
    let mut steps = 0;
    while let Some((_, children)) = stack.last_mut() {
        steps += 1;
        if steps > limit {
            return Ok(false);
        }
        if let Some(child) = children.pop() {
            here = match open_directory(here.as_fd(), child.as_c_str()) {
                Err(Errno::NOENT | Errno::NODEV) => continue,
                opened => opened.context("open cgroup below", top.display())?,
            };
            explain(enter(here.as_fd()))?;
            stack.push((child, subdirectories(here.as_fd(), top)?));
        } else if let Some((name, _)) = stack.pop()
            && !stack.is_empty()
        {
            here = open_directory(here.as_fd(), c"..").context("open cgroup below", top.display())?;
            explain(leave(here.as_fd(), &name))?;
        }
    }
    Ok(true)
}

fn open_directory(at: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

fn subdirectories(directory: BorrowedFd<'_>, top: &Path) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory).context("list cgroup below", top.display())? {
        let entry = match entry {
            Err(Errno::NOENT | Errno::NODEV) => break,
            entry => entry.context("list cgroup below", top.display())?,
        };
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn read_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let mut text = String::new();
    let read = fs::File::from(file).read_to_string(&mut text);
    read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(text)
}
