//! The cgroup tree: `user.slice/user-UID.slice/{session-ID.scope,user@UID.service/init.scope}`, the same as systemd's,
//! so that libsystemd finds a process's session by its path (contract/user-lifecycle.md section 7).
//!
//! Slices and scopes belong to root; `user@UID.service` belongs to the user, who may do below it what he likes.

mod delegated;
mod leader;
mod manager;
mod names;
pub(crate) mod path;
mod resources;
mod signal;
mod survivors;
mod tree;

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Access;
use usher_model::Reaped;
use usher_protocol::ids::{SessionId, Uid};

pub use delegated::Delegated;
pub(crate) use path::is_sound;
pub use path::{manager_of, owner_of, session_of};
pub use survivors::Survivors;

use names::Names;

use super::{Context, Result, SysError, proc, raw};
use crate::crash;

/// Where cgroup2 may be mounted: alone, or beside version 1 hierarchies ("hybrid").
const MOUNT_POINTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// `CGROUP2_SUPER_MAGIC`, statfs(2).
const CGROUP2_MAGIC: u32 = 0x6367_7270;

/// What is passed down to users, where the machine has it.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// The cgroup2 tree.
#[derive(Debug, Clone)]
pub struct CgroupRoot {
    /// Where it is mounted.
    mount: PathBuf,
    /// What /proc/PID/cgroup says in front of a path below the mount point; empty where the whole tree is mounted.
    prefix: String,
    /// PID 1's cgroup, which tells libsystemd where the tree begins.
    pid1: String,
    names: Arc<Names>,
}

/// Why there is no tree to work with. Sessions and runtime directories work without one.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// No cgroup2 anywhere.
    #[error("cgroup2 is mounted neither on /sys/fs/cgroup nor on /sys/fs/cgroup/unified")]
    NotMounted,
    /// Mounted, but usher may not change anything.
    #[error("{0}; is the cgroup2 tree mounted read-only, or not delegated to this container?")]
    NotWritable(#[source] SysError),
}

impl CgroupRoot {
    /// Finds the tree and makes `user.slice` in it.
    ///
    /// # Errors
    /// There is none, or none that can be changed.
    pub fn detect() -> Result<Self, Unavailable> {
        let is_cgroup2 = |path: &&str| {
            // The type's width differs between architectures; the number fits in all of them.
            rustix::fs::statfs(*path).is_ok_and(|fs| fs.f_type as u32 == CGROUP2_MAGIC)
        };
        let mount = MOUNT_POINTS.into_iter().find(is_cgroup2).ok_or(Unavailable::NotMounted)?;
        let root = Self {
            mount: mount.into(),
            prefix: mount_prefix(mount),
            pid1: cgroup_of(1).unwrap_or_else(|| "/".to_owned()),
            names: Arc::default(),
        };
        root.claim().map_err(Unavailable::NotWritable)?;
        Ok(root)
    }

    fn claim(&self) -> Result<()> {
        let slice = self.mount.join("user.slice");
        make(&slice)?;
        // To find the directory there already proves nothing on a read-only mount.
        rustix::fs::access(slice.join("cgroup.procs"), Access::WRITE_OK)
            .context("write to cgroup", slice.display())?;
        enable_controllers(&self.mount);
        enable_controllers(&slice);
        Ok(())
    }

    /// Where the tree is mounted.
    pub fn mount_point(&self) -> &Path {
        &self.mount
    }

    /// PID 1's cgroup, for [`session_of`] and [`owner_of`].
    pub fn pid1(&self) -> &str {
        &self.pid1
    }

    /// The user's slice.
    pub fn slice_path(&self, uid: Uid) -> PathBuf {
        self.mount.join("user.slice").join(uid.slice())
    }

    /// The session's scope.
    pub fn scope_path(&self, uid: Uid, id: &SessionId) -> PathBuf {
        self.slice_path(uid).join(id.scope())
    }

    /// The cgroup of the user's manager and all that it starts.
    pub fn manager_path(&self, uid: Uid) -> PathBuf {
        self.slice_path(uid).join(uid.manager_unit())
    }

    fn ensure_slice(&self, uid: Uid) -> Result<()> {
        let slice = self.slice_path(uid);
        match make(&slice) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.claim()?;
                make(&slice)?;
            }
            made => made?,
        }
        enable_controllers(&slice);
        Ok(())
    }

    /// Makes the session's scope and puts the leader into it; only the leader, as logind does. To do it twice is fine.
    /// One `mkdir` and one write where the user's slice is there already.
    ///
    /// # Errors
    /// The scope cannot be made, or the leader not be moved ([`SysError::is_gone`]: it has exited); the scope is gone
    /// again then, unless there are others in it.
    pub fn create_scope(&self, uid: Uid, id: &SessionId, leader: u32) -> Result<()> {
        let scope = self.scope_path(uid, id);
        match make(&scope) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.ensure_slice(uid)?;
                make(&scope)?;
            }
            made => made?,
        }
        crash::point(crash::SCOPE_MADE);
        attach(&scope, leader).inspect_err(|_| {
            let _ = fs::remove_dir(&scope);
        })?;
        crash::point(crash::LEADER_MOVED);
        Ok(())
    }

    /// Removes the session's scope if no process is left in it.
    ///
    /// # Errors
    /// Whatever else keeps it.
    pub fn reap_scope(&self, uid: Uid, id: &SessionId) -> Result<Reaped> {
        tree::remove(&self.scope_path(uid, id))
    }

    /// Puts a process (back) into the cgroup that [`cgroup_of`] has named before; into the root if that one is gone,
    /// takes no process, or is none of this tree.
    ///
    /// # Errors
    /// [`SysError::is_gone`] if the process has exited; else the kernel's.
    pub fn move_pid(&self, pid: u32, path: &str) -> Result<()> {
        match attach(&self.locate(path).unwrap_or_else(|| self.mount.clone()), pid) {
            Err(error) if !process_is_gone(&error) => {
                tracing::debug!(pid, %error, "putting the process into the root cgroup instead");
                attach(&self.mount, pid)
            }
            outcome => outcome,
        }
    }

    /// The directory of a cgroup, if it is one of this tree.
    pub(crate) fn locate(&self, path: &str) -> Option<PathBuf> {
        let below = path.get(self.prefix.len()..)?;
        let ours = path::is_sound(path) && path::is_below(path, &self.prefix);
        ours.then(|| self.mount.join(below.trim_start_matches('/')))
    }

    /// What /proc/PID/cgroup says of a process in the cgroup at `directory`.
    fn name_of(&self, directory: &Path) -> Option<String> {
        let below = directory.strip_prefix(&self.mount).ok()?.to_str()?;
        Some(format!("{}/{below}", self.prefix))
    }

    /// [`cgroup_of`] the process with that number, for which the pidfd stands, with less effort.
    pub fn cgroup_of(&self, pidfd: BorrowedFd<'_>, pid: u32) -> Option<String> {
        self.names.find(pidfd, pid)
    }

    /// Whether a pidfd's process is in the session's scope itself. Not to know is not to be there: before Linux 6.13.
    pub fn is_in_scope(&self, pidfd: BorrowedFd<'_>, uid: Uid, id: &SessionId) -> bool {
        // The number of its directory's inode is a cgroup's id, where such a number has room for one.
        let scope = || fs::symlink_metadata(self.scope_path(uid, id)).ok().map(|scope| scope.ino());
        raw::cgroup_id(pidfd).is_some_and(|place| scope() == Some(place))
    }

    /// The session that a process is in, by its cgroup.
    pub fn session_of_pid(&self, pid: u32) -> Option<SessionId> {
        session_of(&cgroup_of(pid)?, &self.pid1)
    }

    /// Every process in a cgroup of this tree and below it; none if it is gone.
    ///
    /// # Errors
    /// The kernel's.
    pub fn procs(&self, directory: &Path) -> Result<Vec<u32>> {
        tree::processes(directory)
    }

    /// Who is in a cgroup of this tree and below it, for a line in the log. Units are named from `top` on, which is that
    /// cgroup or one above it.
    pub fn survivors(&self, directory: &Path, top: &Path) -> Survivors {
        let name = self.name_of(top).unwrap_or_default();
        Survivors::look(directory, &name)
    }

    /// Removes the user's slice with all that is below it, if no process is left there.
    ///
    /// # Errors
    /// Whatever else keeps it.
    pub fn remove_slice(&self, uid: Uid) -> Result<Reaped> {
        tree::remove(&self.slice_path(uid))
    }

    /// The users that have a slice.
    ///
    /// # Errors
    /// The tree cannot be listed.
    pub fn slices(&self) -> Result<Vec<Uid>> {
        let uid = |name: &str| name.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok();
        names(&self.mount.join("user.slice"), uid)
    }

    /// Whether the user has a session's scope.
    pub fn has_sessions(&self, uid: Uid) -> bool {
        // What cannot be listed may be full of them.
        names(&self.slice_path(uid), SessionId::from_scope).map_or(true, |scopes| !scopes.is_empty())
    }

    /// The scopes of sessions that are there, for the sweep at start.
    ///
    /// # Errors
    /// The tree cannot be listed.
    pub fn stale_scopes(&self) -> Result<Vec<(Uid, SessionId)>> {
        let mut scopes = Vec::new();
        for uid in self.slices()? {
            let ids = names(&self.slice_path(uid), SessionId::from_scope)?;
            scopes.extend(ids.into_iter().map(|id| (uid, id)));
        }
        Ok(scopes)
    }
}

/// The cgroup that a process is in. `None` if the process is gone or cgroup2 is not mounted.
pub fn cgroup_of(pid: u32) -> Option<String> {
    let text = proc::read(&format!("/proc/{pid}/cgroup")).ok()?;
    path::unified(std::str::from_utf8(&text).ok()?).map(str::to_owned)
}

/// Whether there is any process in the cgroup or below it. A cgroup that is gone has none.
///
/// # Errors
/// The kernel's.
pub fn populated(directory: &Path) -> Result<bool> {
    let file = directory.join("cgroup.events");
    match fs::read_to_string(&file).context("read", file.display()) {
        Ok(text) => Ok(text.lines().any(|line| line == "populated 1")),
        Err(error) if error.is_gone() => Ok(false),
        Err(error) => Err(error),
    }
}

/// What stands before the path of a cgroup in /proc/PID/cgroup when only a part of the tree is mounted, as in a
/// container without a cgroup namespace.
fn mount_prefix(mount: &str) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let root = table.lines().rev().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (point == mount).then_some(root)
    });
    // A root that begins with /.. is above the namespace: /proc/PID/cgroup has no name for what is below.
    root.filter(|root| path::is_sound(root))
        .map(|root| root.trim_end_matches('/').to_owned())
        .unwrap_or_default()
}

fn names<T>(directory: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context("list cgroup", directory.display())?,
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(names.filter_map(|name| parse(name.to_str()?)).collect())
}

fn make(directory: &Path) -> Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.context("create cgroup", directory.display()),
    }
}

fn attach(directory: &Path, pid: u32) -> Result<()> {
    let outcome = write_bytes(&directory.join("cgroup.procs"), pid.to_string().as_bytes());
    outcome.map_err(|source| SysError {
        operation: "move process",
        object: format!("{pid} to cgroup {}", directory.display()),
        source,
    })
}

/// ESRCH is about the process; a missing file is about the cgroup.
fn process_is_gone(error: &SysError) -> bool {
    rustix::io::Errno::from_io_error(&error.source) == Some(rustix::io::Errno::SRCH)
}

/// Passes on what the cgroup has been given itself. Best effort: where the kernel refuses (no such controller, processes
/// in the way) everything works but accounting and limits.
fn enable_controllers(directory: &Path) {
    let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap_or_default();
    let (available, enabled) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    let has = |list: &str, wanted: &str| list.split_ascii_whitespace().any(|name| name == wanted);
    for name in CONTROLLERS.into_iter().filter(|name| has(&available, name) && !has(&enabled, name)) {
        // One by one: a refused one must not keep the others away.
        if let Err(error) = write(&directory.join("cgroup.subtree_control"), &format!("+{name}")) {
            tracing::debug!(%error, controller = name, "controller not passed on");
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    write_bytes(file, text.as_bytes()).context("write to", file.display())
}

/// One write to a file that is there; the kernel takes commands whole.
fn write_bytes(file: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(bytes)
}
