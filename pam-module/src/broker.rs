//! The conversation with usherd, in phases, each within its budget.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::system::uname;
use usher_protocol::SOCKET_PATH;
use usher_protocol::blocking::{CallError, Connection};
use usher_protocol::messages::{CloseRequest, Nothing, OpenPhase, OpenSessionReply, Refusal, SessionRequest};

use crate::pam::OwnSession;

/// The longest reply worth reading: one session, and one line of notice.
const REPLY_LIMIT: usize = 64 * 1024;

/// A socket that nobody listens at is what an usherd leaves that has just died: its service manager may start it again this
/// moment, so that it is worth a look for one part in so many of the budget, a quarter of a second for most logins.
const RESTART_SHARE: u32 = 20;

/// Where usherd is, and how long it may take. Only the tests have another one than the default.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) socket: PathBuf,
    /// For a session and its runtime directory.
    pub(crate) registration: Duration,
    /// The same for root, who is to get in at once where everything else hangs.
    pub(crate) root_registration: Duration,
    /// For a broker that died in the middle of registering to come back, within `registration`.
    pub(crate) comeback: Duration,
    /// Between two looks whether it has.
    pub(crate) pause: Duration,
    /// The longest wait for a user manager, whatever usherd asks for.
    pub(crate) settling_max: Duration,
    /// On top of what usherd asks for: its answer needs a moment to arrive.
    pub(crate) settling_slack: Duration,
    /// For closing a session.
    pub(crate) closing: Duration,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            socket: SOCKET_PATH.into(),
            registration: Duration::from_secs(5),
            root_registration: Duration::from_millis(500),
            comeback: Duration::from_secs(2),
            pause: Duration::from_millis(20),
            settling_max: Duration::from_secs(120),
            settling_slack: Duration::from_millis(250),
            closing: Duration::from_secs(5),
        }
    }
}

/// How far a conversation had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Registering,
    WaitingForManager,
    Closing,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting to usherd",
            Self::Registering => "registering the session with usherd",
            Self::WaitingForManager => "waiting for usherd to start the user manager",
            Self::Closing => "closing the session with usherd",
        })
    }
}

/// A conversation that failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) phase: Phase,
    pub(crate) cause: CallError,
}

impl Trouble {
    /// What the administrator can do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match (&self.cause, self.phase) {
            (CallError::Absent(_), _) => "start usherd, or take pam_usher.so out of /etc/pam.d",
            (CallError::Nonsense(_), _) => "are usherd and pam_usher.so of the same version?",
            (CallError::TimedOut(_), Phase::WaitingForManager) => {
                "see 'usherctl user-status' and the user manager's log"
            }
            (CallError::TimedOut(_), _) => {
                "usherd hangs: see its log and restart it, no session will be lost"
            }
            (CallError::Lost(_), _) => "usherd has stopped or closed the connection: see its log",
            (CallError::Refused(_), _) => "see usherd's log",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.phase, self.cause)
    }
}

/// A registered login; what went wrong while waiting for the user manager takes nothing away from it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) reply: OpenSessionReply,
    pub(crate) trouble: Option<Trouble>,
}

impl Broker {
    /// Registers the calling process as a session's leader, and waits for the user manager for as long as usherd says
    /// that it is worth it. Of use for it is what came of [`Self::knock`].
    pub(crate) fn open_session(
        &self,
        request: SessionRequest,
        knocked: Option<Connection>,
    ) -> Result<Opened, Trouble> {
        let is_root = request.uid.get() == 0;
        let budget = if is_root { self.root_registration } else { self.registration };
        let deadline = Instant::now() + budget;
        let (mut connection, reply, continues) = self.register(request, knocked, deadline)?;
        let wait = Duration::from_micros(reply.wait_usec).min(self.settling_max);
        if reply.phase == OpenPhase::Settled || !continues || reply.existing || wait.is_zero() {
            return Ok(Opened { reply, trouble: None });
        }
        let settled = connection
            .receive_login(Instant::now() + wait + self.settling_slack)
            .and_then(|(settled, _)| checked(settled))
            .and_then(|settled| same_session(&reply, settled));
        Ok(match settled {
            Ok(settled) => Opened { reply: settled, trouble: None },
            Err(cause) => Opened { reply, trouble: Some(Trouble { phase: Phase::WaitingForManager, cause }) },
        })
    }

    /// The first reply. A broker that dies before it has sent one is given a moment to come back: it restarts with
    /// everything it had, and the login need not suffer.
    fn register(
        &self,
        mut request: SessionRequest,
        mut knocked: Option<Connection>,
        deadline: Instant,
    ) -> Result<(Connection, OpenSessionReply, bool), Trouble> {
        self.through_a_restart(deadline, Phase::Registering, |again| {
            // The answer may have been lost, not the request: usherd is to look for the session first.
            request.retry = again;
            self.try_to_register(&request, knocked.take(), deadline)
        })
    }

    /// Tries once, and again if the broker dies in the middle of it, in that phase, for as long as it may take to come back.
    /// The attempt is told whether it is a second one.
    fn through_a_restart<T>(
        &self,
        deadline: Instant,
        middle: Phase,
        mut attempt: impl FnMut(bool) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut lost: Option<(Instant, Trouble)> = None;
        let start = Instant::now();
        let restarted_by = start + deadline.saturating_duration_since(start) / RESTART_SHARE;
        loop {
            let trouble = match attempt(lost.is_some()) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            let now = Instant::now();
            if lost.is_none() && was_there(&trouble.cause) && now + self.pause < restarted_by {
                std::thread::sleep(self.pause);
                continue;
            }
            let give_up = lost.as_ref().map_or(now + self.comeback, |(until, _)| *until).min(deadline);
            let restarting = match (&trouble.cause, trouble.phase) {
                (CallError::Lost(_), phase) => phase == middle,
                (CallError::Absent(error), _) => lost.is_some() && is_gone(error),
                _ => false,
            };
            if !restarting || now + self.pause >= give_up {
                // That it went away in the middle says more than that it is still away.
                return Err(match lost {
                    Some((_, first)) if restarting => first,
                    _ => trouble,
                });
            }
            lost.get_or_insert((give_up, trouble));
            std::thread::sleep(self.pause);
        }
    }

    fn try_to_register(
        &self,
        request: &SessionRequest,
        knocked: Option<Connection>,
        deadline: Instant,
    ) -> Result<(Connection, OpenSessionReply, bool), Trouble> {
        let failed = |phase| move |cause| Trouble { phase, cause };
        let connected = knocked.map_or_else(|| self.connect(deadline), Ok);
        let mut connection = connected.map_err(failed(Phase::Connecting))?;
        let pidfd = own_pidfd();
        let fd = pidfd.as_ref().map(AsFd::as_fd);
        connection
            .send_login(request, true, fd, deadline)
            .and_then(|()| connection.receive_login(deadline))
            .and_then(|(reply, continues)| Ok((checked(reply)?, continues)))
            .map(|(reply, continues)| (connection, reply, continues))
            .map_err(failed(Phase::Registering))
    }

    /// Says that a session's user has logged out. To say so twice does no harm, so a broker that dies in the middle is asked
    /// again when it has come back: the process that closes may live on, and the session is not to.
    pub(crate) fn close_session(&self, session: &OwnSession) -> Result<(), Trouble> {
        let deadline = Instant::now() + self.closing;
        let request = CloseRequest { session: session.id.clone(), token: session.token.clone() };
        self.through_a_restart(deadline, Phase::Closing, |_| self.try_to_close(&request, deadline))
    }

    fn try_to_close(&self, request: &CloseRequest, deadline: Instant) -> Result<(), Trouble> {
        let failed = |phase| move |cause| Trouble { phase, cause };
        let mut connection = self.connect(deadline).map_err(failed(Phase::Connecting))?;
        let pidfd = own_pidfd();
        let fd = pidfd.as_ref().map(AsFd::as_fd);
        match connection
            .send_login(request, false, fd, deadline)
            .and_then(|()| connection.receive_login(deadline))
        {
            Ok((Nothing {}, _)) | Err(CallError::Refused(Refusal::NoSuchSession { .. })) => Ok(()),
            Err(cause) => Err(failed(Phase::Closing)(cause)),
        }
    }

    /// Connects before there is anything to say: usherd opens the door while the login finds out what it wants. Where that is
    /// not done at once, it is not done now, and [`Self::open_session`] finds out why.
    pub(crate) fn knock(&self) -> Option<Connection> {
        self.connect(Instant::now()).ok()
    }

    fn connect(&self, deadline: Instant) -> Result<Connection, CallError> {
        connect_to(&self.socket, deadline)
    }
}

/// For a kernel that does not tell usherd by itself who connects. Without it (a kernel before 5.3, a full descriptor table)
/// usherd goes by the socket's credentials.
fn own_pidfd() -> Option<OwnedFd> {
    let told = tells_who_connects(uname().release().to_bytes());
    (!told).then(|| pidfd_open(getpid(), PidfdFlags::empty()).ok()).flatten()
}

/// SO_PEERPIDFD, unix(7): since Linux 6.5.
fn tells_who_connects(release: &[u8]) -> bool {
    let mut numbers = release
        .split(|byte| !byte.is_ascii_digit())
        .map(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
    let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
    major.zip(minor) >= Some((6, 5))
}

fn connect_to(socket: &Path, deadline: Instant) -> Result<Connection, CallError> {
    Connection::connect(socket, deadline).map(|connection| connection.with_reply_limit(REPLY_LIMIT))
}

/// Whether there is the socket of a broker that is not there any more.
fn was_there(cause: &CallError) -> bool {
    matches!(cause, CallError::Absent(error) if Errno::from_io_error(error) == Some(Errno::CONNREFUSED))
}

/// Whether nobody listens, as between a broker's death and its return.
fn is_gone(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::CONNREFUSED))
}

/// A reply that contradicts itself is nonsense.
fn checked(reply: OpenSessionReply) -> Result<OpenSessionReply, CallError> {
    if reply.existing || reply.session.is_some() {
        Ok(reply)
    } else {
        Err(CallError::Nonsense("neither a new session nor an existing one".to_owned()))
    }
}

fn same_session(first: &OpenSessionReply, second: OpenSessionReply) -> Result<OpenSessionReply, CallError> {
    if first.session == second.session && !second.existing {
        Ok(second)
    } else {
        Err(CallError::Nonsense("the second reply is for another session than the first".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::tells_who_connects;

    #[test]
    fn kernels_by_their_release() {
        for told in ["6.5.0", "6.5-rc1", "6.18.44-cloud-amd64", "10.0", "7.0"] {
            assert!(tells_who_connects(told.as_bytes()), "{told}");
        }
        for silent in ["6.4.99", "5.15.0-91-generic", "2.6.40", "6", "", "unknown", "99999999999.5"] {
            assert!(!tells_who_connects(silent.as_bytes()), "{silent}");
        }
    }
}
