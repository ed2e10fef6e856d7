//! The cgroup of a user's manager and everything that it starts: made, emptied, removed. Where there are no cgroups,
//! there is nothing to do, and only the main process is known.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use usher_model::Reaped;
use usher_protocol::ids::Uid;

use crate::config::Resources;
use crate::scopes::AFTER_KILL;
use crate::sys::cgroup::{CgroupRoot, Survivors};
use crate::sys::{Result, SysError};

/// How long those may take to go for whom a login may be waiting, within its budget.
const CLEAR_QUICKLY: Duration = Duration::from_secs(2);

/// Every manager's cgroup.
#[derive(Debug, Clone)]
pub(super) struct Realm(Option<Arc<CgroupRoot>>);

impl Realm {
    pub(super) fn new(cgroups: Option<Arc<CgroupRoot>>) -> Self {
        Self(cgroups)
    }

    /// Whether there are cgroups at all.
    pub(super) fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// Makes a user's, and says where in it the manager itself belongs.
    pub(super) fn prepare(&self, uid: Uid, gid: u32) -> Result<Option<PathBuf>> {
        self.0.as_ref().map(|cgroups| cgroups.manager_cgroup(uid, gid)).transpose()
    }

    /// Sets what a user may use in all, and the manager with its services. A limit that the kernel refuses keeps nobody out.
    pub(super) fn limit(&self, uid: Uid, slice: &Resources, service: &Resources) {
        let Some(cgroups) = &self.0 else { return };
        if let Err(error) = cgroups.limit(uid, slice, service) {
            tracing::warn!(%uid, %error, "a limit from the drop-ins of user@.service or user-.slice is not in force");
        }
    }

    /// Where the manager itself belongs.
    pub(super) fn inner(&self, uid: Uid) -> Option<PathBuf> {
        self.0.as_ref().map(|cgroups| cgroups.manager_path(uid).join("init.scope"))
    }

    /// Who is in a user's.
    pub(super) fn survivors(&self, uid: Uid) -> Survivors {
        let Some(cgroups) = &self.0 else { return Survivors::default() };
        let path = cgroups.manager_path(uid);
        cgroups.survivors(&path, &path)
    }

    /// Kills whatever is in a user's where nothing should be, and says whom that hits. Whether there is such a cgroup.
    pub(super) fn kill_strangers(&self, uid: Uid) -> bool {
        let strangers = self.survivors(uid);
        if !strangers.is_empty() {
            tracing::warn!(%uid, "processes of a user manager that nobody knows are killed: {strangers}");
        }
        let exists = self.0.as_ref().is_some_and(|cgroups| cgroups.manager_path(uid).exists());
        self.kill(uid);
        exists
    }

    /// Asks whatever is in a user's to end.
    pub(super) fn terminate(&self, uid: Uid) {
        let Some(cgroups) = &self.0 else { return };
        let path = cgroups.manager_path(uid);
        if let Err(error) = cgroups.signal_all(&path, rustix::process::Signal::TERM.as_raw()) {
            tracing::debug!(%uid, %error, "not everything that a user manager left could be asked to end");
        }
    }

    /// Kills whatever is in a user's.
    pub(super) fn kill(&self, uid: Uid) {
        let Some(cgroups) = &self.0 else { return };
        let path = cgroups.manager_path(uid);
        if !path.exists() {
            return;
        }
        if let Err(error) = cgroups.kill_all(&path) {
            tracing::warn!(%uid, %error, "cannot kill what is left of a user manager");
        }
    }

    /// Removes a user's.
    ///
    /// # Errors
    /// There are processes in it, or the kernel has another reason.
    pub(super) fn remove(&self, uid: Uid) -> Result<()> {
        let Some(cgroups) = &self.0 else { return Ok(()) };
        match cgroups.remove_manager_cgroup(uid)? {
            Reaped::Gone => Ok(()),
            Reaped::Busy => {
                let path = cgroups.manager_path(uid);
                Err(SysError::other("remove cgroup", path.display(), "there are processes in it"))
            }
        }
    }

    /// Ends what a manager has left in its user's, and removes that. Says so if that does not go.
    pub(super) async fn clear(&self, uid: Uid) {
        if let Err(error) = self.clear_within(uid, AFTER_KILL).await {
            let left = self.survivors(uid);
            tracing::warn!(%uid, %error, "processes of the user manager do not go away, not even when killed: {left}");
        }
    }

    /// The same where nothing should be.
    pub(super) async fn clear_strangers(&self, uid: Uid) {
        self.kill_strangers(uid);
        // What stays, stays in the user's slice, and whoever removes that says so.
        let _ = self.clear_within(uid, CLEAR_QUICKLY).await;
    }

    async fn clear_within(&self, uid: Uid, limit: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + limit;
        let mut pause = Duration::from_millis(1);
        loop {
            self.kill(uid);
            let outcome = self.remove(uid);
            if outcome.is_ok() || tokio::time::Instant::now() >= deadline {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}
