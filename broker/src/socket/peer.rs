//! Who is at the other end of a connection: what the kernel says, and nothing that the peer says.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use tokio::net::UnixStream;
use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

use super::headroom::Room;
use crate::opening::Leader;
use crate::sys::pidfd;

/// The process that connected.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its effective user when it connected (SO_PEERCRED).
    pub(crate) uid: Uid,
    /// Its process id when it connected; somebody else's, perhaps, once it has gone. 0: it has none in this pid namespace.
    pub(crate) pid: u32,
    /// Who could be served when it connected.
    pub(crate) room: Room,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream, room: Room) -> io::Result<Self> {
        let credentials = getsockopt(stream, sockopt::PeerCredentials)?;
        let uid = Uid::try_from(credentials.uid()).map_err(io::Error::other)?;
        let pid = u32::try_from(credentials.pid()).map_err(io::Error::other)?;
        Ok(Self { uid, pid, room })
    }

    /// The peer as a session's leader.
    pub(crate) fn leader(&self, stream: &UnixStream, passed: Option<OwnedFd>) -> Result<Leader, Refusal> {
        self.identified(self.pidfd(stream, passed)?)
    }

    /// The process itself by SO_PEERPIDFD, or, where the kernel does not have that (before Linux 6.5), by the pidfd that the
    /// peer has passed, if it is its own.
    pub(crate) fn pidfd(&self, stream: &UnixStream, passed: Option<OwnedFd>) -> Result<OwnedFd, Refusal> {
        match getsockopt(stream, sockopt::PeerPidfd) {
            // The kernel took both of the same process: this one has the number that SO_PEERCRED gave.
            Ok(pidfd) => Ok(pidfd),
            // What it passes cannot be compared with a number that it does not have.
            Err(Errno::ENOPROTOOPT) if self.is_hidden() => {
                let message = "cannot identify the process that registers a session: it is in a pid namespace that usherd \
                    does not see into, which takes Linux 6.5; run usherd in that pid namespace or in one above it";
                Err(Refusal::Failed { message: message.to_owned() })
            }
            Err(Errno::ENOPROTOOPT) => {
                let pidfd = passed
                    .ok_or_else(|| self.failed("this kernel needs the module to pass its own pidfd"))?;
                if pidfd::pid_of(&pidfd).map_err(|e| self.failed(&e.to_string()))? != Some(self.pid) {
                    return Err(self.failed("the pidfd is another process's, or the process has gone"));
                }
                Ok(pidfd)
            }
            Err(error) => Err(self.failed(error.desc())),
        }
    }

    /// The peer, whose pidfd that is.
    pub(crate) fn identified(&self, pidfd: OwnedFd) -> Result<Leader, Refusal> {
        let number = Some(self.pid).filter(|_| !self.is_hidden());
        Leader::with_number(pidfd, number).map_err(|error| self.failed(&error))
    }

    fn is_hidden(&self) -> bool {
        self.pid == 0
    }

    fn failed(&self, what: &str) -> Refusal {
        let message = format!("cannot identify the process {} that registers a session: {what}", self.pid);
        Refusal::Failed { message }
    }
}
