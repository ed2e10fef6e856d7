//! A login: what the PAM module says of it, and what it is told.

use serde::{Deserialize, Serialize};

use super::{CloseToken, Refusal};
use crate::ids::{SeatId, SessionId, Uid, UserName, VtNr};
use crate::session::{ManagerState, SessionClass, SessionType};

/// Everything the PAM module knows of a login (contract/pam.md sections 2 and 3). What it says of seat and terminal
/// is believed only as far as the kernel agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// Whose session it is.
    pub uid: Uid,
    /// The user's primary group: owns the runtime directory.
    pub gid: u32,
    /// The user's name.
    pub user: UserName,
    /// The home directory, an absolute path.
    pub home: String,
    /// The login shell.
    pub shell: String,
    /// The PAM service.
    pub service: String,
    /// What the session is shown on.
    #[serde(rename = "type")]
    pub kind: SessionType,
    /// What kind of session it is.
    pub class: SessionClass,
    /// The desktop's name, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub desktop: String,
    /// The seat asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<SeatId>,
    /// The virtual terminal asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vtnr: Option<VtNr>,
    /// The terminal, without `/dev/`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// The X display, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display: String,
    /// Whether the user sits at another machine.
    #[serde(default)]
    pub remote: bool,
    /// The user's name over there, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remote_user: String,
    /// The other machine, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remote_host: String,
    /// Whether this is the same login asking again, because the connection broke before the answer came. The session
    /// that it opened then, if it did, is the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

/// The longest text accepted in any field of a [`SessionRequest`], in bytes.
pub const MAX_TEXT: usize = 1024;

impl SessionRequest {
    /// The virtual terminal that the login says it is on, by its name or by its number. Nothing is believed by that.
    pub fn claimed_vt(&self) -> Option<VtNr> {
        VtNr::from_tty(&self.tty).or(self.vtnr)
    }

    /// Checks what the field types cannot: lengths, control characters, absolute paths.
    ///
    /// # Errors
    /// [`Refusal::InvalidParameter`] naming the first bad field.
    pub fn validate(&self) -> Result<(), Refusal> {
        let texts = [
            ("home", &self.home),
            ("shell", &self.shell),
            ("service", &self.service),
            ("desktop", &self.desktop),
            ("tty", &self.tty),
            ("display", &self.display),
            ("remote_user", &self.remote_user),
            ("remote_host", &self.remote_host),
        ];
        for (field, text) in texts {
            if text.len() > MAX_TEXT {
                return Err(invalid(field, "longer than 1024 bytes"));
            }
            if text.chars().any(char::is_control) {
                return Err(invalid(field, "contains control characters"));
            }
        }
        if self.desktop.contains(['"', '\'', '\\']) {
            return Err(invalid("desktop", "contains quotes or backslashes"));
        }
        if !self.home.is_empty() && !self.home.starts_with('/') {
            return Err(invalid("home", "not an absolute path"));
        }
        Ok(())
    }
}

pub(super) fn invalid(parameter: &str, why: &str) -> Refusal {
    Refusal::InvalidParameter { parameter: parameter.to_owned(), message: format!("{parameter}: {why}") }
}

/// What came of an `OpenSession`. With `more` there are two of these: `registered` at once, `settled` when the
/// user's manager is ready, has failed, or has been waited for long enough. Without `more` only the last one comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSessionReply {
    /// How far the login has come.
    pub phase: OpenPhase,
    /// The session, or nothing when the caller is in a session already (`existing`).
    pub session: Option<SessionId>,
    /// What closes the session, whoever presents it; nothing from a broker that has none to give. Not for the log, nor for
    /// the session's own processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<CloseToken>,
    /// Whether the caller is inside a session already, so that none was opened (su, sudo); or its service is to have none.
    pub existing: bool,
    /// With `existing`: the login is to know of no other runtime directory than `runtime_path`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runtime_only: bool,
    /// What kind of session it has become; nothing where there is none, or from a broker that leaves it as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<SessionClass>,
    /// The runtime directory, or nothing when there is no valid one.
    pub runtime_path: Option<String>,
    /// The seat, if the session has one.
    pub seat: Option<SeatId>,
    /// The virtual terminal, if the session has one.
    pub vtnr: Option<VtNr>,
    /// With `registered`: for how long at most the `settled` reply is worth waiting for, in microseconds; 0: not at all.
    pub wait_usec: u64,
    /// How the user's manager is.
    pub manager: ManagerState,
    /// One line for the log when something is not as it should be, or empty.
    #[serde(default)]
    pub notice: String,
}

/// The two moments of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenPhase {
    /// The session and the runtime directory exist.
    Registered,
    /// Nothing more will happen for this login.
    Settled,
}
