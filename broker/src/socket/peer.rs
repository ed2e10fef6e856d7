//! Who is at the other end of a connection: what the kernel says, and nothing that the peer says.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::socket::{getsockopt, sockopt};
use tokio::net::UnixStream;
use usher_protocol::ids::{LeaderPid, Uid};
use usher_protocol::messages::Refusal;

use super::headroom::Room;
use crate::sys::pidfd;

/// The process that connected.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its effective user when it connected (SO_PEERCRED).
    pub(crate) uid: Uid,
    /// Its process id when it connected; somebody else's, perhaps, once it has gone.
    pub(crate) pid: u32,
    /// The process itself (SO_PEERPIDFD, Linux 6.5).
    pidfd: Option<OwnedFd>,
    /// Who could be served when it connected.
    pub(crate) room: Room,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream, room: Room) -> io::Result<Self> {
        let credentials = getsockopt(stream, sockopt::PeerCredentials)?;
        let uid = Uid::try_from(credentials.uid()).map_err(io::Error::other)?;
        let pid = u32::try_from(credentials.pid()).map_err(io::Error::other)?;
        if pid == 0 {
            return Err(io::Error::other("the peer is in another pid namespace"));
        }
        Ok(Self { uid, pid, pidfd: getsockopt(stream, sockopt::PeerPidfd).ok(), room })
    }

    /// The peer as a session's leader. Where the kernel does not give out the peer's pidfd, the one that the peer has
    /// passed is taken, if it is its own.
    pub(crate) fn leader(&mut self, passed: Option<OwnedFd>) -> Result<(LeaderPid, OwnedFd), Refusal> {
        let failed = |what: &str| Refusal::Failed {
            message: format!("cannot identify the process {} that registers a session: {what}", self.pid),
        };
        let fd = match self.pidfd.take() {
            Some(fd) => fd,
            None => passed.ok_or_else(|| failed("this kernel needs the module to pass its own pidfd"))?,
        };
        // A pidfd of a process that has gone knows no number any more; its number cannot have been used again before.
        if pidfd::pid_of(&fd).map_err(|e| failed(&e.to_string()))? != Some(self.pid) {
            return Err(failed("the pidfd is another process's, or the process has gone"));
        }
        let leader = pidfd::leader_of(self.pid).map_err(|e| failed(&e.to_string()))?;
        if pidfd::has_exited(&fd) {
            return Err(failed("it has gone"));
        }
        Ok((leader, fd))
    }
}
