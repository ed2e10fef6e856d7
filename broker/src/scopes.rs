//! The sessions' cgroups: made, emptied, watched, removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use usher_model::{MoveOut, Reaped};
use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use crate::sys::cgroup::{CgroupRoot, populated};
use crate::sys::scope_watch::ScopeWatch;
use crate::sys::{Readiness, Result, SysError};

/// For so long after a process was moved the kernel moves another one at once (see [`Scopes::create_at_once`]). It depends on the
/// kernel's tick and load; to be wrong costs a wait here or a thread's start, no more.
const QUICK: Duration = Duration::from_millis(4);

/// Every session's cgroup, where there are cgroups.
pub(crate) struct Scopes {
    root: Option<Arc<CgroupRoot>>,
    watch: ScopeWatch<(Uid, SessionId)>,
    some_changed: Readiness,
    last_move: Option<Instant>,
}

impl Scopes {
    pub(crate) fn new(root: Option<Arc<CgroupRoot>>) -> anyhow::Result<Self> {
        let watch = ScopeWatch::new()?;
        let some_changed = Readiness::of(&watch)?;
        Ok(Self { root, watch, some_changed, last_move: None })
    }

    /// Makes a session's cgroup and moves its leader there; `None` if that will take a while, and is not done.
    ///
    /// Before the kernel moves a process it waits for an RCU grace period, 5 to 20 ms; only right after another move, while
    /// the last period's effect lasts, it takes some 50 us. (Not with cgroup2's mount option `favordynmods`,
    /// the kernel's admin-guide/cgroup-v2.)
    pub(crate) fn create_at_once(
        &mut self,
        uid: Uid,
        session: &SessionId,
        leader: LeaderPid,
    ) -> Option<Result<()>> {
        if self.root.is_some() && self.last_move.is_none_or(|moved| moved.elapsed() > QUICK) {
            return None;
        }
        let result = self.creation()(uid, session, leader);
        self.moved();
        Some(result)
    }

    /// The same without regard to time, for a thread that may wait. Whoever calls it reports with [`Self::moved`].
    pub(crate) fn creation(&self) -> impl FnOnce(Uid, &SessionId, LeaderPid) -> Result<()> + Send + use<> {
        let root = self.root.clone();
        move |uid, session, leader| match root {
            Some(root) => root.create_scope(uid, session, leader.pid),
            None => Err(SysError::other("create cgroup", session.scope(), "there is no cgroup2 tree")),
        }
    }

    /// A process was moved just now.
    pub(crate) fn moved(&mut self) {
        self.last_move = Some(Instant::now());
    }

    /// Puts the leader back where it came from, if it is to go, and removes the cgroup if nobody is left.
    pub(crate) fn reap(
        &mut self,
        uid: Uid,
        session: &SessionId,
        move_out: Option<&MoveOut>,
    ) -> Result<Reaped> {
        let Some(root) = &self.root else { return Ok(Reaped::Gone) };
        if let Some(MoveOut { leader, origin }) = move_out
            && root.session_of_pid(leader.pid).as_ref() == Some(session)
        {
            if let Err(error) = root.move_pid(leader.pid, origin.as_deref().unwrap_or("/")) {
                tracing::debug!(%uid, %session, %error, "the leader stays in its session's cgroup");
            }
            // Only a move makes the next one quick; to remove a directory does not.
            self.last_move = Some(Instant::now());
        }
        let reaped = root.reap_scope(uid, session)?;
        if reaped == Reaped::Gone {
            self.watch.unwatch(&(uid, session.clone()));
        }
        Ok(reaped)
    }

    /// Watches a cgroup for its last process. Whether that has gone already.
    pub(crate) fn watch(&mut self, uid: Uid, session: &SessionId) -> Result<bool> {
        let Some(root) = &self.root else { return Ok(true) };
        let path = root.scope_path(uid, session);
        let watched = self.watch.watch(&path, (uid, session.clone()))?;
        Ok(!watched || !populated(&path)?)
    }

    pub(crate) fn signal(&self, uid: Uid, session: &SessionId, signal: i32) -> Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        root.signal_all(&root.scope_path(uid, session), signal).map(drop)
    }

    pub(crate) fn kill(&self, uid: Uid, session: &SessionId) -> Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        root.kill_all(&root.scope_path(uid, session))
    }

    pub(crate) fn signal_user(&self, uid: Uid, signal: i32) -> Result<()> {
        let Some(root) = &self.root else {
            return Err(SysError::other("signal the processes of user", uid, "there is no cgroup2 tree"));
        };
        root.signal_all(&root.slice_path(uid), signal).map(drop)
    }

    /// Waits until watched cgroups have become empty, and says which. Nothing is lost if the wait is given up.
    pub(crate) async fn emptied(&mut self) -> std::io::Result<Vec<SessionId>> {
        self.some_changed.wait().await?;
        let changed = self.watch.drain().map_err(std::io::Error::other)?;
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let empty = |(uid, session): &(Uid, SessionId)| {
            // What cannot be read is worth a try to remove it.
            !populated(&root.scope_path(*uid, session)).unwrap_or(false)
        };
        Ok(changed.into_iter().filter(empty).map(|(_, session)| session).collect())
    }
}
