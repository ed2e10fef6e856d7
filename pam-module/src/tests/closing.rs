//! pam_sm_close_session against usherds of every kind.

use usher_protocol::messages::{Call, Nothing, Refusal, SessionArg};
use usher_protocol::wire::{encode_error, encode_reply};

use super::fake_broker::{FakeBroker, quick, say, say_and_hang};
use super::fake_pam::FakePam;
use crate::close::close;
use crate::pam::Code;

fn logged_in() -> FakePam {
    FakePam { session: Some(7.into()), ..FakePam::new(1000) }
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
    assert_eq!(broker.calls(), [Call::CloseSession(SessionArg { session: 7.into() })]);
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
