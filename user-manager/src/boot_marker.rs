//! A mount namespace in which `/run/systemd/system` exists. `systemd --user` starts only where it does
//! (sd_booted(3)), and on a machine whose PID 1 is not systemd it must not exist for anybody else.
//!
//! In the namespace `/run` gets mounts from the host and gives none back; `/run/systemd` is a small tmpfs with `system/`
//! and whatever the host has there; the user's runtime directory stays shared with the host, so that what is mounted
//! below it on one side (document portal, gvfs) is seen on the other; other users' runtime directories are gone.

use std::fs::{self, DirEntry};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
    unmount,
};

use crate::failure::{Failure, Phase};
use crate::mount_table::other_runtime_dirs;

const SYSTEMD: &str = "/run/systemd";
const MARKER: &str = "/run/systemd/system";

/// One of the things the host has in /run/systemd, held fast before the tmpfs covers it.
struct Entry {
    path: PathBuf,
    held: Held,
}

enum Held {
    Directory(OwnedFd),
    /// A file or a socket.
    File(OwnedFd),
    /// Nothing can be mounted on a link; one to the same target is as good.
    Link(PathBuf),
}

/// Makes the namespace, unless the machine has the marker already.
pub(crate) fn make(runtime_dir: &Path) -> Result<(), Failure> {
    if Path::new(MARKER).exists() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|e| failed("make a mount namespace for", Path::new(MARKER), &e))?;
    stop_giving_back()?;
    detach_other_users(runtime_dir)?;
    let entries = host_entries()?;
    cover_with_tmpfs(entries.len())?;
    fs::create_dir(MARKER).map_err(|e| failed("create", Path::new(MARKER), &e))?;
    entries.iter().try_for_each(put_back)
}

/// Mounts made in this namespace on /run, /run/systemd and /run/user stay here; the host's still arrive. The mounts
/// below are not touched: the user's own runtime directory stays shared.
fn stop_giving_back() -> Result<(), Failure> {
    let slave = |path: &str| match mount_change(path, MountPropagationFlags::DOWNSTREAM) {
        Ok(()) => Ok(true),
        // mount(2): not a mount point.
        Err(Errno::INVAL) => Ok(false),
        Err(e) => Err(failed("stop mount propagation from", Path::new(path), &e)),
    };
    let run_is_mounted = slave("/run")?;
    for path in [SYSTEMD, "/run/user"] {
        match slave(path) {
            Err(_) if !Path::new(path).exists() => {}
            other => drop(other?),
        }
    }
    if !run_is_mounted {
        slave("/")?;
    }
    Ok(())
}

/// Lets go of other users' runtime directories: a copy here would keep them alive after their last logout.
fn detach_other_users(runtime_dir: &Path) -> Result<(), Failure> {
    let table = Path::new("/proc/self/mountinfo");
    let mountinfo = fs::read(table).map_err(|e| failed("read", table, &e))?;
    for other in other_runtime_dirs(&mountinfo, runtime_dir) {
        // Private first: what is mounted below a shared directory would be unmounted on the host as well.
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        let gone = mount_change(&other, private)
            .and_then(|()| unmount(&other, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW));
        match gone {
            // Its user has logged out meanwhile.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
            Err(e) => return Err(failed("detach", &other, &e)),
        }
    }
    Ok(())
}

fn host_entries() -> Result<Vec<Entry>, Failure> {
    let directory = match fs::read_dir(SYSTEMD) {
        Ok(directory) => directory,
        Err(e) => return Err(failed("read", Path::new(SYSTEMD), &e)),
    };
    directory
        .map(|entry| entry.map_err(|e| failed("read", Path::new(SYSTEMD), &e)).and_then(hold))
        .filter_map(Result::transpose)
        .collect()
}

/// Takes hold of an entry; nothing for one that has just gone.
fn hold(entry: DirEntry) -> Result<Option<Entry>, Failure> {
    let path = entry.path();
    let held = entry.file_type().and_then(|kind| {
        Ok(if kind.is_symlink() {
            Held::Link(fs::read_link(&path)?)
        } else if kind.is_dir() {
            Held::Directory(tree_at(&path)?)
        } else {
            Held::File(tree_at(&path)?)
        })
    });
    match held {
        Ok(held) => Ok(Some(Entry { path, held })),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("copy the mount of", &path, &e)),
    }
}

/// A copy of the mount tree at a path, attached nowhere (open_tree(2)).
fn tree_at(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    open_tree(CWD, path, flags)
}

fn cover_with_tmpfs(entries: usize) -> Result<(), Failure> {
    let tmpfs = || {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", "usher")?;
        fsconfig_set_string(&context, "mode", "0755")?;
        // systemd reloads and re-executes only where 16 MiB are free here. Only root can write; nothing is used until then.
        fsconfig_set_string(&context, "size", "32m")?;
        // A mount point for each entry, the marker, and room for a few more.
        fsconfig_set_string(&context, "nr_inodes", (entries + 64).to_string())?;
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        move_mount(&mount, "", CWD, SYSTEMD, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    };
    tmpfs().map_err(|e| failed("mount a tmpfs on", Path::new(SYSTEMD), &e))
}

/// Mounts what was held under the same name in the tmpfs.
fn put_back(Entry { path, held }: &Entry) -> Result<(), Failure> {
    let attach = |tree: &OwnedFd| {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(tree, "", CWD, path, flags).map_err(std::io::Error::from)
    };
    let done = match held {
        Held::Directory(tree) => fs::create_dir(path).and_then(|()| attach(tree)),
        Held::File(tree) => fs::write(path, "").and_then(|()| attach(tree)),
        Held::Link(target) => symlink(target, path),
    };
    done.map_err(|e| failed("mount the host's", path, &e))
}

fn failed(operation: &str, path: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure {
        phase: Phase::Namespace,
        what: format!("cannot {operation} {}: {cause}", path.display()),
        advice: "systemd's user manager needs this where PID 1 is not systemd: give usherd CAP_SYS_ADMIN and \
                 Linux 5.2 or newer, or choose another manager in /etc/usher/usher.conf",
    }
}
