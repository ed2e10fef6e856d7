//! What has changed that whoever follows the broker wants to hear of: the signals of org.freedesktop.login1 and its changed
//! properties (contract/dbus.md sections 3 and 6 to 8).

use usher_protocol::ids::{SeatId, SessionId, Uid};
use usher_protocol::messages::SessionView;
use usher_protocol::session::{SessionClass, SessionType};

/// One change. It is told after everything that it is about is on file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A user is tracked from now on.
    UserNew(Uid),
    /// A user is tracked no more.
    UserRemoved(Uid),
    /// A session has been opened.
    SessionNew(SessionId),
    /// A session is gone. This is how it was in the end, for nobody can look it up any more.
    SessionRemoved(Box<SessionView>),
    /// A user's manager is ready: at its first start, or after it has died. Nothing that logind tells anybody.
    ManagerReady(Uid),
    /// Properties of a session.
    Session(SessionId, Vec<SessionProperty>),
    /// Properties of a user.
    User(Uid, Vec<UserProperty>),
    /// Properties of a seat.
    Seat(SeatId, Vec<SeatProperty>),
    /// Whether everybody is idle, and since when.
    Idle(Idleness),
    /// A session's screen is to be locked.
    Lock(SessionId),
    /// A session's screen is to be unlocked.
    Unlock(SessionId),
}

/// A property of a session, and what it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionProperty {
    /// Active.
    Active(bool),
    /// Type.
    Kind(SessionType),
    /// Class.
    Class(SessionClass),
    /// TTY.
    Tty(String),
    /// Display.
    Display(String),
    /// IdleHint, IdleSinceHint and IdleSinceHintMonotonic.
    Idle(Idleness),
    /// LockedHint.
    LockedHint(bool),
}

/// A property of a user, and what it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserProperty {
    /// Display. Told of at every session's beginning and end, even if it is what it was.
    Display(Option<SessionId>),
    /// IdleHint, IdleSinceHint and IdleSinceHintMonotonic.
    Idle(Idleness),
}

/// A property of a seat, and what it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatProperty {
    /// ActiveSession.
    ActiveSession(Option<SessionId>),
    /// IdleHint, IdleSinceHint and IdleSinceHintMonotonic.
    Idle(Idleness),
}

/// Whether somebody is idle, and since when, in microseconds; 0 when not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Idleness {
    /// Whether.
    pub hint: bool,
    /// CLOCK_REALTIME.
    pub since: u64,
    /// CLOCK_MONOTONIC.
    pub since_monotonic: u64,
}
