//! How a manager says that it is ready: sd_notify(3) on a socket of its own. The other side is the user, so reading is
//! bounded, the sender must be the manager's main process, and after the one word that matters the socket goes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Gid, Mode, Uid as FsUid, chmod, chown};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
    SocketType, bind, recvmsg, socket_with, sockopt::set_socket_passcred,
};
use usher_protocol::ids::Uid;

use crate::sys;

/// Only root may make sockets here; each belongs to its user.
pub(super) const DIRECTORY: &str = "/run/usher/notify";
/// More than this a manager has no reason to send before it is ready.
const MAX_MESSAGES: u32 = 10_000;

/// Removes what nobody has any more: the files of a socket or FIFO, and the note about the definition.
pub(super) fn remove_leftover(uid: Uid) {
    for name in [uid.to_string(), format!("{uid}.fifo"), format!("{uid}.manager")] {
        let _ = std::fs::remove_file(PathBuf::from(DIRECTORY).join(name));
    }
}

/// Notes by which definition a user's manager was started, for the usherd that adopts it.
pub(super) fn note_definition(uid: Uid, name: &str) -> io::Result<()> {
    std::fs::write(PathBuf::from(DIRECTORY).join(format!("{uid}.manager")), name)
}

/// By which definition it was started.
pub(super) fn noted_definition(uid: Uid) -> Option<String> {
    std::fs::read_to_string(PathBuf::from(DIRECTORY).join(format!("{uid}.manager"))).ok()
}

/// A manager's readiness socket; its file goes when it is dropped.
#[derive(Debug)]
pub(super) struct Readiness {
    socket: OwnedFd,
    some_came: sys::Readiness,
    path: PathBuf,
}

impl Readiness {
    /// Makes the socket, in place of one that an earlier run has left.
    pub(super) fn bind(uid: Uid, gid: u32) -> io::Result<Self> {
        std::fs::create_dir_all(DIRECTORY)?;
        let path = PathBuf::from(DIRECTORY).join(uid.to_string());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new(&path)?)?;
        chmod(&path, Mode::from_raw_mode(0o600))?;
        chown(&path, Some(FsUid::from_raw(uid.get())), Some(Gid::from_raw(gid)))?;
        let some_came = sys::Readiness::of(&socket)?;
        Ok(Self { socket, some_came, path })
    }

    /// Where the manager finds it (NOTIFY_SOCKET).
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Waits until the process says that it is ready. Never returns if it talks and talks but does not say that.
    pub(super) async fn ready(&self, main: u32) {
        for _ in 0..MAX_MESSAGES {
            match receive(&self.socket) {
                Ok((sender, text)) if sender == Some(main) && says_ready(&text) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.some_came.wait().await.is_err() {
                        break;
                    }
                }
                // Other words, other senders, errors of the moment: others have their turn first.
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            }
        }
        std::future::pending().await
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn receive(socket: &OwnedFd) -> io::Result<(Option<u32>, Vec<u8>)> {
    let mut buffer = [0_u8; 4096];
    // Room for credentials only: descriptors that come along are closed by the kernel.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [io::IoSliceMut::new(&mut buffer)];
    let message = recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)?;
    let bytes = message.bytes;
    let mut sender = None;
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmCredentials(credentials) = part {
            sender = u32::try_from(credentials.pid.as_raw_pid()).ok();
        }
    }
    Ok((sender, buffer.get(..bytes).unwrap_or_default().to_vec()))
}

/// sd_notify(3): newline-separated assignments.
pub(crate) fn says_ready(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_ready() {
        assert!(says_ready(b"READY=1"));
        assert!(says_ready(b"STATUS=Ready.\nREADY=1\n"));
        assert!(!says_ready(b"READY=0"));
        assert!(!says_ready(b"X_READY=1\nREADY=1 "));
        assert!(!says_ready(b""));
    }
}
