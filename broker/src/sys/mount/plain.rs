//! A plain directory, where mounting is not permitted or not wanted.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Gid, Mode, OFlags};
use rustix::io::Errno;
use usher_model::RuntimeForm;
use usher_model::record::RuntimeDir;
use usher_protocol::ids::Uid;

use super::super::{Context, SysError};
use super::tmpfs::{Tree, prepare};
use super::{PLAIN, Problem, Wanted, contents, make_directory};
use crate::crash;

/// What there is where mounting is not permitted.
pub(super) fn instead(
    parent: &OwnedFd,
    wanted: &Wanted,
    created: bool,
    refusal: SysError,
) -> Result<RuntimeDir, Problem> {
    if wanted.form == RuntimeForm::Tmpfs {
        undo(parent, wanted.uid, created);
        return Err(Problem::NoTmpfs(refusal));
    }
    refused(&refusal.source);
    plain(parent, wanted, created)
}

/// Takes a directory away again that we have made a moment ago.
pub(super) fn undo(parent: &OwnedFd, uid: Uid, created: bool) {
    if created {
        let _ = rustix::fs::unlinkat(parent, uid.to_string(), AtFlags::REMOVEDIR);
    }
}

/// A plain directory in place of a mount, if there is nothing in it that is not the user's. `created`: we have made it
/// a moment ago.
pub(super) fn plain(parent: &OwnedFd, wanted: &Wanted, created: bool) -> Result<RuntimeDir, Problem> {
    let uid = wanted.uid;
    let path = uid.runtime_path();
    let created = make_directory(parent, uid)? || created;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(parent, uid.to_string(), flags, Mode::empty());
    let directory = opened.context("open", &path)?;
    let status = rustix::fs::fstat(&directory).context("examine", &path)?;
    let owner = status.st_uid;
    if !created {
        if owner == uid.get() && status.st_mode & 0o7777 == 0o700 {
            return Ok(PLAIN); // from the last time
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
        rustix::fs::fchown(&directory, Some(user), Some(Gid::from_raw(wanted.gid)))
    };
    give().context("give to the user", &path).inspect_err(|_| undo(parent, uid, created))?;
    Ok(PLAIN)
}

/// Says, once, that there is to be no mount, and what that means.
fn refused(error: &io::Error) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "runtime directories are plain directories, and nothing limits how much is put into them: mounting a tmpfs is \
             not permitted here ({error}); give usherd CAP_SYS_ADMIN to change that"
        );
    }
}

/// Tries whether mounting is permitted, where it is wanted, and says so if it is not, before the first login does.
pub fn check_mounting(form: RuntimeForm) {
    if form == RuntimeForm::Directory {
        return;
    }
    match prepare(&Wanted { uid: Uid::ROOT, gid: 0, form, bytes: 4096, inodes: 2 }) {
        Err(error) if is_refusal(&error.source) => refused(&error.source),
        // Only mount(2) itself can tell.
        Ok(Tree::OldKernel) if !may_administrate() => refused(&Errno::PERM.into()),
        _ => {}
    }
}

/// Whether this process has CAP_SYS_ADMIN, number 21 in capabilities(7).
fn may_administrate() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    effective.is_none_or(|set| set & (1 << 21) != 0)
}

/// Whether mounting is simply not for us: a container, a security module.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::ACCESS))
}
