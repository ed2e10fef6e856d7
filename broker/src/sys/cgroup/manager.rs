//! The cgroup of a user's manager, which is the user's own.

use std::io::ErrorKind;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use rustix::fs::XattrFlags;
use usher_model::Reaped;
use usher_protocol::ids::Uid;

use super::super::{Context, Result};
use super::{CgroupRoot, make, tree, write};

/// The files of a cgroup that a user needs to manage it himself (contract/user-lifecycle.md section 7). The first two
/// are there on every kernel.
const DELEGATED: [&str; 5] =
    ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "memory.oom.group", "memory.reclaim"];

/// The number of cgroups that a user may make: a hundredfold of what a desktop full of applications has.
const DESCENDANTS_MAX: &str = "20000";

impl CgroupRoot {
    /// Makes the cgroup of the user's manager and gives it to the user. Returns the directory of `init.scope` in it,
    /// where the manager itself belongs: no process may be in `user@UID.service` once it passes controllers on.
    ///
    /// # Errors
    /// A directory cannot be made or given away.
    pub fn manager_cgroup(&self, uid: Uid, gid: u32) -> Result<PathBuf> {
        self.ensure_slice(uid)?;
        let unit = self.manager_path(uid);
        let inner = unit.join("init.scope");
        for directory in [&unit, &inner] {
            make(directory)?;
            delegate(directory, uid, gid)?;
        }
        // A user may fill his part of the tree, but not until taking it down again keeps everybody else waiting.
        if let Err(error) = write(&unit.join("cgroup.max.descendants"), DESCENDANTS_MAX) {
            tracing::debug!(%error, "number of cgroups not limited");
        }
        // Marks for whoever looks for the places where another manager's realm begins. Not every kernel takes them.
        for mark in ["trusted.delegate", "user.delegate"] {
            let _ = rustix::fs::setxattr(&unit, mark, b"1", XattrFlags::empty());
        }
        Ok(inner)
    }

    /// Removes the cgroup of the user's manager if no process is left in it.
    ///
    /// # Errors
    /// Whatever else keeps it.
    pub fn remove_manager_cgroup(&self, uid: Uid) -> Result<Reaped> {
        tree::remove(&self.manager_path(uid))
    }
}

fn delegate(directory: &Path, uid: Uid, gid: u32) -> Result<()> {
    let give = |path: &Path| chown(path, Some(uid.get()), Some(gid));
    give(directory).context("give away cgroup", directory.display())?;
    for (index, name) in DELEGATED.into_iter().enumerate() {
        let file = directory.join(name);
        match give(&file) {
            Err(error) if index >= 2 && error.kind() == ErrorKind::NotFound => {}
            given => given.context("give away", file.display())?,
        }
    }
    Ok(())
}
