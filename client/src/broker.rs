//! The connection to usherd: one per run, every wait bounded, errors with what to do about them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde::de::{DeserializeOwned, IgnoredAny};
use usher_protocol::blocking::{CallError, Connection};
use usher_protocol::ids::{SeatId, SessionId};
use usher_protocol::messages::{
    Call, ManagerReply, ManagerView, Refusal, SeatReply, SeatSelector, SeatView, SessionReply,
    SessionSelector, SessionView, UserReply, UserSelector, UserView,
};

/// How long any one call may take, as with sd-bus.
const CALL_TIMEOUT: Duration = Duration::from_secs(25);

/// A connection to usherd.
#[derive(Debug)]
pub struct Broker {
    connection: Connection,
    timeout: Duration,
}

impl Broker {
    /// Connects to usherd at the socket.
    ///
    /// # Errors
    /// When nobody answers there, with what to do about it.
    pub fn connect(socket: &Path) -> anyhow::Result<Self> {
        Self::connect_within(socket, CALL_TIMEOUT)
    }

    fn connect_within(socket: &Path, timeout: Duration) -> anyhow::Result<Self> {
        match Connection::connect(socket, Instant::now() + timeout) {
            Ok(connection) => Ok(Self { connection, timeout }),
            Err(error) => Err(connect_failed(error, socket.to_owned())),
        }
    }

    /// One call, one answer.
    ///
    /// # Errors
    /// The broker's refusal in its own words, or what went wrong with the connection.
    pub fn call<T: DeserializeOwned>(&mut self, call: &Call) -> anyhow::Result<T> {
        self.connection.call(call, Instant::now() + self.timeout).map_err(|error| match error {
            CallError::Refused(refusal) => refusal.into(),
            broken => anyhow!("{broken}; see usherd's log"),
        })
    }

    /// One call whose answer says nothing but that it is done.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn act(&mut self, call: &Call) -> anyhow::Result<()> {
        self.call(call).map(|IgnoredAny| ())
    }

    /// The session that a word stands for: an id, `self` or `auto`; empty is `self`.
    ///
    /// # Errors
    /// As [`Self::call`]. A word that cannot be an id is answered as an unknown one is.
    pub fn session(&mut self, word: &str) -> anyhow::Result<SessionView> {
        let word = if word.is_empty() { "self" } else { word };
        known_form(word)?;
        let call = Call::GetSession(SessionSelector { session: Some(word.to_owned()) });
        let reply = self.call(&call).map_err(|error| explained(error, word));
        reply.map(|SessionReply { session }| session)
    }

    /// The seat that a word stands for: an id, `self` or `auto`; empty is `self`.
    ///
    /// # Errors
    /// As [`Self::call`]. A word that cannot be an id is answered as an unknown one is.
    pub fn seat(&mut self, word: &str) -> anyhow::Result<SeatView> {
        let word = if word.is_empty() { "self" } else { word };
        if !matches!(word, "self" | "auto") {
            known_seat_form(word)?;
        }
        let call = Call::GetSeat(SeatSelector { seat: Some(word.to_owned()) });
        let reply = self.call(&call).map_err(|error| explained(error, word));
        reply.map(|SeatReply { seat }| seat)
    }

    /// A user; nobody named is the caller.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn user(&mut self, user: UserSelector) -> anyhow::Result<UserView> {
        self.call(&Call::GetUser(user)).map(|UserReply { user }| user)
    }

    /// The broker's own settings and counters.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn manager(&mut self) -> anyhow::Result<ManagerView> {
        self.call(&Call::GetManager).map(|ManagerReply { manager }| manager)
    }
}

/// Whether a word has the form of a session id (`self` and `auto` have it, too).
///
/// # Errors
/// With the text for an unknown session: to the user there is no difference.
pub fn known_form(word: &str) -> Result<SessionId, Refusal> {
    word.parse().map_err(|_| Refusal::NoSuchSession { session: word.to_owned() })
}

/// Whether a word has the form of a seat's id (`self` and `auto` do not have it).
///
/// # Errors
/// With the text for an unknown seat.
pub fn known_seat_form(word: &str) -> Result<SeatId, Refusal> {
    word.parse().map_err(|_| Refusal::NoSuchSeat { seat: word.to_owned() })
}

/// logind's words for a caller for whom even `auto` finds nothing.
fn explained(error: anyhow::Error, word: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Refusal::NoSessionForCaller {}) if word == "auto" => {
            anyhow!("Caller does not belong to any known session and doesn't own any suitable session.")
        }
        _ => error,
    }
}

fn connect_failed(error: CallError, socket: PathBuf) -> anyhow::Error {
    let at = format!("Failed to connect to usherd at {}", socket.display());
    match error {
        CallError::Absent(cause)
            if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
        {
            anyhow!(
                "{at}: {cause}. Is usherd running? Start its service, or run /usr/sbin/usherd as root to see why it fails."
            )
        }
        CallError::Absent(cause) => anyhow!("{at}: {cause}."),
        CallError::TimedOut(_) => {
            anyhow!(
                "{at}: it does not take connections in time. Its log may say why; a restart loses no session."
            )
        }
        other => anyhow::Error::new(other).context(at),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_silent_broker_is_not_waited_for_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("broker");
        let _silent = UnixListener::bind(&socket).expect("a socket");
        let mut broker = Broker::connect_within(&socket, Duration::from_millis(20)).expect("connects");
        let error = broker.manager().expect_err("nobody answers").to_string();
        assert!(error.starts_with("usherd did not answer in time (waiting for the answer)"), "{error}");
    }

    #[test]
    fn a_word_that_cannot_be_an_id_is_an_unknown_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("broker");
        let _silent = UnixListener::bind(&socket).expect("a socket");
        let mut broker = Broker::connect_within(&socket, Duration::from_millis(20)).expect("connects");
        for word in ["../x", "a b", "\u{1b}[2J"] {
            let error = broker.session(word).expect_err(word).to_string();
            assert_eq!(error, format!("No session '{word}' known"));
            let error = broker.seat(word).expect_err(word).to_string();
            assert_eq!(error, format!("No seat '{word}' known"));
        }
    }
}
