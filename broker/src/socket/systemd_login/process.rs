//! Which process a request means: by its pidfd, which stays with it, never by a number that may be somebody else's by now.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use tokio::net::UnixStream;

use super::error::LoginError;
use super::messages::Process;
use crate::socket::peer::Peer;
use crate::sys::pidfd;

/// The pidfd of the process that is to lead a session.
///
/// # Errors
/// There is no such process, or it cannot be told for sure which one is meant.
pub(super) fn pidfd_of(process: &Process, peer: &Peer, stream: &UnixStream) -> Result<OwnedFd, LoginError> {
    let own = match getsockopt(stream, sockopt::PeerPidfd) {
        Ok(own) => Some(own),
        // Linux before 6.5.
        Err(Errno::ENOPROTOOPT) => None,
        Err(error) => return Err(LoginError::no_such_process(format!("the caller has gone: {error}"))),
    };
    match process {
        Process::Peer => own.ok_or(LoginError::NoSessionPidfd {}),
        Process::Named { boot_id: Some(id), .. } if !is_this_boot(id) => {
            Err(LoginError::no_such_process("the process is of another boot"))
        }
        Process::Named { pid, pidfd_id, .. } => named(*pid, *pidfd_id, own, peer),
    }
}

fn named(pid: u32, id: Option<u64>, own: Option<OwnedFd>, peer: &Peer) -> Result<OwnedFd, LoginError> {
    // The caller itself may have another number where it is, in a container.
    if let Some(own) = own
        && (id.is_some() && pidfd::inode_of(&own) == id || id.is_none() && pid == peer.pid)
    {
        return Ok(own);
    }
    if id.is_none() && !pidfd::shares_pid_namespace(peer.pid) {
        let message =
            "the caller is in another pid namespace: there, a number without pidfdId is another process's";
        return Err(LoginError::invalid("PID", message));
    }
    let gone = || {
        LoginError::no_such_process(format!("there is no process {pid}, or no longer the one that is meant"))
    };
    let found = pidfd::open(pid).map_err(|_| gone())?;
    if id.is_some() && pidfd::inode_of(&found) != id { Err(gone()) } else { Ok(found) }
}

fn is_this_boot(id: &str) -> bool {
    let plain = |id: &str| id.trim_end().replace('-', "").to_ascii_lowercase();
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").is_ok_and(|boot| plain(&boot) == plain(id))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::socket::headroom::Room;
    use usher_protocol::ids::Uid;

    struct Sleeper(Child);

    impl Sleeper {
        fn new() -> Self {
            Self(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    /// What a caller finds who is this very process.
    fn find(process: &Process) -> Result<Option<u32>, LoginError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _context = runtime.enter();
        let (_client, stream) = UnixStream::pair().unwrap();
        let peer = Peer { uid: Uid::ROOT, pid: std::process::id(), room: Room::Everybody };
        pidfd_of(process, &peer, &stream).map(|fd| pidfd::pid_of(fd).unwrap())
    }

    #[test]
    fn a_process_is_found_by_all_that_is_said_of_it() {
        let child = Sleeper::new();
        let (pid, other) = (child.0.id(), std::process::id());
        let id = pidfd::inode_of(pidfd::open(pid).unwrap());
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let named = |pid, pidfd_id, boot_id: Option<&str>| {
            find(&Process::Named { pid, pidfd_id, boot_id: boot_id.map(str::to_owned) })
        };
        assert_eq!(find(&Process::Peer), Ok(Some(other)));
        assert_eq!(named(pid, None, None), Ok(Some(pid)));
        assert_eq!(named(other, None, None), Ok(Some(other)));
        assert_eq!(named(pid, id, Some(&boot.trim().replace('-', ""))), Ok(Some(pid)));
        assert_eq!(named(pid, id, Some(boot.trim())), Ok(Some(pid)));
        let refused = |found| matches!(found, Err(LoginError::System { errno: libc::ESRCH, .. }));
        assert!(refused(named(pid, id, Some(&"0".repeat(32)))), "of another boot");
        if let Some(id) = id {
            assert!(refused(named(pid, Some(id + 1_000_000), None)), "another process had that number");
            let own = pidfd::inode_of(pidfd::open(other).unwrap());
            assert_eq!(named(4_000_000, own, None), Ok(Some(other)), "the caller, as it sees itself");
        }
        assert!(refused(named(4_194_305, None, None)), "more than there can be");
    }
}
