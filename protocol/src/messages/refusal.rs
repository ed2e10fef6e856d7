//! Every way of saying no.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shortened;

/// Every way of saying no. The messages are logind's where logind has one (contract/loginctl.md section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters")]
#[non_exhaustive]
pub enum Refusal {
    /// No session has that id.
    #[error("No session '{session}' known")]
    #[serde(rename = "io.usher.Broker.NoSuchSession")]
    NoSuchSession {
        /// The id asked for.
        session: String,
    },
    /// The caller is in no session.
    #[error("Caller does not belong to any known session.")]
    #[serde(rename = "io.usher.Broker.NoSessionForCaller")]
    NoSessionForCaller {},
    /// The user has neither a session nor a manager.
    #[error("User ID {uid} is not logged in or lingering")]
    #[serde(rename = "io.usher.Broker.NoSuchUser")]
    NoSuchUser {
        /// The user asked for.
        uid: u32,
    },
    /// The user database does not know the user.
    #[error("No user with uid {uid} exists: {message}")]
    #[serde(rename = "io.usher.Broker.UnknownUser")]
    UnknownUser {
        /// The user asked for.
        uid: u32,
        /// What the user database said.
        message: String,
    },
    /// The caller may not do that.
    #[error("{message}")]
    #[serde(rename = "io.usher.Broker.AccessDenied")]
    AccessDenied {
        /// Who may.
        message: String,
    },
    /// A limit is reached.
    #[error("{message}")]
    #[serde(rename = "io.usher.Broker.LimitsExceeded")]
    LimitsExceeded {
        /// Which limit, and where it is set.
        message: String,
    },
    /// The object cannot do that.
    #[error("{message}")]
    #[serde(rename = "io.usher.Broker.NotSupported")]
    NotSupported {
        /// Which object, and why.
        message: String,
    },
    /// The virtual terminal has a session already.
    #[error("{message}")]
    #[serde(rename = "io.usher.Broker.SessionBusy")]
    SessionBusy {
        /// Which terminal and session.
        message: String,
    },
    /// There is no such seat.
    #[error("No seat '{seat}' known")]
    #[serde(rename = "io.usher.Broker.NoSuchSeat")]
    NoSuchSeat {
        /// The seat asked for.
        seat: String,
    },
    /// The session is on another seat, or on none.
    #[error("Session {session} not on seat {seat}")]
    #[serde(rename = "io.usher.Broker.SessionNotOnSeat")]
    SessionNotOnSeat {
        /// The session.
        session: String,
        /// The seat.
        seat: String,
    },
    /// The caller does not control the session.
    #[error("You are not in control of this session")]
    #[serde(rename = "io.usher.Broker.NotInControl")]
    NotInControl {},
    /// Somebody else controls the session.
    #[error("Session is controlled by another program")]
    #[serde(rename = "io.usher.Broker.AlreadyControlled")]
    AlreadyControlled {},
    /// Something went wrong inside the broker or the kernel.
    #[error("{message}")]
    #[serde(rename = "io.usher.Broker.Failed")]
    Failed {
        /// The operation, the object and the cause.
        message: String,
    },
    /// A parameter is missing, superfluous or wrong.
    #[error("Invalid parameter: {message}")]
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter {
        /// The parameter.
        parameter: String,
        /// What is wrong with it.
        #[serde(default)]
        message: String,
    },
    /// There is no such interface.
    #[error("No interface '{interface}'")]
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound {
        /// The interface asked for.
        interface: String,
    },
    /// There is no such method.
    #[error("No method '{method}'")]
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound {
        /// The method asked for.
        method: String,
    },
}

/// Whichever parameters an error has. One flat reader for all of them is a tenth of the code that serde derives for
/// [`Refusal`], which counts in a shared object that every login loads.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorParameters {
    pub(crate) session: String,
    pub(crate) seat: String,
    pub(crate) uid: u32,
    pub(crate) parameter: String,
    pub(crate) interface: String,
    pub(crate) method: String,
    pub(crate) message: String,
}

impl Refusal {
    /// Reads an error from an envelope's error name and parameters. One that this version does not know becomes
    /// [`Refusal::Failed`] with its name.
    pub fn parse(error: &str, parameters: Option<&RawValue>) -> Self {
        let read = parameters.and_then(|p| serde_json::from_str(p.get()).ok()).unwrap_or_default();
        Self::named(error, read)
    }

    /// The error of that name; [`Refusal::Failed`] with the name if this version does not know it.
    pub(crate) fn named(error: &str, parameters: ErrorParameters) -> Self {
        let ErrorParameters { session, seat, uid, parameter, interface, method, message } = parameters;
        match error {
            "io.usher.Broker.NoSuchSession" => Self::NoSuchSession { session },
            "io.usher.Broker.NoSessionForCaller" => Self::NoSessionForCaller {},
            "io.usher.Broker.NoSuchUser" => Self::NoSuchUser { uid },
            "io.usher.Broker.UnknownUser" => Self::UnknownUser { uid, message },
            "io.usher.Broker.AccessDenied" => Self::AccessDenied { message },
            "io.usher.Broker.LimitsExceeded" => Self::LimitsExceeded { message },
            "io.usher.Broker.NotSupported" => Self::NotSupported { message },
            "io.usher.Broker.SessionBusy" => Self::SessionBusy { message },
            "io.usher.Broker.NoSuchSeat" => Self::NoSuchSeat { seat },
            "io.usher.Broker.SessionNotOnSeat" => Self::SessionNotOnSeat { session, seat },
            "io.usher.Broker.NotInControl" => Self::NotInControl {},
            "io.usher.Broker.AlreadyControlled" => Self::AlreadyControlled {},
            "io.usher.Broker.Failed" => Self::Failed { message },
            "org.varlink.service.InvalidParameter" => Self::InvalidParameter { parameter, message },
            "org.varlink.service.InterfaceNotFound" => Self::InterfaceNotFound { interface },
            "org.varlink.service.MethodNotFound" => Self::MethodNotFound { method },
            name => Self::Failed { message: format!("the broker answered {}", shortened(name)) },
        }
    }
}
