//! How D-Bus is told no: error names and messages (contract/dbus.md section 9).

use usher_protocol::messages::Refusal;
use zbus::message::{Header, Message};

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error's name.
    pub(crate) name: String,
    /// What there is to say, for people.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), message: message.into() }
    }

    /// One of `org.freedesktop.DBus.Error`.
    pub(crate) fn standard(name: &str, message: impl Into<String>) -> Self {
        Self { name: format!("org.freedesktop.DBus.Error.{name}"), message: message.into() }
    }

    /// One of `org.freedesktop.login1`.
    pub(crate) fn login1(name: &str, message: impl Into<String>) -> Self {
        Self { name: format!("org.freedesktop.login1.{name}"), message: message.into() }
    }

    /// An argument makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::standard("InvalidArgs", message)
    }

    /// The caller may not do that.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::standard("AccessDenied", message)
    }

    /// Neither this broker nor this machine can do that.
    pub(crate) fn not_supported(message: impl Into<String>) -> Self {
        Self::standard("NotSupported", message)
    }

    /// There is no such object, or not for this caller.
    pub(crate) fn unknown_object(path: &str) -> Self {
        Self::standard("UnknownObject", format!("Unknown object '{path}'."))
    }

    /// `self` is nothing; `auto`, with `or_display`, is neither.
    pub(crate) fn no_own_session(or_display: bool) -> Self {
        let message = match or_display {
            false => "Caller does not belong to any known session.",
            true => "Caller does not belong to any known session and doesn't own any suitable session.",
        };
        Self::login1("NoSessionForPID", message)
    }

    /// A process is in no session.
    pub(crate) fn no_session_for(pid: u32) -> Self {
        Self::login1("NoSessionForPID", format!("PID {pid} does not belong to any known session"))
    }

    /// The caller is nobody's who is logged in.
    pub(crate) fn no_user_for(pid: u32) -> Self {
        Self::login1("NoUserForPID", format!("PID {pid} does not belong to any logged in or lingering user"))
    }

    /// The message that says so; nothing where zbus does not take the text.
    pub(crate) fn reply_to(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name.as_str()).build(&(self.message.as_str(),))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::NoSuchSession { .. } => Self::login1("NoSuchSession", message),
            Refusal::NoSessionForCaller {} => Self::login1("NoSessionForPID", message),
            Refusal::NoSuchUser { .. } => Self::login1("NoSuchUser", message),
            Refusal::NoSuchSeat { .. } => Self::login1("NoSuchSeat", message),
            Refusal::SessionNotOnSeat { .. } => Self::login1("SessionNotOnSeat", message),
            Refusal::NotInControl {} => Self::login1("NotInControl", message),
            Refusal::SessionBusy { .. } => Self::login1("SessionBusy", message),
            Refusal::AlreadyControlled {} => Self::new("System.Error.EBUSY", "Device or resource busy"),
            Refusal::UnknownUser { .. } => Self::standard("UnixProcessIdUnknown", "No such process"),
            Refusal::AccessDenied { .. } => Self::denied(message),
            Refusal::LimitsExceeded { .. } => Self::standard("LimitsExceeded", message),
            Refusal::NotSupported { .. } => Self::not_supported(message),
            Refusal::InvalidParameter { message, .. } => Self::invalid(message),
            _ => Self::standard("Failed", message),
        }
    }
}

impl From<zbus::Error> for Failure {
    /// What a caller has sent that cannot be read, or an answer that cannot be written.
    fn from(error: zbus::Error) -> Self {
        Self::invalid(error.to_string())
    }
}
