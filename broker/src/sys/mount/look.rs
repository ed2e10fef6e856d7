//! What is at a runtime directory's path. To look never waits for a file system: something may be mounted there whose
//! server has stopped to answer, by the user who owns the directory (FUSE), and everybody else's logins must go on.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use usher_model::record::AtPath;
use usher_protocol::ids::Uid;

use super::super::{Context, Result, SysError};
use super::{MARK, PARENT, Problem};

/// Attributes as the kernel has them, without asking a server for newer ones; statx(2).
const AS_KNOWN: AtFlags = AtFlags::STATX_DONT_SYNC.union(AtFlags::NO_AUTOMOUNT);
/// Linux 6.8: a number that no other mount gets in this boot. The older one is used again as soon as it is free.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// Nothing: the kernel tells a mount's number even so, and file systems permit that to everyone.
const NOTHING: StatxFlags = StatxFlags::empty();

/// What is mounted on a runtime directory's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// The kernel's number of the mount; for ever its own since Linux 6.8.
    pub mount_id: u64,
    /// The file system's type.
    pub fs_type: String,
    /// Whether nothing can be written there.
    pub read_only: bool,
    /// Who owns its root, and its permissions; `None` if it does not say without being asked.
    pub owner: Option<(u32, u32)>,
    /// Whether it bears usher's mark.
    pub ours: bool,
}

/// The users for whom there is something in the place of a runtime directory.
pub fn users() -> Vec<Uid> {
    let entries = std::fs::read_dir(PARENT).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What is at the path of the user's runtime directory. One system call.
pub fn at_path(uid: Uid) -> AtPath {
    let flags = AS_KNOWN | AtFlags::SYMLINK_NOFOLLOW;
    let path = uid.runtime_path();
    let seen = match rustix::fs::statx(CWD, &path, flags, MNT_ID_UNIQUE | StatxFlags::TYPE) {
        // A FUSE file system tells others than its owner nothing else.
        Err(Errno::ACCESS) => rustix::fs::statx(CWD, &path, flags, NOTHING),
        seen => seen,
    };
    match seen {
        Ok(seen) if seen.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) => {
            if seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
                return AtPath::Mount(seen.stx_mnt_id);
            }
            let is_directory = seen.stx_mode & 0o170_000 == 0o040_000;
            if is_directory { AtPath::Directory } else { AtPath::Nothing }
        }
        Err(Errno::NOENT) => AtPath::Nothing,
        _ => before_linux_5_8(uid).unwrap_or(AtPath::Unknown),
    }
}

fn before_linux_5_8(uid: Uid) -> Result<AtPath, Problem> {
    let parent = rustix::fs::openat(CWD, PARENT, PATH_ONLY, Mode::empty()).context("open", PARENT)?;
    let Some(directory) = open_directory(&parent, uid)? else { return Ok(AtPath::Nothing) };
    let number = mount_number(directory.as_fd())?;
    let mounted = number != mount_number(parent.as_fd())?;
    Ok(if mounted { AtPath::Mount(number) } else { AtPath::Directory })
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

/// The same with the parent directory at hand. The mount table is read only if something is mounted.
pub(super) fn inspect_in(parent: &OwnedFd, uid: Uid) -> Result<Option<Mounted>, Problem> {
    let Some(directory) = open_directory(parent, uid)? else { return Ok(None) };
    let number = mount_number(directory.as_fd())?;
    if number == mount_number(parent.as_fd())? {
        return Ok(None);
    }
    Ok(Some(describe(&directory, number)?))
}

/// An open runtime directory that something is mounted on.
pub(super) fn describe(directory: &OwnedFd, number: u64) -> Result<Mounted> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("read", "/proc/self/mountinfo")?;
    let line = table.lines().filter_map(Line::parse).find(|line| line.id == number);
    let (fs_type, read_only) = line.map_or(("unknown", false), |line| (line.fs_type, line.read_only()));
    let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::UID;
    let status = rustix::fs::statx(directory, "", AS_KNOWN | AtFlags::EMPTY_PATH, wanted);
    Ok(Mounted {
        mount_id: identity(directory.as_fd())?,
        fs_type: fs_type.to_owned(),
        read_only,
        owner: status.ok().map(|status| (status.stx_uid, u32::from(status.stx_mode) & 0o7777)),
        // Only of what answers for sure.
        ours: fs_type == "tmpfs" && rustix::fs::getxattr(by_number(directory), MARK, &mut [0; 8]).is_ok(),
    })
}

/// Whether below the topmost mount on the user's runtime directory there is one that may be usher's.
pub(super) fn covers_a_tmpfs(uid: Uid) -> Result<bool> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("read", "/proc/self/mountinfo")?;
    let path = uid.runtime_path();
    let on_path: Vec<_> = table.lines().filter_map(Line::parse).filter(|line| line.point == path).collect();
    let is_below = |line: &Line<'_>| on_path.iter().any(|other| other.parent == line.id);
    Ok(on_path.iter().any(|line| line.fs_type == "tmpfs" && is_below(line)))
}

/// A line of /proc/self/mountinfo, proc_pid_mountinfo(5): ID, parent, device, root, mount point, options, optional fields,
/// a hyphen, type, source, options of the file system.
pub(super) struct Line<'a> {
    pub(super) id: u64,
    parent: u64,
    pub(super) point: &'a str,
    pub(super) options: &'a str,
    pub(super) shared: bool,
    fs_type: &'a str,
    super_options: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let (point, options) = (fields.nth(2)?, fields.next()?);
        let shared = fields.any(|field| field.starts_with("shared:"));
        let mut fields = file_system.split(' ');
        let (fs_type, super_options) = (fields.next()?, fields.nth(1).unwrap_or_default());
        Some(Self { id, parent, point, options, shared, fs_type, super_options })
    }

    fn read_only(&self) -> bool {
        let mut options = self.options.split(',').chain(self.super_options.split(','));
        options.any(|option| option == "ro")
    }
}

/// For directories that are only passed through, and may not be links.
pub(super) const PATH_ONLY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The directory, whatever is mounted on it; `None` if there is none.
pub(super) fn open_directory(parent: impl AsFd, uid: Uid) -> Result<Option<OwnedFd>, Problem> {
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

/// A path that leads to what is open and to nothing else.
pub(super) fn by_number(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// The number by which a mount is known again.
pub(super) fn identity(fd: BorrowedFd<'_>) -> Result<u64> {
    match rustix::fs::statx(fd, "", AS_KNOWN | AtFlags::EMPTY_PATH, MNT_ID_UNIQUE) {
        Ok(status) if status.stx_mask & MNT_ID_UNIQUE.bits() != 0 => Ok(status.stx_mnt_id),
        _ => mount_number(fd),
    }
}

/// The number that a mount has in the mount table.
pub(super) fn mount_number(fd: BorrowedFd<'_>) -> Result<u64> {
    if let Ok(status) = rustix::fs::statx(fd, "", AS_KNOWN | AtFlags::EMPTY_PATH, NOTHING)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_mounted_where_and_how() {
        let line =
            Line::parse("36 35 98:0 /mnt1 /run/user rw,noatime master:1 shared:2 - tmpfs tmpfs ro").unwrap();
        assert_eq!((line.id, line.parent, line.point, line.shared), (36, 35, "/run/user", true));
        assert_eq!((line.fs_type, line.read_only()), ("tmpfs", true));
        let private = Line::parse("36 35 98:0 / /run rw - tmpfs shared:1 rw").unwrap();
        assert_eq!((private.point, private.shared, private.read_only()), ("/run", false, false));
        assert!(
            Line::parse("1 2 0:3 / /x ro,noexec - ext4 /dev/vda rw,errors=remount-ro").unwrap().read_only()
        );
        assert!(!Line::parse("1 2 0:3 / /x rw - ext4 /dev/vda rw,errors=remount-ro").unwrap().read_only());
        for bad in ["36 35 98:0 /", "", "a b c d e f - g h i", "1 2 3 4 5 - "] {
            assert!(Line::parse(bad).is_none(), "{bad}");
        }
    }
}
