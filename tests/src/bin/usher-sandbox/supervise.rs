//! What PID 1 does for the rest of its life: reaps orphans, writes down syslog lines and service notifications, and ends
//! (and with it the machine) when the harness lets go of the pipe on standard input.

use std::fs::{self, File};
use std::io::{IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET, SYSLOG};

/// More than any syslog line or notification of the programs under test.
const DATAGRAM: usize = 64 * 1024;

pub(crate) struct Supervisor {
    children: SignalFd,
    syslog: UnixDatagram,
    syslog_file: File,
    notify: UnixDatagram,
    notify_file: File,
}

impl Supervisor {
    pub(crate) fn new() -> Result<Self> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().context("block SIGCHLD")?;
        let children = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .context("open a signalfd for SIGCHLD")?;
        let notify = socket(NOTIFY_SOCKET)?;
        setsockopt(&notify, sockopt::PassCred, &true).context("ask for senders' credentials")?;
        Ok(Self {
            children,
            syslog: socket("/dev/log")?,
            syslog_file: log(SYSLOG)?,
            notify,
            notify_file: log(NOTIFICATIONS)?,
        })
    }

    pub(crate) fn run(&mut self) -> Result<ExitCode> {
        let lifeline = std::io::stdin();
        loop {
            let mut fds = [
                PollFd::new(lifeline.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.syslog.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.notify.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error).context("wait for events in PID 1"),
            }
            let [harness, children, syslog, notify] = fds.map(|fd| fd.any().unwrap_or(false));
            if harness {
                return Ok(ExitCode::SUCCESS);
            }
            if children {
                self.reap();
            }
            if syslog {
                self.syslog_line();
            }
            if notify {
                self.notification();
            }
        }
    }

    fn reap(&mut self) {
        while let Ok(Some(_)) = self.children.read_signal() {}
        // One SIGCHLD may stand for many children.
        while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_)) {}
    }

    /// Losing a line must not stop PID 1, so errors are ignored here and below.
    fn syslog_line(&mut self) {
        let mut buffer = vec![0; DATAGRAM];
        if let Ok(length) = self.syslog.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]);
            let line = line.trim_end_matches(['\n', '\0']).replace('\n', " ");
            let _ = self.syslog_file.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn notification(&mut self) {
        let mut buffer = vec![0; DATAGRAM];
        let mut control = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let Ok(message) = recvmsg::<()>(self.notify.as_raw_fd(), &mut parts, Some(&mut control), flags)
        else {
            return;
        };
        let mut pid = 0;
        if let Ok(messages) = message.cmsgs() {
            for message in messages {
                if let ControlMessageOwned::ScmCredentials(sender) = message {
                    pid = sender.pid();
                }
            }
        }
        let length = message.bytes;
        let text = String::from_utf8_lossy(&buffer[..length]);
        let lines: String = text.lines().map(|line| format!("{pid} {line}\n")).collect();
        let _ = self.notify_file.write_all(lines.as_bytes());
    }
}

fn socket(path: &str) -> Result<UnixDatagram> {
    let socket = UnixDatagram::bind(path).with_context(|| format!("bind the socket {path}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).with_context(|| format!("chmod {path}"))?;
    Ok(socket)
}

fn log(path: &str) -> Result<File> {
    File::options().create(true).append(true).open(path).with_context(|| format!("open {path}"))
}
