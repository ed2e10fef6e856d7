//! A leader's way into its session's scope. The kernel takes a process by its number only, and may make us wait before it
//! looks: meanwhile the leader may have ended, and its number be somebody else's.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use super::super::{Context, Result, pidfd};
use super::CgroupRoot;

impl CgroupRoot {
    /// [`CgroupRoot::create_scope`] for a leader by the name that stays true. Whoever else was moved in its place is put
    /// back to where its parent is, which is where a process comes from. With its pidfd that is known without a look at /proc: as
    /// long as it lives, its number is nobody else's.
    ///
    /// # Errors
    /// As for [`CgroupRoot::create_scope`]; [`super::SysError::is_gone`] also if the number is another process's.
    pub fn place_leader(
        &self,
        uid: Uid,
        id: &SessionId,
        leader: LeaderPid,
        held: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        self.create_scope(uid, id, leader.pid)?;
        if held.is_some_and(|held| !pidfd::has_exited(held)) {
            return Ok(());
        }
        // One that has ended after it was moved is nobody else; its end is noticed elsewhere.
        if self.put_back_others(leader, &self.scope_path(uid, id))? {
            self.reap_scope(uid, id)?;
            return Err(Errno::SRCH).context("move the leader, which is gone, to", id.scope());
        }
        Ok(())
    }
}
