//! The leaders' pidfds, by session: watched for their end, and signalled on request.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};

use usher_protocol::ids::SessionId;

use crate::sys::exit_watch::ExitWatch;
use crate::sys::{Readiness, Result, pidfd};

/// The leaders that are watched.
pub(crate) struct Leaders {
    watch: ExitWatch,
    some_gone: Readiness,
    sessions: BTreeMap<u64, SessionId>,
    keys: BTreeMap<SessionId, u64>,
    next_key: u64,
}

impl Leaders {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let watch = ExitWatch::new()?;
        let some_gone = Readiness::of(&watch)?;
        Ok(Self { watch, some_gone, sessions: BTreeMap::new(), keys: BTreeMap::new(), next_key: 0 })
    }

    /// Watches a session's leader from now on.
    pub(crate) fn watch(&mut self, session: SessionId, leader: OwnedFd) -> Result<()> {
        let key = self.next_key;
        self.next_key += 1;
        self.watch.add(leader, key)?;
        self.sessions.insert(key, session.clone());
        self.keys.insert(session, key);
        Ok(())
    }

    pub(crate) fn forget(&mut self, session: &SessionId) {
        if let Some(key) = self.keys.remove(session) {
            self.sessions.remove(&key);
            self.watch.remove(key);
        }
    }

    /// A session's leader, if it is watched.
    pub(crate) fn held(&self, session: &SessionId) -> Option<BorrowedFd<'_>> {
        self.keys.get(session).and_then(|key| self.watch.get(*key))
    }

    /// Signals a session's leader; nothing to do if it has gone.
    pub(crate) fn signal(&self, session: &SessionId, signal: i32) -> Result<()> {
        match self.held(session) {
            Some(leader) => pidfd::signal(leader, signal),
            None => Ok(()),
        }
    }

    /// Waits until at least one leader has gone, and says whose. Nothing is lost if the wait is given up.
    pub(crate) async fn gone(&mut self) -> std::io::Result<Vec<SessionId>> {
        self.some_gone.wait().await?;
        let keys = self.watch.drain().map_err(std::io::Error::other)?;
        let gone: Vec<_> = keys.iter().filter_map(|key| self.sessions.remove(key)).collect();
        for session in &gone {
            self.keys.remove(session);
        }
        Ok(gone)
    }
}
