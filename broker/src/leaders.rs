//! The leaders' pidfds, by session: watched for their end, and signalled on request.

use std::os::fd::{BorrowedFd, OwnedFd};

use usher_protocol::ids::SessionId;

use crate::sys::exit_watch::ExitWatch;
use crate::sys::{Readiness, Result, pidfd};

/// The leaders that are watched.
pub(crate) struct Leaders {
    watch: ExitWatch<SessionId>,
    some_gone: Readiness,
}

impl Leaders {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let watch = ExitWatch::new()?;
        let some_gone = Readiness::of(&watch)?;
        Ok(Self { watch, some_gone })
    }

    /// Watches a session's leader from now on.
    pub(crate) fn watch(&mut self, session: SessionId, leader: OwnedFd) -> Result<()> {
        self.watch.add(leader, session)
    }

    pub(crate) fn forget(&mut self, session: &SessionId) {
        self.watch.remove(session);
    }

    /// A session's leader, if it is watched.
    pub(crate) fn held(&self, session: &SessionId) -> Option<BorrowedFd<'_>> {
        self.watch.get(session)
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
        self.watch.drain().map_err(std::io::Error::other)
    }
}
