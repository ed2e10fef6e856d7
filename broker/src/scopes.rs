//! The sessions' cgroups: made, emptied, watched, removed.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use usher_model::{MoveOut, Reaped};
use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use crate::crash;
use crate::sys::cgroup::{CgroupRoot, populated};
use crate::sys::rcu::Expediter;
use crate::sys::scope_watch::ScopeWatch;
use crate::sys::{Readiness, Result, SysError, pidfd};

/// For so long after a process was moved the kernel moves another one at once (see [`Scopes::create_at_once`]). It depends on the
/// kernel's tick and load; to be wrong costs a wait here or a thread's start, no more.
const QUICK: Duration = Duration::from_millis(4);

/// How long killed processes may take to go before it is worth a word. Only those that the kernel itself holds up take
/// any time.
pub(crate) const AFTER_KILL: Duration = Duration::from_secs(5);

/// Every session's cgroup, where there are cgroups.
pub(crate) struct Scopes {
    root: Option<Arc<CgroupRoot>>,
    watch: ScopeWatch<Watched>,
    /// The keys of those that sessions have adopted.
    adopted: BTreeMap<SessionId, Watched>,
    some_changed: Readiness,
    last_move: Option<Instant>,
    expediter: Expediter,
}

/// A cgroup whose last process is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watched {
    /// A session's that is closing.
    Scope(Uid, SessionId),
    /// Another daemon's, that a session which is closing has adopted.
    Adopted(SessionId, PathBuf),
    /// What could not be removed of a user who has gone.
    Slice(Uid),
}

impl Scopes {
    pub(crate) fn new(root: Option<Arc<CgroupRoot>>, expediter: Expediter) -> anyhow::Result<Self> {
        let watch = ScopeWatch::new()?;
        let some_changed = Readiness::of(&watch)?;
        Ok(Self { root, watch, adopted: BTreeMap::new(), some_changed, last_move: None, expediter })
    }

    /// Changes whether moves are expedited.
    pub(crate) fn reconfigure(&self, expedite: bool) {
        self.expediter.set(expedite);
    }

    /// Makes a session's cgroup and moves its leader there; `None` if that will take a while, and is not done.
    ///
    /// Before the kernel moves a process it waits for an RCU grace period, 5 to 20 ms, or a few hundred us where that is expedited;
    /// only right after another move, while the last period's effect lasts, it takes some 50 us. (Not with cgroup2's mount
    /// option `favordynmods`, the kernel's admin-guide/cgroup-v2.)
    pub(crate) fn create_at_once(
        &mut self,
        uid: Uid,
        session: &SessionId,
        leader: LeaderPid,
        held: Option<BorrowedFd<'_>>,
    ) -> Option<Result<()>> {
        let expedited = (self.root.is_some() && !self.is_quick()).then(|| self.expediter.begin());
        if expedited.as_ref().is_some_and(|expedited| !expedited.hurries()) {
            return None;
        }
        let result = place(self.root.as_deref(), uid, session, leader, held);
        self.moved();
        Some(result)
    }

    /// The same without regard to time, for a thread that may wait. Whoever calls it reports with [`Self::moved`].
    pub(crate) fn creation(&self) -> impl FnOnce(Uid, &SessionId, LeaderPid) -> Result<()> + Send + use<> {
        let (root, expediter) = (self.root.clone(), self.expediter.clone());
        move |uid, session, leader| {
            // It may have become possible since.
            let _expedited = root.is_some().then(|| expediter.begin());
            place(root.as_deref(), uid, session, leader, None)
        }
    }

    /// Whether the kernel moves a process at once.
    pub(crate) fn is_quick(&self) -> bool {
        self.last_move.is_some_and(|moved| moved.elapsed() <= QUICK)
    }

    /// A process was moved just now.
    pub(crate) fn moved(&mut self) {
        self.last_move = Some(Instant::now());
    }

    /// Puts those who are to go where the leader came from, and removes the cgroup if nobody is left. `held` is the leader's
    /// pidfd, where it is watched.
    pub(crate) fn reap(
        &mut self,
        uid: Uid,
        session: &SessionId,
        move_out: Option<&MoveOut>,
        held: Option<BorrowedFd<'_>>,
    ) -> Result<Reaped> {
        let Some(root) = &self.root else { return Ok(Reaped::Gone) };
        if let Some(MoveOut { leader, others, origin }) = move_out {
            let _expedited = (!self.is_quick()).then(|| self.expediter.begin());
            let held = held.filter(|held| root.is_in_scope(*held, uid, session) && !pidfd::has_exited(held));
            let is_there = |process: &&LeaderPid| {
                (held.is_some() && Some(**process) == *leader) || is_in(root, **process, session)
            };
            for process in leader.iter().chain(others).filter(is_there) {
                if let Err(error) = root.move_pid(process.pid, origin.as_deref().unwrap_or("/")) {
                    tracing::debug!(%uid, %session, %process, %error, "it stays in the session's cgroup");
                }
                crash::point(crash::LEADER_MOVED_BACK);
                // Only a move makes the next one quick; to remove a directory does not.
                self.last_move = Some(Instant::now());
            }
        }
        let reaped = root.reap_scope(uid, session)?;
        if reaped == Reaped::Gone {
            self.watch.unwatch(&Watched::Scope(uid, session.clone()));
        }
        Ok(reaped)
    }

    /// Watches a cgroup for its last process. Whether that has gone already.
    pub(crate) fn watch(&mut self, uid: Uid, session: &SessionId) -> Result<bool> {
        let Some(root) = &self.root else { return Ok(true) };
        let path = root.scope_path(uid, session);
        let watched = self.watch.watch(&path, Watched::Scope(uid, session.clone()))?;
        Ok(!watched || !populated(&path)?)
    }

    /// Watches another daemon's cgroup for its last process. Whether that has gone already, or the cgroup has.
    pub(crate) fn watch_adopted(&mut self, session: &SessionId, cgroup: &str) -> Result<bool> {
        let Some(path) = self.root.as_ref().and_then(|root| root.locate(cgroup)) else { return Ok(true) };
        let key = Watched::Adopted(session.clone(), path.clone());
        if !self.watch.watch(&path, key.clone())? {
            return Ok(true);
        }
        self.adopted.insert(session.clone(), key);
        Ok(!populated(&path)?)
    }

    /// A session is gone: what it has adopted is nobody's business any more.
    pub(crate) fn forget(&mut self, session: &SessionId) {
        if let Some(key) = self.adopted.remove(session) {
            self.watch.unwatch(&key);
        }
    }

    pub(crate) fn signal(&self, uid: Uid, session: &SessionId, signal: i32) -> Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        root.signal_all(&root.scope_path(uid, session), signal).map(drop)
    }

    /// Kills everybody in a session's cgroup, and says why and whom. Says it again of those who are still there after a while:
    /// the kernel itself keeps them, and the session with them.
    pub(crate) fn kill(&self, uid: Uid, session: &SessionId, why: &str) -> Result<()> {
        let Some(root) = self.root.clone() else { return Ok(()) };
        let (path, slice) = (root.scope_path(uid, session), root.slice_path(uid));
        tracing::warn!(%uid, %session, "{why}: {}", root.survivors(&path, &slice));
        let killed = root.kill_all(&path);
        let session = session.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AFTER_KILL).await;
            let left = root.survivors(&path, &slice);
            if !left.is_empty() {
                tracing::warn!(%uid, %session, "processes do not go away, not even when killed: {left}");
            }
        });
        killed
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
        let Some(root) = self.root.clone() else { return Ok(Vec::new()) };
        let mut sessions = Vec::new();
        for watched in changed {
            match watched {
                // What cannot be read is worth a try to remove it.
                Watched::Scope(uid, session) => {
                    if !populated(&root.scope_path(uid, &session)).unwrap_or(false) {
                        sessions.push(session);
                    }
                }
                Watched::Adopted(session, path) => {
                    if !populated(&path).unwrap_or(false) {
                        sessions.push(session);
                    }
                }
                Watched::Slice(uid) => self.remove_slice(uid),
            }
        }
        Ok(sessions)
    }

    /// Processes of a user who has gone are left, because the kernel holds them: what is left of the user's part of the
    /// tree goes with them.
    pub(crate) fn watch_slice(&mut self, uid: Uid) {
        let Some(root) = &self.root else { return };
        match self.watch.watch(&root.slice_path(uid), Watched::Slice(uid)) {
            Ok(true) => self.remove_slice(uid),
            Ok(false) => {}
            Err(error) => tracing::warn!(%uid, %error, "{} stays until the next login", uid.slice()),
        }
    }

    /// The user is back.
    pub(crate) fn unwatch_slice(&mut self, uid: Uid) {
        self.watch.unwatch(&Watched::Slice(uid));
    }

    fn remove_slice(&mut self, uid: Uid) {
        let Some(root) = &self.root else { return };
        let slice = root.slice_path(uid);
        if populated(&slice).unwrap_or(false) {
            return;
        }
        match root.remove_slice(uid) {
            Ok(Reaped::Gone) => {
                tracing::info!(%uid, "removed {}: the last process in it has gone", uid.slice());
                self.unwatch_slice(uid);
            }
            Ok(Reaped::Busy) => {}
            Err(error) => tracing::warn!(%uid, "{error}"),
        }
    }
}

fn place(
    root: Option<&CgroupRoot>,
    uid: Uid,
    session: &SessionId,
    leader: LeaderPid,
    held: Option<BorrowedFd<'_>>,
) -> Result<()> {
    match root {
        Some(root) => root.place_leader(uid, session, leader, held),
        None => Err(SysError::other("create cgroup", session.scope(), "there is no cgroup2 tree")),
    }
}

/// Whether exactly this process, and not one that has its number by now, is in a session.
fn is_in(root: &CgroupRoot, process: LeaderPid, session: &SessionId) -> bool {
    root.session_of_pid(process.pid).as_ref() == Some(session)
        && pidfd::leader_of(process.pid).is_ok_and(|now| now == process)
}
