//! AttachProcessesToUnit, as a user's manager asks PID 1 for it where that is systemd (contract/user-lifecycle.md section 8):
//! to move processes of the user's sessions into its own units, for which it has no right itself. Logging in over ssh and
//! calling `systemd-run --user --scope` does that, and so does every desktop.
//!
//! A user gets nothing by it but what is his already: his own processes, from his own slice, into what has been delegated to
//! him. He could not do as much only because the common ancestor, his slice, is root's. His processes leave his session by
//! it, as they do under systemd, and so KillUserProcesses; his manager's end still ends them.

use rustix::io::Errno;
use usher_protocol::ids::{LeaderPid, Uid};

use crate::sys::cgroup::{self, CgroupRoot, Delegated};
use crate::sys::{SysError, pidfd, process};

/// How many processes at a time. A manager asks for one after the other.
pub const PIDS_MAX: usize = 64;

/// What is asked for, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Attachment<'a> {
    /// The caller's effective user.
    pub caller: Uid,
    /// The caller's process id.
    pub caller_pid: u32,
    /// The unit: `user@UID.service`, or empty for the one that the caller is in.
    pub unit: &'a str,
    /// A cgroup that is there, as a path from the unit's; empty for that itself.
    pub subcgroup: &'a str,
    /// The processes; 0 is the caller.
    pub pids: &'a [u32],
}

/// Why processes are not moved. Unless it says so, none was.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// An argument is wrong, or the unit is none that takes processes: `InvalidArgs`.
    #[error("{0}")]
    InvalidArgs(String),
    /// Only a user's own manager may, and only with that user's processes: `AccessDenied`.
    #[error("{0}")]
    AccessDenied(String),
    /// There is no such unit: `org.freedesktop.systemd1.NoSuchUnit`.
    #[error("Unit {0} not found")]
    NoSuchUnit(String),
    /// A process has gone; others may have been moved: `UnixProcessIdUnknown`.
    #[error("No such process: {0}")]
    NoSuchProcess(u32),
    /// The kernel does not move a process; others may have been moved: `Failed`.
    #[error(transparent)]
    Failed(#[from] SysError),
}

/// A process that may be moved. Its pidfd tells whether it still is the one that was looked at.
struct Candidate {
    process: LeaderPid,
    pidfd: std::os::fd::OwnedFd,
}

/// Moves processes. May wait for the kernel, up to some 20 ms a process.
///
/// The kernel takes a process by its number only. That it was the right one is looked up afterwards: a process that is still
/// there has had its number all the time. If it has gone meanwhile, whoever has got its number in between is put back to where
/// its parent is. What remains is that moment: to use it, the numbers would have to go round once (4 million by default)
/// between a look at /proc and the next system call.
///
/// # Errors
/// Why not all were moved.
pub fn attach(root: &CgroupRoot, wanted: &Attachment<'_>) -> Result<(), AttachError> {
    if wanted.pids.len() > PIDS_MAX {
        let message = format!("{} processes at once, more than {PIDS_MAX}", wanted.pids.len());
        return Err(AttachError::InvalidArgs(message));
    }
    let uid = unit_of(root, wanted)?;
    let target = open(root, uid, wanted.subcgroup)?;
    // All are looked at before any is moved.
    let looked_at = wanted.pids.iter().map(|pid| look(root, wanted, uid, *pid));
    let candidates = looked_at.collect::<Result<Vec<_>, _>>()?;
    let mut first = Ok(());
    for candidate in &candidates {
        // One that cannot be moved keeps none of the others.
        first = first.and(take(root, &target, candidate));
    }
    first
}

/// Whose manager's unit it is; checks that the caller may put processes there.
fn unit_of(root: &CgroupRoot, wanted: &Attachment<'_>) -> Result<Uid, AttachError> {
    let own = cgroup::cgroup_of(wanted.caller_pid).and_then(|path| cgroup::manager_of(&path, root.pid1()));
    let uid = match wanted.unit {
        "" => own.ok_or_else(|| {
            AttachError::InvalidArgs("The caller is in no unit that processes can be put into".to_owned())
        })?,
        name => manager_named(name).ok_or_else(|| AttachError::NoSuchUnit(shortened(name)))?,
    };
    // A caller that has gone, and whose number is another user's process's by now, fails here.
    if !wanted.caller.is_root() && (wanted.caller != uid || own != Some(uid)) {
        let message = format!("Only root and the manager of the user with uid {uid} may do that");
        return Err(AttachError::AccessDenied(message));
    }
    Ok(uid)
}

fn manager_named(unit: &str) -> Option<Uid> {
    unit.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok()
}

fn open(root: &CgroupRoot, uid: Uid, path: &str) -> Result<Delegated, AttachError> {
    if !path.is_empty() && !cgroup::is_sound(path) {
        let path = shortened(path);
        let message = format!("Control group path is not absolute and normalized: {path}");
        return Err(AttachError::InvalidArgs(message));
    }
    root.below_manager(uid, path).map_err(|error| {
        if error.is_gone() {
            return missing(uid, path);
        }
        match Errno::from_io_error(&error.source) {
            // A file, a link or a mount in the way, or a name that is too long.
            Some(Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG) => {
                AttachError::InvalidArgs(format!("{} is no control group", shortened(path)))
            }
            _ => error.into(),
        }
    })
}

fn missing(uid: Uid, path: &str) -> AttachError {
    let (unit, path) = (uid.manager_unit(), shortened(path));
    AttachError::InvalidArgs(format!("There is no control group {path} in {unit}"))
}

fn look(root: &CgroupRoot, wanted: &Attachment<'_>, uid: Uid, pid: u32) -> Result<Candidate, AttachError> {
    let pid = if pid == 0 { wanted.caller_pid } else { pid };
    let invalid = |what: &str| Err(AttachError::InvalidArgs(format!("Process {pid} is {what}, refusing")));
    let denied = |what: String| Err(AttachError::AccessDenied(format!("Process {pid} {what}, refusing")));
    let gone = |_| AttachError::NoSuchProcess(pid);
    if pid == 1 || pid == std::process::id() {
        return invalid("a manager process");
    }
    // From here on it is known whether it is the same process.
    let pidfd = pidfd::open(pid).map_err(gone)?;
    let process = pidfd::leader_of(pid).map_err(gone)?;
    let facts = process::facts(pid).map_err(gone)?;
    let place = cgroup::cgroup_of(pid);
    if pidfd::has_exited(&pidfd) {
        return Err(AttachError::NoSuchProcess(pid));
    }
    if facts.kernel_thread {
        return invalid("a kernel thread");
    }
    if !wanted.caller.is_root() && facts.owner != Some(uid.get()) {
        return denied("is not owned by the caller's user alone".to_owned());
    }
    if place.and_then(|path| cgroup::owner_of(&path, root.pid1())) != Some(uid) {
        return denied(format!("is not in {}", uid.slice()));
    }
    Ok(Candidate { process, pidfd })
}

fn take(root: &CgroupRoot, target: &Delegated, candidate: &Candidate) -> Result<(), AttachError> {
    let Candidate { process, pidfd } = candidate;
    let gone = || AttachError::NoSuchProcess(process.pid);
    if pidfd::has_exited(pidfd) {
        return Err(gone());
    }
    let moved = target.take(process.pid);
    if pidfd::has_exited(pidfd) {
        // Somebody else may have been moved.
        if moved.is_ok() {
            root.put_back_others(*process, target.path())?;
        }
        return Err(gone());
    }
    match moved {
        Err(error) if Errno::from_io_error(&error.source) == Some(Errno::SRCH) => Err(gone()),
        // Removed since it was opened.
        Err(error) if error.is_gone() => Err(AttachError::InvalidArgs(error.to_string())),
        moved => Ok(moved?),
    }
}

/// As much of somebody's text as an error message can bear.
fn shortened(text: &str) -> String {
    text.chars().take(128).flat_map(char::escape_debug).collect()
}
