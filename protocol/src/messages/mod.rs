//! The methods of `io.usher.Broker`: parameters, replies and errors.
//!
//! [`Call`] is every request there is; [`Refusal`] every way of saying no. The same table in varlink's own language
//! is [`crate::interface`]; a test there holds the two together.

mod arguments;
mod login;
mod refusal;
mod status;
mod token;
mod views;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use arguments::*;
use login::invalid;
pub use login::{MAX_TEXT, OpenPhase, OpenSessionReply, SessionRequest};
#[cfg(feature = "blocking")]
pub(crate) use refusal::ErrorParameters;
pub use refusal::Refusal;
pub use status::*;
pub use token::CloseToken;
pub use views::*;

/// The name of usher's own interface.
pub const INTERFACE: &str = "io.usher.Broker";
/// The name of the interface that every varlink service has (varlink.org, "Service").
pub const SERVICE_INTERFACE: &str = "org.varlink.service";

/// One request, its parameters checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Register the calling process as the leader of a new session. Root only.
    OpenSession(Box<SessionRequest>),
    /// The session's user has logged out.
    CloseSession(CloseRequest),
    /// Every session.
    ListSessions,
    /// Every user with a session or a manager.
    ListUsers,
    /// Every seat.
    ListSeats,
    /// One session.
    GetSession(SessionSelector),
    /// One user.
    GetUser(UserSelector),
    /// One seat.
    GetSeat(SeatSelector),
    /// The broker's settings and counters.
    GetManager,
    /// How the broker is, and what it finds around it. Root only.
    GetStatus,
    /// Set or clear the linger flag.
    SetLinger(LingerRequest),
    /// End a session and its processes.
    TerminateSession(SessionArg),
    /// End all of a user's sessions and the user's manager.
    TerminateUser(UserArg),
    /// End all sessions of a seat.
    TerminateSeat(SeatArg),
    /// Send a signal to a session's processes.
    KillSession(KillSessionRequest),
    /// Send a signal to all of a user's processes.
    KillUser(KillUserRequest),
    /// Bring a session to the foreground of its seat.
    ActivateSession(SessionArg),
    /// Ask a session to lock its screen.
    LockSession(SessionArg),
    /// Ask a session to unlock its screen.
    UnlockSession(SessionArg),
    /// Ask every session that can be locked to lock its screen.
    LockSessions,
    /// Ask every session that can be locked to unlock its screen.
    UnlockSessions,
    /// `org.varlink.service.GetInfo`.
    GetInfo,
    /// `org.varlink.service.GetInterfaceDescription`.
    GetInterfaceDescription(InterfaceArg),
}

impl Call {
    /// Reads a request from an envelope's method name and parameters.
    ///
    /// # Errors
    /// [`Refusal::InterfaceNotFound`], [`Refusal::MethodNotFound`] or [`Refusal::InvalidParameter`]; the last one names the
    /// parameter where it is known.
    pub fn parse(method: &str, parameters: Option<&RawValue>) -> Result<Self, Refusal> {
        let (interface, name) = method.rsplit_once('.').unwrap_or(("", method));
        match (interface, name) {
            (INTERFACE, "OpenSession") => read(parameters).map(|r| Self::OpenSession(Box::new(r))),
            (INTERFACE, "CloseSession") => read(parameters).map(Self::CloseSession),
            (INTERFACE, "ListSessions") => read(parameters).map(|Nothing {}| Self::ListSessions),
            (INTERFACE, "ListUsers") => read(parameters).map(|Nothing {}| Self::ListUsers),
            (INTERFACE, "ListSeats") => read(parameters).map(|Nothing {}| Self::ListSeats),
            (INTERFACE, "GetSession") => read(parameters).map(Self::GetSession),
            (INTERFACE, "GetUser") => read(parameters).map(Self::GetUser),
            (INTERFACE, "GetSeat") => read(parameters).map(Self::GetSeat),
            (INTERFACE, "GetManager") => read(parameters).map(|Nothing {}| Self::GetManager),
            (INTERFACE, "GetStatus") => read(parameters).map(|Nothing {}| Self::GetStatus),
            (INTERFACE, "SetLinger") => read(parameters).map(Self::SetLinger),
            (INTERFACE, "TerminateSession") => read(parameters).map(Self::TerminateSession),
            (INTERFACE, "TerminateUser") => read(parameters).map(Self::TerminateUser),
            (INTERFACE, "TerminateSeat") => read(parameters).map(Self::TerminateSeat),
            (INTERFACE, "KillSession") => read(parameters).map(Self::KillSession),
            (INTERFACE, "KillUser") => read(parameters).map(Self::KillUser),
            (INTERFACE, "ActivateSession") => read(parameters).map(Self::ActivateSession),
            (INTERFACE, "LockSession") => read(parameters).map(Self::LockSession),
            (INTERFACE, "UnlockSession") => read(parameters).map(Self::UnlockSession),
            (INTERFACE, "LockSessions") => read(parameters).map(|Nothing {}| Self::LockSessions),
            (INTERFACE, "UnlockSessions") => read(parameters).map(|Nothing {}| Self::UnlockSessions),
            (SERVICE_INTERFACE, "GetInfo") => read(parameters).map(|Nothing {}| Self::GetInfo),
            (SERVICE_INTERFACE, "GetInterfaceDescription") => {
                read(parameters).map(Self::GetInterfaceDescription)
            }
            (INTERFACE | SERVICE_INTERFACE, _) => Err(Refusal::MethodNotFound { method: shortened(method) }),
            _ => Err(Refusal::InterfaceNotFound { interface: shortened(interface) }),
        }
    }

    /// The method's full name, as it stands in an envelope.
    pub fn method(&self) -> &'static str {
        match self {
            Self::OpenSession(_) => "io.usher.Broker.OpenSession",
            Self::CloseSession(_) => "io.usher.Broker.CloseSession",
            Self::ListSessions => "io.usher.Broker.ListSessions",
            Self::ListUsers => "io.usher.Broker.ListUsers",
            Self::ListSeats => "io.usher.Broker.ListSeats",
            Self::GetSession(_) => "io.usher.Broker.GetSession",
            Self::GetUser(_) => "io.usher.Broker.GetUser",
            Self::GetSeat(_) => "io.usher.Broker.GetSeat",
            Self::GetManager => "io.usher.Broker.GetManager",
            Self::GetStatus => "io.usher.Broker.GetStatus",
            Self::SetLinger(_) => "io.usher.Broker.SetLinger",
            Self::TerminateSession(_) => "io.usher.Broker.TerminateSession",
            Self::TerminateUser(_) => "io.usher.Broker.TerminateUser",
            Self::TerminateSeat(_) => "io.usher.Broker.TerminateSeat",
            Self::KillSession(_) => "io.usher.Broker.KillSession",
            Self::KillUser(_) => "io.usher.Broker.KillUser",
            Self::ActivateSession(_) => "io.usher.Broker.ActivateSession",
            Self::LockSession(_) => "io.usher.Broker.LockSession",
            Self::UnlockSession(_) => "io.usher.Broker.UnlockSession",
            Self::LockSessions => "io.usher.Broker.LockSessions",
            Self::UnlockSessions => "io.usher.Broker.UnlockSessions",
            Self::GetInfo => "org.varlink.service.GetInfo",
            Self::GetInterfaceDescription(_) => "org.varlink.service.GetInterfaceDescription",
        }
    }

    /// The parameters, as they stand in an envelope.
    ///
    /// # Errors
    /// None in practice: every parameter is plain data.
    pub fn parameters(&self) -> Result<Box<RawValue>, serde_json::Error> {
        use serde_json::value::to_raw_value;
        match self {
            Self::OpenSession(request) => to_raw_value(request),
            Self::CloseSession(request) => to_raw_value(request),
            Self::TerminateSession(arg)
            | Self::ActivateSession(arg)
            | Self::LockSession(arg)
            | Self::UnlockSession(arg) => to_raw_value(arg),
            Self::GetSession(selector) => to_raw_value(selector),
            Self::GetUser(selector) => to_raw_value(selector),
            Self::GetSeat(selector) => to_raw_value(selector),
            Self::SetLinger(request) => to_raw_value(request),
            Self::TerminateUser(arg) => to_raw_value(arg),
            Self::TerminateSeat(arg) => to_raw_value(arg),
            Self::KillSession(request) => to_raw_value(request),
            Self::KillUser(request) => to_raw_value(request),
            Self::GetInterfaceDescription(arg) => to_raw_value(arg),
            Self::ListSessions
            | Self::ListUsers
            | Self::ListSeats
            | Self::GetManager
            | Self::GetStatus
            | Self::LockSessions
            | Self::UnlockSessions
            | Self::GetInfo => to_raw_value(&Nothing {}),
        }
    }
}

/// Reads one method's parameters; absent parameters are an empty object.
fn read<T: DeserializeOwned>(parameters: Option<&RawValue>) -> Result<T, Refusal> {
    let text = parameters.map_or("{}", RawValue::get);
    // serde reads a struct from an array, too; varlink knows objects only.
    if !text.starts_with('{') {
        return Err(invalid("parameters", "not an object"));
    }
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // serde names the field between backquotes: "missing field `uid` at line 1 column 2".
        let parameter = message.split('`').nth(1).unwrap_or(&message);
        Refusal::InvalidParameter { parameter: shortened(parameter), message: shortened(&message) }
    })
}

/// At most 200 characters of a text that came from a peer, made printable.
fn shortened(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap_or_else(|e| unreachable!("{text}: {e}"))
    }

    #[test]
    fn absent_parameters_are_empty_ones() {
        assert_eq!(Call::parse("io.usher.Broker.ListUsers", None), Ok(Call::ListUsers));
        assert!(matches!(
            Call::parse("io.usher.Broker.GetSession", None),
            Ok(Call::GetSession(SessionSelector { session: None }))
        ));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let parse = |method, parameters| Call::parse(method, Some(&raw(parameters)));
        let missing = parse("io.usher.Broker.TerminateUser", "{}");
        assert!(
            matches!(missing, Err(Refusal::InvalidParameter { ref parameter, .. }) if parameter == "uid"),
            "{missing:?}"
        );
        let extra = parse("io.usher.Broker.TerminateUser", r#"{"uid":1,"why":2}"#);
        assert!(
            matches!(extra, Err(Refusal::InvalidParameter { ref parameter, .. }) if parameter == "why"),
            "{extra:?}"
        );
        for (method, parameters) in [
            ("io.usher.Broker.TerminateSession", r#"{"session":"../../etc"}"#),
            ("io.usher.Broker.TerminateSeat", r#"{"seat":"seat/0"}"#),
            ("io.usher.Broker.GetSeat", r#"{"seat":0}"#),
            ("io.usher.Broker.LockSessions", r#"{"session":"1"}"#),
            ("io.usher.Broker.TerminateUser", r#"{"uid":4294967295}"#),
            ("io.usher.Broker.TerminateUser", r#"{"uid":-1}"#),
            ("io.usher.Broker.ListUsers", "[]"),
            ("io.usher.Broker.ListUsers", "7"),
        ] {
            let refused = parse(method, parameters);
            assert!(
                matches!(refused, Err(Refusal::InvalidParameter { .. })),
                "{method} {parameters}: {refused:?}"
            );
        }
        assert!(matches!(parse("io.usher.Broker.Nope", "{}"), Err(Refusal::MethodNotFound { .. })));
        assert!(matches!(parse("com.example.Nope", "{}"), Err(Refusal::InterfaceNotFound { .. })));
        assert!(matches!(parse("", "{}"), Err(Refusal::InterfaceNotFound { .. })));
    }

    #[test]
    fn every_error_is_read_as_it_was_written() {
        let message = "why".to_owned();
        for refusal in [
            Refusal::NoSuchSession { session: "7".into() },
            Refusal::NoSessionForCaller {},
            Refusal::NoSuchUser { uid: 7 },
            Refusal::UnknownUser { uid: 7, message: message.clone() },
            Refusal::AccessDenied { message: message.clone() },
            Refusal::LimitsExceeded { message: message.clone() },
            Refusal::NotSupported { message: message.clone() },
            Refusal::SessionBusy { message: message.clone() },
            Refusal::Failed { message: message.clone() },
            Refusal::InvalidParameter { parameter: "uid".into(), message },
            Refusal::InterfaceNotFound { interface: "a.b".into() },
            Refusal::MethodNotFound { method: "a.b.C".into() },
        ] {
            let frame = crate::wire::encode_error(&refusal).unwrap_or_default();
            let frame = frame.strip_suffix(b"\0").unwrap_or_default();
            let reply = crate::wire::Reply::from_frame(frame).map(|reply| reply.result.err());
            assert_eq!(reply, Ok(Some(refusal)));
        }
    }

    #[test]
    fn errors_look_as_varlink_wants_them() {
        let error = Refusal::NoSuchSession { session: "7".into() };
        let json = serde_json::to_string(&error).ok();
        assert_eq!(
            json.as_deref(),
            Some(r#"{"error":"io.usher.Broker.NoSuchSession","parameters":{"session":"7"}}"#)
        );
    }
}
