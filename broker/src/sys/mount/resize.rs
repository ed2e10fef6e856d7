//! A runtime directory of another size, while it is in use: the mount, its flags and what is in it stay as they are.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{FsPickFlags, MountFlags};
use usher_model::record::RuntimeDir;
use usher_protocol::ids::Uid;

use super::super::{Context, Result, SysError};
use super::look::{self, PATH_ONLY, by_number, open_directory};
use super::tmpfs::explain;
use super::{PARENT, Problem};

/// Gives the user's runtime directory another size, if it is the very mount that usher has made, and is of another size.
/// Whether anything was changed: another's mount, or one that something is mounted over, is left as it is.
///
/// # Errors
/// The kernel's: it makes no file system smaller than what is in it.
pub fn resize(uid: Uid, dir: &RuntimeDir, bytes: u64, inodes: u64) -> Result<bool, Problem> {
    let parent = rustix::fs::openat(CWD, PARENT, PATH_ONLY, Mode::empty()).context("open", PARENT)?;
    let Some(directory) = open_directory(&parent, uid)? else { return Ok(false) };
    // From here on what is open counts, whatever is mounted on the path meanwhile.
    if dir.mount != Some(look::identity(directory.as_fd())?) {
        return Ok(false);
    }
    let path = uid.runtime_path();
    // usher's own tmpfs, which answers at once.
    let now = rustix::fs::fstatvfs(&directory).context("examine", &path)?;
    if now.f_blocks.saturating_mul(now.f_frsize) == bytes && now.f_files == inodes {
        return Ok(false);
    }
    let options = [("size", bytes.to_string()), ("nr_inodes", inodes.to_string())];
    match rustix::mount::fspick(&directory, "", FsPickFlags::FSPICK_EMPTY_PATH | FsPickFlags::FSPICK_CLOEXEC)
    {
        // As in `prepare`.
        Err(Errno::NOSYS | Errno::PERM) => remount(&directory, &options),
        picked => {
            let context = picked.context("resize", &path)?;
            reconfigure(&context, &options).map_err(|error| explain(&context, error))
        }
    }
    .map_err(|source| SysError { operation: "resize", object: path, source })?;
    Ok(true)
}

fn reconfigure(context: &OwnedFd, options: &[(&str, String)]) -> rustix::io::Result<()> {
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context, *key, value)?;
    }
    rustix::mount::fsconfig_reconfigure(context)
}

/// Before Linux 5.2. The flags of the mount are set anew by this call: to what they are.
fn remount(directory: &OwnedFd, options: &[(&str, String)]) -> std::io::Result<()> {
    let number = look::mount_number(directory.as_fd()).map_err(std::io::Error::other)?;
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let line = table.lines().filter_map(look::Line::parse).find(|line| line.id == number);
    let words = line.map(|line| line.options).unwrap_or_default();
    let flag = |word: &str| match word {
        "ro" => MountFlags::RDONLY,
        "nosuid" => MountFlags::NOSUID,
        "nodev" => MountFlags::NODEV,
        "noexec" => MountFlags::NOEXEC,
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        _ => MountFlags::empty(),
    };
    let flags = words.split(',').map(flag).fold(MountFlags::NOSUID | MountFlags::NODEV, MountFlags::union);
    let data: Vec<_> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Ok(rustix::mount::mount_remount(by_number(directory), flags, data.join(","))?)
}
