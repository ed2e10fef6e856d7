//! Why there is no session.

use usher_protocol::messages::Refusal;

/// Why there is no session. Each transport has names of its own for these (contract/dbus.md section 4, contract/pam.md
/// section 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// The caller may not open sessions.
    #[error("{0}")]
    NotPermitted(String),
    /// A parameter is wrong.
    #[error("{message}")]
    InvalidArgs {
        /// Which; as io.systemd.Login calls it.
        parameter: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such seat.
    #[error("No seat '{0}' known")]
    NoSuchSeat(String),
    /// The leader leads a session already, or is in one: su, sudo.
    #[error("Already running in a session")]
    AlreadyMember,
    /// The virtual terminal has a session; which terminal and session.
    #[error("{0}")]
    VtTaken(String),
    /// A limit is reached; which, and where it is set.
    #[error("{0}")]
    LimitsExceeded(String),
    /// The leader has gone, or nobody has the uid: logind calls both "No such process".
    #[error("{0}")]
    NoSuchProcess(String),
    /// Something went wrong: the operation, the object and the cause.
    #[error("{0}")]
    Failed(String),
}

impl OpenError {
    pub(crate) fn invalid(parameter: &'static str, message: impl Into<String>) -> Self {
        Self::InvalidArgs { parameter, message: message.into() }
    }
}

/// What the model, or somebody on the way to it, has said.
impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        let parameter_of = |parameter: &str| match parameter {
            "service" => "Service",
            "desktop" => "Desktop",
            "tty" => "TTY",
            "display" => "Display",
            "remote_user" => "RemoteUser",
            "remote_host" => "RemoteHost",
            // The rest of a request is not what the caller has said, but the user's account.
            _ => "UID",
        };
        match refusal {
            Refusal::AccessDenied { message } => Self::NotPermitted(message),
            Refusal::SessionBusy { message } => Self::VtTaken(message),
            Refusal::LimitsExceeded { message } => Self::LimitsExceeded(message),
            Refusal::NoSuchSeat { seat } => Self::NoSuchSeat(seat),
            Refusal::InvalidParameter { parameter, message } => {
                Self::InvalidArgs { parameter: parameter_of(&parameter), message }
            }
            other => Self::Failed(other.to_string()),
        }
    }
}
