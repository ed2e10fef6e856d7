//! Every way of saying no that io.systemd.Login has.

use serde::Serialize;
use usher_protocol::messages::Refusal;

use crate::opening::OpenError;

/// Every way of saying no that io.systemd.Login has. Its own errors have no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "error", content = "parameters")]
pub(super) enum LoginError {
    #[serde(rename = "io.systemd.Login.NoSuchSession")]
    NoSuchSession {},
    #[serde(rename = "io.systemd.Login.NoSuchSeat")]
    NoSuchSeat {},
    /// The leader is in a session already, which its PAM module takes for success.
    #[serde(rename = "io.systemd.Login.AlreadySessionMember")]
    AlreadySessionMember {},
    #[serde(rename = "io.systemd.Login.VirtualTerminalAlreadyTaken")]
    VirtualTerminalAlreadyTaken {},
    #[serde(rename = "io.systemd.Login.TooManySessions")]
    TooManySessions {},
    /// The kernel does not tell which process the peer is.
    #[serde(rename = "io.systemd.Login.NoSessionPIDFD")]
    NoSessionPidfd {},
    #[serde(rename = "io.systemd.Login.NotSupported")]
    NotSupported {},
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    PermissionDenied {},
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter { parameter: String, message: String },
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound { method: String },
    /// An errno, as sd-varlink's clients read it.
    #[serde(rename = "io.systemd.System")]
    System {
        origin: &'static str,
        #[serde(rename = "errnoName")]
        errno_name: &'static str,
        errno: i32,
        message: String,
    },
}

impl LoginError {
    pub(super) fn invalid(parameter: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameter { parameter: parameter.to_owned(), message: message.into() }
    }

    /// There is no such process, or no such user, which logind says in the same way.
    pub(super) fn no_such_process(message: impl Into<String>) -> Self {
        Self::System { origin: "linux", errno_name: "ESRCH", errno: libc::ESRCH, message: message.into() }
    }

    fn failed(message: String) -> Self {
        Self::System { origin: "linux", errno_name: "EIO", errno: libc::EIO, message }
    }
}

impl From<OpenError> for LoginError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotPermitted(_) => Self::PermissionDenied {},
            OpenError::InvalidArgs { parameter, message } => Self::invalid(parameter, message),
            OpenError::NoSuchSeat(_) => Self::NoSuchSeat {},
            OpenError::AlreadyMember => Self::AlreadySessionMember {},
            OpenError::VtTaken(_) => Self::VirtualTerminalAlreadyTaken {},
            OpenError::LimitsExceeded(_) => Self::TooManySessions {},
            OpenError::NoSuchProcess(message) => Self::no_such_process(message),
            OpenError::Failed(message) => Self::failed(message),
        }
    }
}

impl From<Refusal> for LoginError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchSession { .. } | Refusal::NoSessionForCaller {} => Self::NoSuchSession {},
            Refusal::NotSupported { .. } => Self::NotSupported {},
            other => OpenError::from(other).into(),
        }
    }
}
