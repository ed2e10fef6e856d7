//! pam_sm_close_session against usherds of every kind.

use usher_protocol::messages::{Call, CloseRequest, Nothing, Refusal};
use usher_protocol::wire::{encode_error, encode_reply};

use super::fake_broker::{FakeBroker, quick, say, say_and_hang, token_of_7};
use super::fake_pam::FakePam;
use crate::close::{close, give_up, is_given_up};
use crate::pam::{Code, OwnSession};

fn session_7() -> OwnSession {
    OwnSession { id: 7.into(), token: Some(token_of_7()), opener: std::process::id() }
}

fn close_7() -> Call {
    Call::CloseSession(CloseRequest { session: 7.into(), token: Some(token_of_7()) })
}

fn logged_in() -> FakePam {
    FakePam { session: Some(session_7()), ..FakePam::new(1000) }
}

fn ok() -> Vec<u8> {
    encode_reply(&Nothing {}, false).unwrap_or_default()
}

#[test]
fn the_session_of_this_handle_is_closed_once() {
    let broker = FakeBroker::start([say(ok())]);
    let mut pam = logged_in();
    let client = broker.client();
    assert_eq!(close(&mut pam, &client), Code::SUCCESS);
    assert_eq!(close(&mut pam, &client), Code::SUCCESS, "twice");
    assert!(pam.lines().is_empty(), "{:?}", pam.lines());
    assert_eq!(broker.calls(), [close_7()]);
}

#[test]
fn an_environment_closes_nobodys_session() {
    let mut pam = FakePam::new(1000).env("XDG_SESSION_ID", "8").process_env("XDG_SESSION_ID", "8");
    let code = close(&mut pam, &quick("/nonexistent/usher/broker".into()));
    assert_eq!((code, pam.lines().len()), (Code::SUCCESS, 0));
}

#[test]
fn a_session_that_is_gone_already_is_fine() {
    let gone = Refusal::NoSuchSession { session: "7".into() };
    let broker = FakeBroker::start([say(encode_error(&gone).unwrap_or_default())]);
    let mut pam = logged_in();
    assert_eq!(close(&mut pam, &broker.client()), Code::SUCCESS);
    assert!(pam.lines().is_empty(), "{:?}", pam.lines());
}

#[test]
fn a_refusal_is_reported() {
    let refusal = Refusal::Failed { message: "because".into() };
    let broker = FakeBroker::start([say(encode_error(&refusal).unwrap_or_default())]);
    let mut pam = logged_in();
    assert_eq!(close(&mut pam, &broker.client()), Code::SESSION_ERR);
    assert!(pam.only_line().contains("because"));
}

#[test]
fn a_broker_in_trouble_keeps_nobody_from_logging_out() {
    for script in [say(Vec::new()), say(b"{".to_vec()), say(b"hello\0".to_vec()), say_and_hang(Vec::new())] {
        let broker = FakeBroker::start([script]);
        let mut pam = logged_in();
        assert_eq!(close(&mut pam, &broker.client()), Code::SUCCESS);
        let line = pam.only_line();
        assert!(line.contains("usherd") && line.contains("closing") && line.contains("session 7"), "{line}");
    }
    let mut pam = logged_in();
    assert_eq!(close(&mut pam, &quick("/nonexistent/usher/broker".into())), Code::SUCCESS);
    assert!(pam.only_line().contains("connecting"));
}

#[test]
fn a_broker_that_gave_no_token_is_sent_none() {
    let broker = FakeBroker::start([say(ok())]);
    let mut pam = logged_in();
    pam.session = Some(OwnSession { token: None, ..session_7() });
    assert_eq!(close(&mut pam, &broker.client()), Code::SUCCESS);
    assert_eq!(broker.calls(), [Call::CloseSession(CloseRequest { session: 7.into(), token: None })]);
}

#[test]
fn a_broker_that_dies_and_comes_back_is_asked_again() {
    let broker = FakeBroker::start([say(Vec::new()), say(b"{".to_vec()), say(ok())]);
    let mut pam = logged_in();
    assert_eq!(close(&mut pam, &broker.client()), Code::SUCCESS);
    assert!(pam.lines().is_empty(), "{:?}", pam.lines());
    assert_eq!(broker.calls(), [close_7(), close_7(), close_7()]);
}

/// The statuses of pam_end(3), `_pam_types.h` and `_pam_modules.h`.
#[test]
fn a_login_is_given_up_by_its_own_process_and_with_an_error_only() {
    const SILENT: i32 = 0x4000_0000;
    const REPLACED: i32 = 0x2000_0000;
    let own = session_7();
    assert!(is_given_up(&own, 6) && is_given_up(&own, Code::SESSION_ERR.0));
    for status in [0, SILENT, REPLACED, 6 | SILENT, 6 | REPLACED] {
        assert!(!is_given_up(&own, status), "{status:x}");
    }
    let parents = OwnSession { opener: std::process::id() + 1, ..session_7() };
    assert!(!is_given_up(&parents, 6), "a copy in a child");
}

#[test]
fn the_session_of_a_login_that_was_given_up_is_closed() {
    let broker = FakeBroker::start([say(ok())]);
    let pam = FakePam::new(1000);
    assert_eq!(give_up(&pam, &session_7(), &broker.client()), Code::SUCCESS);
    assert!(pam.lines().is_empty(), "{:?}", pam.lines());
    assert_eq!(broker.calls(), [close_7()]);
}
