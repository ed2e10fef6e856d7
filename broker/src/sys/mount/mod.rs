//! The runtime directories: `/run/user/UID` as a tmpfs of the user's own, attached whole and configured, or as a plain
//! directory where mounting is not permitted (contract/user-lifecycle.md section 5).
//!
//! Nothing here follows a link, stacks one mount on another, or deletes as root what a user has put there.

mod contents;
mod look;
mod plain;
mod resize;
mod sharing;
mod tmpfs;
mod watch;

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Mode};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use usher_model::RuntimeForm;
use usher_model::record::{AtPath, RuntimeDir, RuntimeKind};
use usher_protocol::ids::Uid;

pub use contents::{REMOVE_CONTENTS_ARGUMENT, remove_contents};
pub use look::{Mounted, at_path, inspect, users};
pub use plain::check_mounting;
pub use resize::resize;
pub use sharing::share_parent;
pub use watch::TableWatch;

use look::{PATH_ONLY, inspect_in};

use super::{Context, Result, SysError};
use crate::crash;

/// The parent of all runtime directories.
const PARENT: &str = "/run/user";

/// Marks the root of a tmpfs as made by usher, so that a broker that was killed before it could write that down does
/// not take its own mount for somebody else's. Only the superuser sees attributes of this kind.
const MARK: &str = "trusted.usher.runtime-directory";

/// Why there is no runtime directory, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A link, a file, or something else.
    #[error("{path} is {what}, not a directory; remove it: nothing but usher should put anything there")]
    NotADirectory {
        /// The runtime directory's path.
        path: String,
        /// What was found.
        what: &'static str,
    },
    /// Somebody has mounted something there that is not fit for the user.
    #[error(
        "{path} is a mount point that usher did not make: {what}, where it should be the user's own with mode 0700; unmount \
         it (umount {path}) or stop whatever mounts it, and log in again"
    )]
    ForeignMount {
        /// The runtime directory's path.
        path: String,
        /// What it is instead.
        what: String,
    },
    /// Something is mounted on a plain directory, which therefore cannot be removed.
    #[error(
        "{path} stays: {fs_type} is mounted on it; unmount that (umount {path}) and remove the directory"
    )]
    Covered {
        /// The runtime directory's path.
        path: String,
        /// The type of what is mounted.
        fs_type: String,
    },
    /// Mounting is not permitted, and nothing else will do.
    #[error(
        "{0}; RuntimeDirectory=tmpfs permits no plain directory instead: give usherd CAP_SYS_ADMIN, or set it to auto"
    )]
    NoTmpfs(#[source] SysError),
    /// Mounting is not permitted, and the directory that is there instead cannot be given to the user.
    #[error(
        "{path} exists, owned by uid {owner}, and is not empty, and mounting over it is not permitted here; move its \
         contents away and log in again"
    )]
    Occupied {
        /// The runtime directory's path.
        path: String,
        /// Who owns it.
        owner: u32,
    },
    /// A system call failed.
    #[error(transparent)]
    System(#[from] SysError),
}

/// The runtime directory that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whose.
    pub uid: Uid,
    /// Its group.
    pub gid: u32,
    /// As what it is made.
    pub form: RuntimeForm,
    /// The size of a tmpfs.
    pub bytes: u64,
    /// The number of its files.
    pub inodes: u64,
}

/// What is left after removing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Nothing.
    Gone,
    /// Somebody else's mount.
    LeftAlone,
    /// A directory with contents, which only the user may delete: [`remove_as_user`].
    NeedsUserCleanup,
}

/// Makes the user's runtime directory. To do it twice is fine: one's own is found again, by its mark, or as the one that
/// is `known`.
///
/// # Errors
/// Nothing was changed then; the message says what was found and what to do.
pub fn create(wanted: &Wanted, known: Option<RuntimeDir>) -> Result<RuntimeDir, Problem> {
    let uid = wanted.uid;
    let parent = open_parent()?;
    if let Some(mounted) = inspect_in(&parent, uid)? {
        return match known {
            Some(known) if known.mount == Some(mounted.mount_id) => Ok(known),
            _ => adopt(uid, &mounted),
        };
    }
    if wanted.form == RuntimeForm::Directory {
        return plain::plain(&parent, wanted, false);
    }
    // The file system first: if it cannot be had, no directory has to be taken away again.
    match tmpfs::prepare(wanted) {
        Ok(tree) => {
            crash::point(crash::TMPFS_MADE);
            tmpfs::attach(&parent, wanted, tree)
        }
        Err(error) if plain::is_refusal(&error.source) => plain::instead(&parent, wanted, false, error),
        Err(error) => Err(error.into()),
    }
}

/// What there is at the path of the user's runtime directory, for the restart. `recorded` is what the state file says:
/// the same mount is the same directory.
///
/// # Errors
/// As for [`inspect`].
pub fn present(uid: Uid, recorded: Option<RuntimeDir>) -> Result<Option<RuntimeDir>, Problem> {
    let seen = look::at_path(uid);
    if let (AtPath::Mount(_), Some(recorded)) = (seen, recorded)
        && recorded.is_at(seen)
    {
        return Ok(Some(recorded));
    }
    Ok(match inspect(uid)? {
        Some(mounted) => adopt(uid, &mounted).ok(),
        // Also one that was made just before the broker was killed, and is not on record.
        None if is_plain_of(uid) => Some(PLAIN),
        // Unmounted by somebody, or never made.
        None => None,
    })
}

/// Whether there is a directory of the user's. The parent is root's, so that somebody with root's rights has made it; the
/// mode is the user's to change.
fn is_plain_of(uid: Uid) -> bool {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(uid.runtime_path());
    found.is_ok_and(|it| it.is_dir() && it.uid() == uid.get())
}

/// Removes the user's runtime directory as its kind demands. Not to find it is fine, and so is to find something else in its
/// place, which stays.
///
/// # Errors
/// The kernel's; or something that is no directory.
pub fn remove(uid: Uid, dir: &RuntimeDir) -> Result<Removed, Problem> {
    let path = uid.runtime_path();
    match dir.kind {
        RuntimeKind::Adopted => return Ok(Removed::LeftAlone),
        RuntimeKind::Mount if !take_down(uid, dir)? => {
            tracing::warn!(%uid, "{path} is somebody else's mount now and stays");
            return Ok(Removed::LeftAlone);
        }
        RuntimeKind::Mount | RuntimeKind::Plain => {}
    }
    crash::point(crash::RUNTIME_UNMOUNTED);
    match rustix::fs::unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Removed::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Removed::NeedsUserCleanup),
        Err(error) => match inspect(uid)? {
            Some(Mounted { fs_type, .. }) if error == Errno::BUSY => Err(Problem::Covered { path, fs_type }),
            _ => Err(error).context("remove directory", &path).map_err(Problem::from),
        },
    }
}

/// Removes the bare directory that an usherd may leave which is killed before it has mounted anything there, or after it has
/// unmounted that. Whatever is in it or mounted on it stays, and so does what is no directory: it is somebody else's.
///
/// # Errors
/// The kernel's.
pub fn remove_bare(uid: Uid) -> Result<(), Problem> {
    let path = uid.runtime_path();
    match rustix::fs::unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY | Errno::NOTDIR) => Ok(()),
        Err(error) => Err(error).context("remove directory", &path).map_err(Problem::from),
    }
}

/// Unmounts usher's own mount with whatever was mounted over it. `false` if another one is there instead, which stays.
fn take_down(uid: Uid, dir: &RuntimeDir) -> Result<bool, Problem> {
    /// Others may have mounted on top of ours meanwhile; nobody does so without end.
    const STACK_LIMIT: usize = 16;
    let path = uid.runtime_path();
    for _ in 0..STACK_LIMIT {
        let Some(mounted) = inspect(uid)? else { return Ok(true) };
        let ours = mounted.ours || dir.mount == Some(mounted.mount_id);
        if !ours && !look::covers_a_tmpfs(uid)? {
            return Ok(false);
        }
        // Processes that are still in there keep what they have; nobody finds it any more. No server is asked.
        match rustix::mount::unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            // INVAL: unmounted by somebody else just now.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(error).context("unmount", &path).map_err(Problem::from),
        }
    }
    Ok(true)
}

/// Removes a plain runtime directory with its contents: the contents with the user's own rights, in a child process,
/// the empty directory with root's.
///
/// # Errors
/// Something is left, or the child takes longer than `timeout` and is killed.
pub async fn remove_as_user(uid: Uid, gid: u32, timeout: Duration) -> Result<Removed, Problem> {
    let removed = remove(uid, &PLAIN)?;
    if removed != Removed::NeedsUserCleanup {
        return Ok(removed);
    }
    remove_contents_as_user(uid.runtime_path().as_ref(), uid, gid, timeout).await?;
    crash::point(crash::PLAIN_CONTENTS_REMOVED);
    remove(uid, &PLAIN)
}

/// Deletes what is in a directory, in a child process that has no more than the user's rights.
///
/// # Errors
/// Something is left, or the child takes longer than `timeout` and is killed.
pub async fn remove_contents_as_user(
    path: &std::path::Path,
    uid: Uid,
    gid: u32,
    timeout: Duration,
) -> Result<()> {
    let mut command = tokio::process::Command::new("/proc/self/exe");
    command.arg(REMOVE_CONTENTS_ARGUMENT).arg(path);
    contents::run_as(command, uid, gid, timeout).await.context("remove the contents of", path.display())
}

/// A plain directory has no other name than its path.
const PLAIN: RuntimeDir = RuntimeDir { kind: RuntimeKind::Plain, mount: None };

fn open_parent() -> Result<OwnedFd, Problem> {
    match rustix::fs::mkdirat(CWD, PARENT, Mode::from_raw_mode(0o755)) {
        Ok(()) => {
            // Whatever the umask has made of it.
            rustix::fs::chmodat(CWD, PARENT, Mode::from_raw_mode(0o755), AtFlags::empty())
                .context("chmod", PARENT)?;
        }
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error).context("create directory", PARENT).map_err(Problem::from),
    }
    let parent = rustix::fs::openat(CWD, PARENT, PATH_ONLY, Mode::empty()).context("open", PARENT)?;
    let status = rustix::fs::fstat(&parent).context("examine", PARENT)?;
    if status.st_uid != 0 || status.st_mode & 0o022 != 0 {
        let reason = "others than root may write to it; chown it to root and chmod it to 0755";
        return Err(SysError::other("use", PARENT, reason).into());
    }
    Ok(parent)
}

/// What to do with a mount that is there before us: use it or refuse it, never hide it under another one.
fn adopt(uid: Uid, mounted: &Mounted) -> Result<RuntimeDir, Problem> {
    let found = |kind| Ok(RuntimeDir { kind, mount: Some(mounted.mount_id) });
    let fs_type = &mounted.fs_type;
    let what = match mounted.owner {
        _ if mounted.read_only => format!("{fs_type}, read-only"),
        // It answers only as long as its server does, and whoever asks waits.
        _ if fs_type.starts_with("fuse") => format!("{fs_type}, a file system that a process serves"),
        None => fs_type.clone(),
        // The owner may have changed his own directory's mode; that makes it nobody else's.
        Some((owner, _)) if owner == uid.get() && mounted.ours => return found(RuntimeKind::Mount),
        Some((owner, 0o700)) if owner == uid.get() => return found(RuntimeKind::Adopted),
        Some((owner, mode)) => format!("{fs_type}, owned by uid {owner}, mode {mode:04o}"),
    };
    Err(Problem::ForeignMount { path: uid.runtime_path(), what })
}

/// Whether it was not there before.
fn make_directory(parent: &OwnedFd, uid: Uid) -> Result<bool, Problem> {
    match rustix::fs::mkdirat(parent, uid.to_string(), Mode::from_raw_mode(0o700)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error).context("create directory", uid.runtime_path()).map_err(Problem::from),
    }
}
