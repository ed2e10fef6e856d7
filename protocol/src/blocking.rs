//! One varlink connection to usherd, blocking, every wait of it bounded by a deadline that the caller gives. For the
//! PAM module and the command line: no threads, no signals (MSG_NOSIGNAL), close-on-exec.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, sendmsg, socket_with,
    sockopt::{self, Timeout},
};
use rustix::process::geteuid;
use serde::de::DeserializeOwned;

use crate::login_wire::{self, LoginReply, LoginRequest};
use crate::messages::{Call, Refusal};
use crate::wire::{Decoder, MAX_REPLY, Reply, Request, WireError, encode_request};
use crate::{ROOT_SOCKET_PATH, SOCKET_PATH};

/// What can go wrong with a call. Only [`CallError::Refused`] is the broker's own answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens: the broker is not running.
    #[error("usherd is not running ({0})")]
    Absent(io::Error),
    /// The deadline has passed.
    #[error("usherd did not answer in time ({0})")]
    TimedOut(&'static str),
    /// The connection broke.
    #[error("connection to usherd lost: {0}")]
    Lost(io::Error),
    /// The answer is not varlink, or not what was asked for.
    #[error("usherd answered nonsense: {0}")]
    Nonsense(String),
    /// The broker said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<WireError> for CallError {
    fn from(error: WireError) -> Self {
        Self::Nonsense(error.to_string())
    }
}

/// A connection to the broker.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    decoder: Decoder,
}

impl Connection {
    /// Connects to the broker's socket. A dead or absent socket fails at once; a full one is waited for. At usherd's own
    /// [`SOCKET_PATH`], root uses [`ROOT_SOCKET_PATH`] where there is one, and does not wait behind everybody else.
    ///
    /// # Errors
    /// [`CallError::Absent`], [`CallError::TimedOut`] or [`CallError::Lost`].
    pub fn connect(path: &Path, deadline: Instant) -> Result<Self, CallError> {
        if path == Path::new(SOCKET_PATH) && geteuid().is_root() {
            match Self::connect_to(Path::new(ROOT_SOCKET_PATH), deadline) {
                Err(CallError::Absent(_)) => {}
                outcome => return outcome,
            }
        }
        Self::connect_to(path, deadline)
    }

    /// Connects to this socket, whoever calls.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_to(path: &Path, deadline: Instant) -> Result<Self, CallError> {
        let lost = |e: Errno| CallError::Lost(e.into());
        let address = SocketAddrUnix::new(path).map_err(lost)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(lost)?;
        match connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::AGAIN) => queue(&socket, &address, deadline)?,
            Err(e) => return Err(CallError::Absent(e.into())),
        }
        Ok(Self { socket, decoder: Decoder::new(MAX_REPLY) })
    }

    /// The same connection, for a caller that knows how short its replies are: longer ones are nonsense.
    #[must_use]
    pub fn with_reply_limit(mut self, bytes: usize) -> Self {
        self.decoder = Decoder::new(bytes);
        self
    }

    /// Sends a request, with a descriptor beside it where the method wants one. That the broker has hung up is for
    /// [`Self::receive`] to say: it may have answered before.
    ///
    /// # Errors
    /// [`CallError::TimedOut`] or [`CallError::Lost`].
    pub fn send(
        &mut self,
        call: &Call,
        more: bool,
        fd: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let nonsense = |e: serde_json::Error| CallError::Nonsense(e.to_string());
        let parameters = Some(call.parameters().map_err(nonsense)?);
        let request = Request { method: call.method().to_owned(), parameters, more, oneway: false };
        self.send_frame(&encode_request(&request).map_err(nonsense)?, fd, deadline)
    }

    /// The same of a login or a logout, for a program that is to be small.
    ///
    /// # Errors
    /// [`CallError::TimedOut`] or [`CallError::Lost`].
    pub fn send_login<T: LoginRequest>(
        &mut self,
        request: &T,
        more: bool,
        fd: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        self.send_frame(&login_wire::encode(T::METHOD, &request.parameters(), more), fd, deadline)
    }

    fn send_frame(
        &mut self,
        frame: &[u8],
        mut fd: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let mut rest = frame;
        // The descriptor travels with the first byte.
        while !rest.is_empty() {
            match self.send_some(rest, fd.as_ref()) {
                Ok(sent) => {
                    rest = rest.get(sent..).unwrap_or_default();
                    fd = None;
                }
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, deadline, "sending the request")?,
                Err(Errno::INTR) => {}
                // A broker with too many connections says so and hangs up without having heard anything: what it has
                // said, or that it has said nothing, is found out by `receive`.
                Err(Errno::PIPE) => break,
                Err(e) => return Err(CallError::Lost(e.into())),
            }
        }
        Ok(())
    }

    fn send_some(&self, bytes: &[u8], fd: Option<&BorrowedFd<'_>>) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(fd) = fd {
            ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(fd)));
        }
        sendmsg(&self.socket, &[io::IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)
    }

    /// The next reply, with whether another one follows.
    ///
    /// # Errors
    /// Any [`CallError`]; [`CallError::Refused`] is the broker's answer.
    pub fn receive<T: DeserializeOwned>(&mut self, deadline: Instant) -> Result<(T, bool), CallError> {
        let reply = Reply::from_frame(&self.next_frame(deadline)?)?;
        let parameters = reply.result?;
        let value = serde_json::from_str(parameters.get()).map_err(|e| CallError::Nonsense(e.to_string()))?;
        Ok((value, reply.continues))
    }

    /// The same of what [`Self::send_login`] has asked for.
    ///
    /// # Errors
    /// Any [`CallError`]; [`CallError::Refused`] is the broker's answer.
    pub fn receive_login<T: LoginReply>(&mut self, deadline: Instant) -> Result<(T, bool), CallError> {
        let (result, continues) = login_wire::decode(&self.next_frame(deadline)?)?;
        Ok((result?, continues))
    }

    fn next_frame(&mut self, deadline: Instant) -> Result<Vec<u8>, CallError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            self.read_some(deadline)?;
        }
    }

    /// One request, one reply.
    ///
    /// # Errors
    /// Any [`CallError`]; [`CallError::Refused`] is the broker's answer.
    pub fn call<T: DeserializeOwned>(&mut self, call: &Call, deadline: Instant) -> Result<T, CallError> {
        self.send(call, false, None, deadline)?;
        self.receive(deadline).map(|(value, _)| value)
    }

    fn read_some(&mut self, deadline: Instant) -> Result<(), CallError> {
        let mut buffer = [0_u8; 4096];
        loop {
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((0, _)) => {
                    return Err(CallError::Lost(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok((count, _)) => {
                    self.decoder.push(buffer.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(Errno::AGAIN) => self.wait(PollFlags::IN, deadline, "waiting for the answer")?,
                Err(Errno::INTR) => {}
                Err(e) => return Err(CallError::Lost(e.into())),
            }
        }
    }

    fn wait(&self, flags: PollFlags, deadline: Instant, phase: &'static str) -> Result<(), CallError> {
        let mut fds = [PollFd::new(&self.socket, flags)];
        match poll(&mut fds, Some(&timeout(deadline, phase)?)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(CallError::Lost(e.into())),
        }
    }
}

/// Connects where the backlog is full. connect(2) waits for as long as it may take to send, socket(7): the kernel lets those who
/// wait in one by one; thousands that try again and again would keep the broker from working.
fn queue(socket: &OwnedFd, address: &SocketAddrUnix, deadline: Instant) -> Result<(), CallError> {
    let lost = |e: Errno| CallError::Lost(e.into());
    ioctl_fionbio(socket, false).map_err(lost)?;
    loop {
        let left = left(deadline, "connecting")?;
        sockopt::set_socket_timeout(socket, Timeout::Send, Some(left)).map_err(lost)?;
        match connect(socket, address) {
            Ok(()) => return ioctl_fionbio(socket, true).map_err(lost),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(CallError::TimedOut("connecting")),
            Err(e) => return Err(CallError::Absent(e.into())),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What is left until the deadline, for poll(2).
fn timeout(deadline: Instant, phase: &'static str) -> Result<Timespec, CallError> {
    let left = left(deadline, phase)?;
    Ok(Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    })
}

fn left(deadline: Instant, phase: &'static str) -> Result<Duration, CallError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(CallError::TimedOut(phase)) } else { Ok(left) }
}
