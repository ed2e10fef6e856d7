//! The socket file, and the lock that keeps a second usherd off it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, listen, socket_with,
};
use tokio::net::UnixListener;
use usher_protocol::{ROOT_SOCKET_PATH, SOCKET_PATH};

use super::systemd_login;
use crate::crash;

/// The broker's own directory.
pub(crate) const DIRECTORY: &str = "/run/usher";
/// Where systemd's programs have theirs.
const SYSTEMD_DIRECTORY: &str = "/run/systemd";
/// Held by the one usherd that runs.
const LOCK: &str = "/run/usher/lock";
/// How many logins may knock before the broker opens: as many as the kernel permits (net.core.somaxconn).
const BACKLOG: i32 = 4096;

/// Held as long as this usherd lives.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Takes the lock; fails if another usherd has it.
    pub(crate) fn take() -> Result<Self> {
        make_directory(DIRECTORY)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(LOCK)
            .with_context(|| format!("cannot open {LOCK}"))?;
        // The process's own, fcntl(2): with flock(2) a child of a killed usherd, not yet another program, would have it, and the
        // next usherd would not start.
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::AGAIN | Errno::ACCESS) => {
                bail!("another usherd is running: it holds {LOCK}. Stop that one first")
            }
            Err(error) => Err(error).with_context(|| format!("cannot lock {LOCK}")),
        }
    }
}

/// Listens at the broker's two paths, root's and everybody's: the kernel serves whoever knocks in order, and at a socket that
/// anybody may flood, root would stand behind them. And where pam_systemd knocks, which everybody may, too.
pub(crate) fn bind(lock: &Lock) -> Result<[UnixListener; 3]> {
    make_directory(SYSTEMD_DIRECTORY)?;
    // Everyone may talk; who is who, the kernel says of each connection, of root's, too.
    Ok([
        listen_at(lock, ROOT_SOCKET_PATH, 0o600)?,
        listen_at(lock, SOCKET_PATH, 0o666)?,
        listen_at(lock, systemd_login::SOCKET_PATH, 0o666)?,
    ])
}

fn make_directory(path: &str) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.with_context(|| format!("cannot create {path}"))
}

/// The socket appears there complete, in place of one that a dead broker left behind.
fn listen_at(_lock: &Lock, path: &str, mode: u32) -> Result<UnixListener> {
    let fresh = &format!("{path}.new");
    let _ = std::fs::remove_file(fresh);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .context("cannot make the broker's socket")?;
    let address = SocketAddrUnix::new(fresh).context("cannot name the broker's socket")?;
    bind_to(&socket, &address).with_context(|| format!("cannot bind {fresh}"))?;
    listen(&socket, BACKLOG).with_context(|| format!("cannot listen on {fresh}"))?;
    std::fs::set_permissions(fresh, std::os::unix::fs::PermissionsExt::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {fresh}"))?;
    crash::point(crash::START_SOCKET_MADE);
    std::fs::rename(fresh, path).with_context(|| format!("cannot put the socket at {path}"))?;
    UnixListener::from_std(socket.into()).context("cannot hand the broker's socket to the runtime")
}
