//! The IPC objects that outlive processes: SysV shared memory, semaphores and message queues, POSIX shared memory and
//! message queues (contract/user-lifecycle.md section 6, RemoveIPC).

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use usher_protocol::ids::Uid;

use super::raw::{self, SysvKind};
use super::{Context, Result, SysError};

/// The kinds of SysV objects and the kernel's lists of them, with the name of the column for the number.
const SYSV: [(SysvKind, &str, &str); 3] = [
    (SysvKind::SharedMemory, "/proc/sysvipc/shm", "shmid"),
    (SysvKind::Semaphores, "/proc/sysvipc/sem", "semid"),
    (SysvKind::MessageQueue, "/proc/sysvipc/msg", "msqid"),
];

/// The file systems where POSIX objects are files.
const POSIX: [&str; 2] = [SHARED_MEMORY, "/dev/mqueue"];
/// The one of them that may have directories in it.
const SHARED_MEMORY: &str = "/dev/shm";
/// More directories than anybody has there; what is beyond stays.
const DIRECTORIES: usize = 64;

/// Removes every IPC object that the user owns, and returns how many. Shared memory that a process has attached stays.
/// Whose objects may be removed at all (not a system user's) is the caller's to decide.
///
/// # Errors
/// The first object that could not be removed; the others are gone all the same.
pub fn remove_ipc(uid: Uid) -> Result<usize> {
    let mut removed = 0;
    let mut failed = None;
    let mut note = |outcome: Result<()>| match outcome {
        Ok(()) => removed += 1,
        Err(error) if error.is_gone() => {}
        Err(error) => failed = failed.take().or(Some(error)),
    };
    for (kind, list, column) in SYSV {
        // Not there: a kernel without SysV IPC.
        let text = fs::read_to_string(list).unwrap_or_default();
        for id in owned(&text, column, uid) {
            note(raw::remove_sysv(kind, id).context(kind.operation(), id));
        }
    }
    for directory in POSIX {
        remove_files(directory, uid, &mut note);
    }
    failed.map_or(Ok(removed), Err)
}

/// The user's own directories beside the shared memory. No objects (shm_open(3) takes no path), but memory all the same:
/// logind removes them, too. Whoever does that needs no more than the user's rights.
pub fn directories(uid: Uid) -> Vec<PathBuf> {
    let entries = fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten();
    let own = entries.map(|entry| entry.path());
    let own = own.filter(|path| owner_and_kind(CWD, path) == Some((uid.get(), FileType::Directory)));
    own.take(DIRECTORIES).collect()
}

/// Of the link itself, if it is one. `None` where there is nothing, or another file system is mounted: that is not asked, for
/// a user may have mounted it, and its server may never answer.
fn owner_and_kind(directory: impl AsFd, name: impl rustix::path::Arg) -> Option<(u32, FileType)> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let wanted = StatxFlags::UID | StatxFlags::TYPE;
    let status = rustix::fs::statx(directory, name, flags, wanted).ok()?;
    let is_mount = status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    (!is_mount).then(|| (status.stx_uid, FileType::from_raw_mode(status.stx_mode.into())))
}

/// The numbers of a user's objects in one of the kernel's lists, by the names of its columns. Not those in use.
pub(crate) fn owned(text: &str, id: &str, uid: Uid) -> Vec<i32> {
    let mut lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let column = |name: &str| header.iter().position(|&title| title == name);
    let (Some(id), Some(owner)) = (column(id), column("uid")) else { return Vec::new() };
    let attached = column("nattch");
    lines
        .filter(|fields| fields.get(owner).and_then(|field| field.parse().ok()) == Some(uid))
        .filter(|fields| attached.is_none_or(|column| fields.get(column) == Some(&"0")))
        .filter_map(|fields| fields.get(id)?.parse().ok())
        .collect()
}

/// Removes a user's files in a directory where everybody may make some. Links are files there; nothing is followed.
fn remove_files(path: &str, uid: Uid, note: &mut impl FnMut(Result<()>)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(directory) => directory,
        // Not mounted here.
        Err(Errno::NOENT) => return,
        Err(error) => return note(Err(error).context("open", path)),
    };
    let entries = match Dir::read_from(&directory) {
        Ok(entries) => entries,
        Err(error) => return note(Err(error).context("list", path)),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((owner, kind)) = owner_and_kind(&directory, name) else { continue };
        if owner == uid.get() && kind != FileType::Directory {
            let removed = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
            note(removed.map_err(|error| SysError {
                operation: "remove",
                object: format!("{name:?} in {path}"),
                source: error.into(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHM: &str =
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid
         0          5  1600                524288   700   701      0  1000  1000  1000  1000
       123         32   600                  4096   700   701      2  1000  1000  1000  1000
         1         33   600                  4096   700   701      0  1001  1001  1001  1001
";

    #[test]
    fn only_what_is_the_user_s_and_not_in_use() {
        let uid = Uid::try_from(1000).unwrap();
        assert_eq!(owned(SHM, "shmid", uid), [5]);
        assert_eq!(owned(SHM, "semid", uid), [0; 0], "another list");
        let msg = "key msqid perms cbytes qnum lspid lrpid uid gid\n0 9 600 0 0 0 0 1000 1000\nshort 1\n";
        assert_eq!(owned(msg, "msqid", uid), [9]);
    }

    proptest! {
        #[test]
        fn no_list_is_too_strange(text in any::<String>(), rows in "shmid uid nattch\n([-0-9a-z]{0,12} ?){0,9}\n") {
            for text in [text, rows] {
                owned(&text, "shmid", Uid::ROOT);
            }
        }
    }
}
