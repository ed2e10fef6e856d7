//! The runtime directories: `/run/user/UID` as a tmpfs of the user's own, attached whole and configured, or as a plain
//! directory where mounting is not permitted (contract/user-lifecycle.md section 5).
//!
//! Nothing here follows a link, stacks one mount on another, or deletes as root what a user has put there.

mod contents;
mod sharing;
mod watch;

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, StatxFlags, XattrFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    UnmountFlags,
};
use usher_model::record::RuntimeKind;
use usher_protocol::ids::Uid;

pub use contents::{REMOVE_CONTENTS_ARGUMENT, remove_contents};
pub use sharing::share_parent;
pub use watch::TableWatch;

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
        "{path} is a mount point that usher did not make: {fstype}, owned by uid {owner}, mode {mode:04o}, where it should \
         be the user's own with mode 0700; unmount it (umount {path}) or stop whatever mounts it, and log in again"
    )]
    ForeignMount {
        /// The runtime directory's path.
        path: String,
        /// Who owns its root.
        owner: u32,
        /// Its root's permissions.
        mode: u32,
        /// The file system's type.
        fstype: String,
    },
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

/// What is mounted on a runtime directory's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// The kernel's number of the mount.
    pub mount_id: u64,
    /// Who owns its root.
    pub owner: u32,
    /// Its root's permissions.
    pub mode: u32,
    /// Whether it bears usher's mark.
    pub ours: bool,
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

/// Makes the user's runtime directory. To do it twice is fine: one's own is found again.
///
/// # Errors
/// Nothing was changed then; the message says what was found and what to do.
pub fn create(uid: Uid, gid: u32, bytes: u64, inodes: u64) -> Result<RuntimeKind, Problem> {
    let parent = open_parent()?;
    if let Some(mounted) = inspect_in(&parent, uid)? {
        return adopt(uid, &mounted);
    }
    let options = Options { uid, gid, bytes, inodes };
    // The file system first: if it cannot be had, no directory has to be taken away again.
    match prepare(&options) {
        Ok(tree) => attach(&parent, &options, tree),
        Err(error) if is_refusal(&error.source) => plain(&parent, uid, gid, false).inspect_err(|_| {
            tracing::debug!(%error, "mounting refused");
        }),
        Err(error) => Err(error.into()),
    }
}

/// What is mounted on the user's runtime directory, if anything is.
///
/// # Errors
/// There is something else than a directory, or it cannot be examined.
pub fn inspect(uid: Uid) -> Result<Option<Mounted>, Problem> {
    match rustix::fs::openat(CWD, PARENT, PATH_ONLY, Mode::empty()) {
        Ok(parent) => inspect_in(&parent, uid),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).context("open", PARENT).map_err(Problem::from),
    }
}

/// What there is at the path of the user's runtime directory, for the restart: `recorded` is what the state file says,
/// and decides where the kernel cannot tell one's own mount from another's.
///
/// # Errors
/// As for [`inspect`].
pub fn present(uid: Uid, recorded: Option<RuntimeKind>) -> Result<Option<RuntimeKind>, Problem> {
    Ok(match inspect(uid)? {
        Some(mounted) if mounted.ours => Some(RuntimeKind::Mount),
        Some(_) if recorded == Some(RuntimeKind::Mount) => recorded,
        Some(mounted) => adopt(uid, &mounted).ok(),
        // Also one that was made just before the broker was killed, and is not on record.
        None if is_plain_of(uid) => Some(RuntimeKind::Plain),
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

/// Removes the user's runtime directory as its kind demands. Not to find it is fine.
///
/// # Errors
/// The kernel's; or something that is no directory.
pub fn remove(uid: Uid, kind: RuntimeKind) -> Result<Removed, Problem> {
    /// Others may have mounted on top of ours meanwhile; nobody does so without end.
    const STACK_LIMIT: usize = 16;
    let path = uid.runtime_path();
    if kind == RuntimeKind::Adopted {
        return Ok(Removed::LeftAlone);
    }
    for _ in 0..STACK_LIMIT {
        if kind == RuntimeKind::Plain || inspect(uid)?.is_none() {
            break;
        }
        // Processes that are still in there keep what they have; nobody finds it any more.
        match rustix::mount::unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            // INVAL: unmounted by somebody else just now.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(error).context("unmount", &path).map_err(Problem::from),
        }
    }
    crash::point(crash::RUNTIME_UNMOUNTED);
    match rustix::fs::unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Removed::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Removed::NeedsUserCleanup),
        Err(error) => Err(error).context("remove directory", &path).map_err(Problem::from),
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

/// Removes a plain runtime directory with its contents: the contents with the user's own rights, in a child process,
/// the empty directory with root's.
///
/// # Errors
/// Something is left, or the child takes longer than `timeout` and is killed.
pub async fn remove_as_user(uid: Uid, gid: u32, timeout: Duration) -> Result<Removed, Problem> {
    let removed = remove(uid, RuntimeKind::Plain)?;
    if removed != Removed::NeedsUserCleanup {
        return Ok(removed);
    }
    let path = uid.runtime_path();
    let mut command = tokio::process::Command::new("/proc/self/exe");
    command.arg(REMOVE_CONTENTS_ARGUMENT).arg(&path);
    contents::run_as(command, uid, gid, timeout).await.context("remove the contents of", &path)?;
    crash::point(crash::PLAIN_CONTENTS_REMOVED);
    remove(uid, RuntimeKind::Plain)
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

/// For directories that are only passed through, and may not be links.
const PATH_ONLY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What the tmpfs is to be like.
struct Options {
    uid: Uid,
    gid: u32,
    bytes: u64,
    inodes: u64,
}

impl Options {
    fn pairs(&self) -> [(&'static str, String); 5] {
        [
            ("mode", "0700".to_owned()),
            ("uid", self.uid.to_string()),
            ("gid", self.gid.to_string()),
            ("size", self.bytes.to_string()),
            ("nr_inodes", self.inodes.to_string()),
        ]
    }
}

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

/// The directory, whatever is mounted on it; `None` if there is none.
fn open_directory(parent: impl AsFd, uid: Uid) -> Result<Option<OwnedFd>, Problem> {
    let name = uid.to_string();
    let path = || uid.runtime_path();
    match rustix::fs::openat(&parent, &name, PATH_ONLY, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let status =
                rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).context("examine", path())?;
            let link = status.st_mode & 0o170_000 == 0o120_000;
            Err(Problem::NotADirectory {
                path: path(),
                what: if link { "a symbolic link" } else { "a file" },
            })
        }
        Err(error) => Err(error).context("open", path()).map_err(Problem::from),
    }
}

fn inspect_in(parent: &OwnedFd, uid: Uid) -> Result<Option<Mounted>, Problem> {
    let Some(directory) = open_directory(parent, uid)? else { return Ok(None) };
    let mount_id = mount_id(directory.as_fd())?;
    if mount_id == self::mount_id(parent.as_fd())? {
        return Ok(None);
    }
    let status = rustix::fs::fstat(&directory).context("examine", uid.runtime_path())?;
    Ok(Some(Mounted {
        mount_id,
        owner: status.st_uid,
        mode: status.st_mode & 0o7777,
        ours: rustix::fs::getxattr(by_number(&directory), MARK, &mut [0; 8]).is_ok(),
    }))
}

/// What to do with a mount that is there before us: use it or refuse it, never hide it under another one.
fn adopt(uid: Uid, mounted: &Mounted) -> Result<RuntimeKind, Problem> {
    // The owner may have changed his own directory's mode; that makes it nobody else's.
    match (mounted.owner == uid.get(), mounted.ours, mounted.mode) {
        (true, true, _) => Ok(RuntimeKind::Mount),
        (true, false, 0o700) => Ok(RuntimeKind::Adopted),
        (_, _, mode) => {
            let fstype = fstype_of(mounted.mount_id).unwrap_or_else(|| "unknown file system".to_owned());
            Err(Problem::ForeignMount { path: uid.runtime_path(), owner: mounted.owner, mode, fstype })
        }
    }
}

/// A file system that is ready to be attached.
enum Tree {
    /// A mount that is nowhere yet.
    Detached(OwnedFd),
    /// The kernel is older than 5.2: mount(2) configures and attaches at once.
    OldKernel,
}

fn prepare(options: &Options) -> Result<Tree> {
    let context = match rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC) {
        // PERM: also what filters of system calls say that do not know this one, while they let mount(2) pass.
        Err(Errno::NOSYS | Errno::PERM) => return Ok(Tree::OldKernel),
        opened => opened.context("create", "tmpfs")?,
    };
    let configured = configure(&context, options);
    configured.map_err(|error| explain(&context, error)).context("configure", "tmpfs")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mounted = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes);
    let tree = mounted.map_err(|error| explain(&context, error)).context("mount", "tmpfs")?;
    mark(&by_number(&tree));
    crash::point(crash::TMPFS_MADE);
    Ok(Tree::Detached(tree))
}

fn mark(root: &str) {
    if let Err(error) = rustix::fs::setxattr(root, MARK, b"1", XattrFlags::empty()) {
        // In a user namespace, or on a kernel without such attributes: then the state file alone knows.
        tracing::debug!(%error, "runtime directory not marked");
    }
}

fn configure(context: &OwnedFd, options: &Options) -> rustix::io::Result<()> {
    rustix::mount::fsconfig_set_string(context, "source", "tmpfs")?;
    for (key, value) in options.pairs() {
        rustix::mount::fsconfig_set_string(context, key, value)?;
    }
    rustix::mount::fsconfig_create(context)
}

/// Adds what the kernel has to say beyond the error number.
fn explain(context: &OwnedFd, error: Errno) -> io::Error {
    let mut message = [0; 256];
    match rustix::io::read(context, &mut message) {
        Ok(length) if error != Errno::PERM && error != Errno::ACCESS => {
            let text = String::from_utf8_lossy(message.get(..length).unwrap_or_default()).into_owned();
            let kind = io::Error::from(error).kind();
            io::Error::new(kind, format!("{} ({})", io::Error::from(error), text.trim()))
        }
        _ => error.into(),
    }
}

/// Puts the file system in place.
fn attach(parent: &OwnedFd, options: &Options, tree: Tree) -> Result<RuntimeKind, Problem> {
    let uid = options.uid;
    let path = uid.runtime_path();
    let created = make_directory(parent, uid)?;
    crash::point(crash::RUNTIME_DIRECTORY_MADE);
    let directory = open_directory(parent, uid)?
        .ok_or_else(|| SysError::other("open", &path, "somebody has removed it this moment"))?;
    let attached = match &tree {
        Tree::Detached(tree) => {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            rustix::mount::move_mount(tree, "", &directory, "", flags)
        }
        Tree::OldKernel => mount_at_once(&directory, options),
    };
    if let Err(error) = attached {
        if is_refusal(&error.into()) {
            return plain(parent, uid, options.gid, created);
        }
        if created {
            let _ = rustix::fs::unlinkat(parent, uid.to_string(), AtFlags::REMOVEDIR);
        }
        return Err(error).context("mount tmpfs on", path).map_err(Problem::from);
    }
    crash::point(crash::TMPFS_ATTACHED);
    if matches!(tree, Tree::OldKernel) {
        mark(&path);
    }
    share(&tree, &path);
    crash::point(crash::TMPFS_SHARED);
    Ok(RuntimeKind::Mount)
}

fn mount_at_once(directory: &OwnedFd, options: &Options) -> rustix::io::Result<()> {
    let pairs = options.pairs().map(|(key, value)| format!("{key}={value}"));
    let data = std::ffi::CString::new(pairs.join(",")).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(
        "tmpfs",
        by_number(directory),
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(&*data),
    )
}

/// What a user's services mount below shall be seen by his sessions, and the other way round, though the manager lives
/// in a mount namespace of its own. A mount can only be shared once it is somewhere.
fn share(tree: &Tree, path: &str) {
    let target = match tree {
        Tree::Detached(tree) => by_number(tree),
        Tree::OldKernel => path.to_owned(),
    };
    if let Err(error) = rustix::mount::mount_change(target, MountPropagationFlags::SHARED) {
        tracing::warn!(path, %error, "mounts in the runtime directory will not be seen across namespaces");
    }
}

/// A plain directory in place of a mount, if there is nothing in it that is not the user's. `created`: we have made it
/// a moment ago.
fn plain(parent: &OwnedFd, uid: Uid, gid: u32, created: bool) -> Result<RuntimeKind, Problem> {
    let path = uid.runtime_path();
    let created = make_directory(parent, uid)? || created;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(parent, uid.to_string(), flags, Mode::empty());
    let directory = opened.context("open", &path)?;
    let status = rustix::fs::fstat(&directory).context("examine", &path)?;
    let owner = status.st_uid;
    if !created {
        if owner == uid.get() && status.st_mode & 0o7777 == 0o700 {
            return Ok(RuntimeKind::Plain); // from the last time
        }
        let usable = owner == 0 || owner == uid.get();
        if !usable || !contents::is_empty(directory.as_fd()).context("list", &path)? {
            return Err(Problem::Occupied { path, owner });
        }
    }
    crash::point(crash::PLAIN_DIRECTORY_MADE);
    let give = || {
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o700))?;
        let user = rustix::fs::Uid::from_raw(uid.get());
        rustix::fs::fchown(&directory, Some(user), Some(Gid::from_raw(gid)))
    };
    give().context("give to the user", &path).inspect_err(|_| {
        if created {
            let _ = rustix::fs::unlinkat(parent, uid.to_string(), AtFlags::REMOVEDIR);
        }
    })?;
    Ok(RuntimeKind::Plain)
}

/// Whether it was not there before.
fn make_directory(parent: &OwnedFd, uid: Uid) -> Result<bool, Problem> {
    match rustix::fs::mkdirat(parent, uid.to_string(), Mode::from_raw_mode(0o700)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error).context("create directory", uid.runtime_path()).map_err(Problem::from),
    }
}

/// Whether mounting is simply not for us: a container, a security module.
fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::ACCESS))
}

/// A path that leads to what is open and to nothing else.
fn by_number(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn mount_id(fd: BorrowedFd<'_>) -> Result<u64> {
    if let Ok(status) = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
        && status.stx_mask & StatxFlags::MNT_ID.bits() != 0
    {
        return Ok(status.stx_mnt_id);
    }
    // Before 5.8.
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let text = fs::read_to_string(&path).context("read", &path)?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| SysError::other("understand", path, "no mnt_id in it"))
}

/// The type of a mounted file system, from /proc/self/mountinfo (proc_pid_mountinfo(5)).
fn fstype_of(mount_id: impl Display) -> Option<String> {
    let table = fs::read_to_string(PathBuf::from("/proc/self/mountinfo")).ok()?;
    let wanted = format!("{mount_id} ");
    let line = table.lines().find(|line| line.starts_with(&wanted))?;
    line.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
}
