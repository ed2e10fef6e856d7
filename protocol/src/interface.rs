//! The interfaces in varlink's own language, for `org.varlink.service.GetInterfaceDescription`.

use crate::messages::{INTERFACE, SERVICE_INTERFACE};

/// `io.usher.Broker`.
pub const BROKER: &str = include_str!("io.usher.Broker.varlink");
/// `org.varlink.service`.
pub const SERVICE: &str = include_str!("org.varlink.service.varlink");

/// The description of an interface that usherd has.
pub fn describe(interface: &str) -> Option<&'static str> {
    match interface {
        INTERFACE => Some(BROKER),
        SERVICE_INTERFACE => Some(SERVICE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    // To panic is what it is for.
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ids::{SeatId, SessionId, Uid};
    use crate::messages::*;
    use crate::session::{KillWhom, SessionClass, SessionType};

    /// The words after `keyword` at the beginning of lines, up to `(`.
    fn declared<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        text.lines()
            .filter_map(move |line| line.strip_prefix(keyword)?.split_once('(').map(|(name, _)| name.trim()))
    }

    #[test]
    fn every_declared_method_is_known() {
        for (interface, text) in [(INTERFACE, BROKER), (SERVICE_INTERFACE, SERVICE)] {
            assert!(text.contains(&format!("interface {interface}\n")));
            let mut methods = 0;
            for name in declared(text, "method ") {
                let parsed = Call::parse(&format!("{interface}.{name}"), None);
                assert!(!matches!(parsed, Err(Refusal::MethodNotFound { .. })), "{interface}.{name}");
                methods += 1;
            }
            assert!(methods >= 2, "{interface} declares {methods} methods");
        }
    }

    /// One of each call.
    fn calls() -> Vec<Call> {
        let (session, uid) = (SessionId::from(3), Uid::ROOT);
        let arg = || SessionArg { session: session.clone() };
        vec![
            Call::OpenSession(Box::new(SessionRequest {
                uid,
                gid: 0,
                user: "root".parse().unwrap(),
                home: "/root".into(),
                shell: "/bin/sh".into(),
                service: "login".into(),
                kind: SessionType::Tty,
                class: SessionClass::User,
                desktop: String::new(),
                seat: Some(SeatId::seat0()),
                vtnr: None,
                tty: String::new(),
                display: String::new(),
                remote: false,
                remote_user: String::new(),
                remote_host: String::new(),
                retry: false,
            })),
            Call::CloseSession(CloseRequest { session: session.clone(), token: None }),
            Call::ListSessions,
            Call::ListUsers,
            Call::ListSeats,
            Call::GetSession(SessionSelector { session: Some("auto".into()) }),
            Call::GetUser(UserSelector { uid: None }),
            Call::GetSeat(SeatSelector { seat: Some("self".into()) }),
            Call::GetManager,
            Call::GetStatus,
            Call::SetLinger(LingerRequest { uid: Some(uid), linger: true }),
            Call::TerminateSession(arg()),
            Call::TerminateUser(UserArg { uid }),
            Call::TerminateSeat(SeatArg { seat: SeatId::seat0() }),
            Call::KillSession(KillSessionRequest {
                session: session.clone(),
                whom: KillWhom::All,
                signal: 15,
            }),
            Call::KillUser(KillUserRequest { uid, signal: 9 }),
            Call::ActivateSession(arg()),
            Call::LockSession(arg()),
            Call::UnlockSession(arg()),
            Call::LockSessions,
            Call::UnlockSessions,
            Call::GetInfo,
            Call::GetInterfaceDescription(InterfaceArg { interface: INTERFACE.into() }),
        ]
    }

    #[test]
    fn every_call_is_declared_and_survives_its_own_envelope() {
        let calls = calls();
        for call in &calls {
            let (interface, name) = call.method().rsplit_once('.').unwrap();
            let text = describe(interface).unwrap();
            assert!(declared(text, "method ").any(|declared| declared == name), "{name}");
            let parameters = call.parameters().ok();
            assert_eq!(Call::parse(call.method(), parameters.as_deref()).as_ref(), Ok(call));
        }
        // So that none is forgotten here: a declared one is known, says the test above.
        let methods: usize = [BROKER, SERVICE].map(|text| declared(text, "method ").count()).iter().sum();
        assert_eq!(calls.len(), methods);
    }

    #[test]
    fn every_error_is_declared() {
        let declared: Vec<_> = declared(BROKER, "error ").collect();
        for name in &declared {
            let known = Refusal::parse(&format!("{INTERFACE}.{name}"), None);
            assert_eq!(matches!(known, Refusal::Failed { .. }), *name == "Failed", "{name}");
        }
        assert_eq!(declared.len(), 13);
    }
}
