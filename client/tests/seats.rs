//! The built usherctl and seats, and what is done to sessions on them, against a broker that says what the test wants.

#[allow(dead_code)]
mod support;

use serde_json::json;
use support::world::{broker, id};
use support::{Answer, FakeBroker};
use usher_protocol::messages::{Call, Refusal, SeatArg, SeatSelector, SessionArg, SessionSelector};

fn get_session(word: &str) -> Call {
    Call::GetSession(SessionSelector { session: Some(word.into()) })
}

fn get_seat(word: &str) -> Call {
    Call::GetSeat(SeatSelector { seat: Some(word.into()) })
}

#[test]
fn sessions_are_activated_and_locked() {
    let arg = || SessionArg { session: id("c4") };
    type MakeCall = fn(SessionArg) -> Call;
    for (verb, call) in [
        ("activate", Call::ActivateSession as MakeCall),
        ("lock-session", Call::LockSession),
        ("unlock-session", Call::UnlockSession),
    ] {
        let broker = broker();
        broker.run(&[verb, "c4"]).prints("");
        // The caller's own.
        broker.run(&[verb]).prints("");
        broker.run(&[verb, ""]).prints("");
        let mut calls = vec![call(arg()), get_session("auto"), call(arg()), get_session("self"), call(arg())];
        if verb == "activate" {
            broker.run(&[verb, "c4", "c4"]).fails("Too many arguments.");
        } else {
            broker.run(&[verb, "c4", "self"]).prints("");
            calls.extend([call(arg()), get_session("self"), call(arg())]);
        }
        assert_eq!(broker.calls(), calls, "{verb}");
    }
}

#[test]
fn all_sessions_are_locked_at_once() {
    let broker = FakeBroker::start(|_| Answer::Reply(json!({})));
    broker.run(&["lock-sessions", "--no-ask-password"]).prints("");
    broker.run(&["unlock-sessions"]).prints("");
    assert_eq!(broker.calls(), [Call::LockSessions, Call::UnlockSessions]);
    broker.run(&["lock-sessions", "c4"]).fails("Too many arguments.");
}

#[test]
fn the_first_session_that_cannot_be_locked_is_the_last_one_tried() {
    let broker = broker();
    broker
        .run(&["lock-session", "c4", "nope", "c4"])
        .fails("Failed to issue method call: No session 'nope' known");
    let tried = ["c4", "nope"].map(|word| Call::LockSession(SessionArg { session: id(word) }));
    assert_eq!(broker.calls(), tried);
}

#[test]
fn seats_are_listed_and_shown() {
    let broker = broker();
    broker.run(&["list-seats"]).prints("SEAT\nseat0\n\n1 seats listed.\n");
    broker.run(&["list-seats", "--no-legend"]).prints("seat0\n");
    broker.run(&["list-seats", "-j"]).prints("[{\"seat\":\"seat0\"}]\n");
    broker.run(&["list-seats", "--json=pretty"]).prints("[\n\t{\n\t\t\"seat\" : \"seat0\"\n\t}\n]\n");
    broker
        .run(&["show-seat", "seat0", "-p", "Sessions,ActiveSession"])
        .prints("ActiveSession=c4\nSessions=c4\n");
    broker.run(&["show-seat", "seat0", "self", "-P", "Id"]).prints("seat0\n\nseat0\n");
    broker
        .run(&["show-seat", "auto", "--json=short", "-p", "Id,CanTTY"])
        .prints("{\"Id\":\"seat0\",\"CanTTY\":true}\n");
    // Without a seat it is usherd itself that is shown, as with sessions.
    broker.run(&["show-seat", "-p", "NCurrentSessions"]).prints("NCurrentSessions=1\n");

    let empty = FakeBroker::start(|_| Answer::Reply(json!({"seats": []})));
    empty.run(&["list-seats"]).prints("SEAT\nNo seats.\n");
    empty.run(&["list-seats", "-j"]).prints("null\n");
}

#[test]
fn a_seats_status_is_for_people() {
    let broker = broker();
    let ran = broker.run(&["seat-status"]);
    assert!(ran.stdout.starts_with("seat0\nSessions: *c4\n Devices: n/a\n         "), "{ran:?}");
    let ran = broker.run(&["seat-status", "", "seat0"]);
    assert_eq!(ran.stdout.matches("seat0\nSessions: *c4\n").count(), 2, "{ran:?}");
    assert!(ran.stdout.contains("\n\nseat0\n"), "{ran:?}");
    assert_eq!(broker.calls(), ["auto", "self", "seat0"].map(get_seat));
    let json = broker.run(&["seat-status", "seat0", "-j"]);
    assert_eq!(json, broker.run(&["show-seat", "seat0", "-j"]));
}

#[test]
fn seats_are_terminated() {
    let broker = broker();
    broker.run(&["terminate-seat", "seat0", "self"]).prints("");
    let end = || Call::TerminateSeat(SeatArg { seat: "seat0".parse().expect("a seat") });
    assert_eq!(broker.calls(), [end(), get_seat("self"), end()]);
}

#[test]
fn whoever_is_nowhere_is_told_so() {
    let broker = FakeBroker::start(|_| Answer::Refuse(Refusal::NoSessionForCaller {}));
    let own = "Caller does not belong to any known session.";
    let any = "Caller does not belong to any known session and doesn't own any suitable session.";
    for (words, text) in [
        (&["show-seat", "self"][..], format!("Failed to get path for seat 'self': {own}")),
        (&["seat-status"], format!("Failed to get path for seat 'auto': {any}")),
        (&["session-status"], format!("Failed to get path for session 'auto': {any}")),
        (&["show-session", ""], format!("Failed to get path for session '': {own}")),
        (&["activate"], format!("Failed to issue method call: {any}")),
        (&["lock-session", "self"], format!("Failed to issue method call: {own}")),
    ] {
        broker.run(words).fails(&text);
    }
}
