//! Both ways of writing and reading the same messages agree.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::messages::Call;
use crate::wire::{Reply, Request, encode_error, encode_reply};

/// As usherd reads it.
fn received<T: LoginRequest>(request: &T, more: bool) -> Call {
    let mut frame = encode(T::METHOD, &request.parameters(), more);
    assert_eq!(frame.pop(), Some(0));
    let envelope = Request::from_frame(&frame).unwrap();
    assert_eq!((envelope.more, envelope.oneway), (more, false));
    Call::parse(&envelope.method, envelope.parameters.as_deref()).unwrap()
}

fn without_nul(mut frame: Vec<u8>) -> Vec<u8> {
    assert_eq!(frame.pop(), Some(0));
    frame
}

prop_compose! {
    fn any_request()(
        (uid, gid) in (0_u32..70000, any::<u32>()),
        texts in proptest::collection::vec(any::<String>(), 8),
        (kind, class, seat, vtnr) in (0_usize..5, 0_usize..5, proptest::option::of(Just("seat0")), proptest::option::of(1_u32..63)),
        (remote, retry) in any::<(bool, bool)>(),
    ) -> SessionRequest {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        SessionRequest {
            uid: uid.try_into().unwrap(),
            gid,
            user: "alice".parse().unwrap(),
            home: text(),
            shell: text(),
            service: text(),
            kind: crate::session::SessionType::ALL[kind],
            class: crate::session::SessionClass::ALL[class],
            desktop: text(),
            seat: seat.map(|seat| seat.parse().unwrap()),
            vtnr: vtnr.map(|vtnr| vtnr.try_into().unwrap()),
            tty: text(),
            display: text(),
            remote,
            remote_user: text(),
            remote_host: text(),
            retry,
        }
    }
}

prop_compose! {
    fn any_reply()(
        (settled, session, token) in (any::<bool>(), proptest::option::of(1_u64..1000), proptest::option::of(any::<String>())),
        (existing, runtime_only, class) in (any::<bool>(), any::<bool>(), proptest::option::of(0_usize..5)),
        (runtime_path, seat, vtnr) in (proptest::option::of(any::<String>()), any::<bool>(), proptest::option::of(1_u32..63)),
        (wait_usec, manager, notice) in (any::<u64>(), 0_usize..3, any::<String>()),
    ) -> OpenSessionReply {
        OpenSessionReply {
            phase: if settled { OpenPhase::Settled } else { OpenPhase::Registered },
            session: session.map(Into::into),
            token: token.map(CloseToken::new),
            existing,
            runtime_only,
            class: class.map(|class| crate::session::SessionClass::ALL[class]),
            runtime_path,
            seat: seat.then(crate::ids::SeatId::seat0),
            vtnr: vtnr.map(|vtnr| vtnr.try_into().unwrap()),
            wait_usec,
            manager: crate::session::ManagerState::ALL[manager],
            notice,
        }
    }
}

proptest! {
    #[test]
    fn usherd_reads_what_a_login_writes(request in any_request(), more: bool) {
        prop_assert_eq!(received(&request, more), Call::OpenSession(Box::new(request)));
    }

    #[test]
    fn usherd_reads_what_a_logout_writes(session in 1_u64..1000, token in proptest::option::of(any::<String>())) {
        let request = CloseRequest { session: session.into(), token: token.map(CloseToken::new) };
        prop_assert_eq!(received(&request, false), Call::CloseSession(request));
    }

    #[test]
    fn a_login_reads_what_usherd_writes(reply in any_reply(), continues: bool) {
        let frame = without_nul(encode_reply(&reply, continues).unwrap());
        prop_assert_eq!(decode(&frame), Ok((Ok(reply), continues)));
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[{\"\\\\u0-9a-f:,}\\] ]{0,60}") {
        let _ = decode::<OpenSessionReply>(&bytes);
        let _ = decode::<OpenSessionReply>(text.as_bytes());
    }
}

#[test]
fn refusals_are_the_same() {
    let refusals = [
        Refusal::NoSuchSession { session: "7".into() },
        Refusal::NoSessionForCaller {},
        Refusal::UnknownUser { uid: 7, message: "why".into() },
        Refusal::InvalidParameter { parameter: "tty".into(), message: "tty: \"\\\n\u{1F600}".into() },
        Refusal::SessionNotOnSeat { session: "7".into(), seat: "seat0".into() },
        Refusal::MethodNotFound { method: "x".into() },
        Refusal::InterfaceNotFound { interface: "x".into() },
    ];
    for refusal in refusals {
        let frame = without_nul(encode_error(&refusal).unwrap());
        assert_eq!(decode::<Nothing>(&frame), Ok((Err(refusal.clone()), false)));
        assert_eq!(Reply::from_frame(&frame).unwrap().result.err(), Some(refusal));
    }
    let frame = br#"{"error":"io.usher.Broker.NoSuchUser","parameters":{"uid":"seven"}}"#;
    let by_serde = Reply::from_frame(frame).unwrap().result.err();
    assert_eq!(decode::<Nothing>(frame).unwrap().0.err(), by_serde);
    let odd = br#"{"error":"com.example.Odd"}"#;
    assert!(matches!(decode::<Nothing>(odd), Ok((Err(Refusal::Failed { .. }), false))));
}

#[test]
fn a_reply_that_is_none_is_nonsense() {
    let bad = [
        "",
        "[]",
        "{",
        "{} x",
        "{}{}",
        r#"{"parameters":[]}"#,
        r#"{"continues":1}"#,
        r#"{"error":1}"#,
        r#"{"parameters":{}}"#,
        r#"{"parameters":{"phase":"settled","existing":true,"manager":"odd"}}"#,
        r#"{"parameters":{"phase":"settled","existing":true,"manager":"none","vtnr":64}}"#,
        r#"{"parameters":{"phase":"settled","existing":true,"manager":"none","session":"a/b"}}"#,
        "{\"parameters\":{\"phase\":\"settled\n\"}}",
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud800A"}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":tru}"#,
        r#"{"a":1,}"#,
        r#"{,}"#,
        r#"{"a" 1}"#,
    ];
    for text in bad {
        assert!(
            matches!(decode::<OpenSessionReply>(text.as_bytes()), Err(WireError::Malformed(_))),
            "{text}"
        );
    }
    assert!(decode::<OpenSessionReply>(b"\xff").is_err());
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    // No stack is too small for it.
    assert_eq!(decode::<Nothing>(deep.as_bytes()), Ok((Ok(Nothing {}), false)));
    // What a later usherd may say besides is nothing to a login.
    assert_eq!(
        decode::<Nothing>(br#"{"parameters":{"more":[1,-2,3.5e7]},"x":null}"#),
        Ok((Ok(Nothing {}), false))
    );
}

/// A reader of another kind would take a field that neither side has for one that is there.
#[test]
fn the_fields_have_the_same_names() {
    #[derive(Deserialize)]
    struct Names(serde_json::Map<String, serde_json::Value>);
    let json = r#"{"phase":"settled","session":"1","token":"t","existing":false,"runtime_only":true,"class":"user",
        "runtime_path":"/run/user/1","seat":"seat0","vtnr":1,"wait_usec":1,"manager":"none","notice":"n"}"#;
    let reply: OpenSessionReply = serde_json::from_str(json).unwrap();
    let Names(written) = serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap();
    let Names(given) = serde_json::from_str(json).unwrap();
    assert_eq!(written.keys().collect::<Vec<_>>(), given.keys().collect::<Vec<_>>());
    let frame = format!(r#"{{"parameters":{json}}}"#);
    assert_eq!(decode(frame.as_bytes()), Ok((Ok(reply), false)));
}
