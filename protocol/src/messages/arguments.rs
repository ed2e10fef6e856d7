//! The parameters of the other methods.

use serde::{Deserialize, Serialize};

use super::CloseToken;
use crate::ids::{SeatId, SessionId, Uid};
use crate::session::KillWhom;

/// No parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A session named by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionArg {
    /// The session.
    pub session: SessionId,
}

/// A session that its user has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseRequest {
    /// The session.
    pub session: SessionId,
    /// What [`super::OpenSessionReply`] gave for it. Root and the session's user need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<CloseToken>,
}

/// A session named by its id, or by one of the words `self` (the caller's) and `auto` (the caller's, else the caller's
/// display session), as in contract/dbus.md section 1. Nothing is `self`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSelector {
    /// An id, `self` or `auto`.
    #[serde(default)]
    pub session: Option<String>,
}

/// A seat named by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatArg {
    /// The seat.
    pub seat: SeatId,
}

/// A seat named by its id, or by one of the words `self` (that of the caller's session) and `auto` (that of the session which
/// [`SessionSelector`] calls so), as in contract/dbus.md section 1. Nothing is `auto`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatSelector {
    /// An id, `self` or `auto`.
    #[serde(default)]
    pub seat: Option<String>,
}

/// A user named by uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserArg {
    /// The user.
    pub uid: Uid,
}

/// A user named by uid; nothing is the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSelector {
    /// The user.
    #[serde(default)]
    pub uid: Option<Uid>,
}

/// Set or clear the linger flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LingerRequest {
    /// The user; nothing is the caller.
    #[serde(default)]
    pub uid: Option<Uid>,
    /// Whether the user's manager is to run without a login.
    pub linger: bool,
}

/// Send a signal to a session's processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillSessionRequest {
    /// The session.
    pub session: SessionId,
    /// Which of its processes.
    pub whom: KillWhom,
    /// The signal's number, 1 to 64.
    pub signal: i32,
}

/// Send a signal to all of a user's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillUserRequest {
    /// The user.
    pub uid: Uid,
    /// The signal's number, 1 to 64.
    pub signal: i32,
}

/// An interface's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceArg {
    /// The interface.
    pub interface: String,
}
