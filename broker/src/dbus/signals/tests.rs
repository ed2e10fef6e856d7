//! Header and body of every signal.

use std::collections::BTreeMap;

use usher_protocol::ids::{SeatId, SessionId, Uid};
use usher_protocol::session::{SessionClass, SessionType};
use zbus::OwnedVariant;
use zbus::message;

use super::*;
use crate::dbus::interfaces::Emits;

const ONE: &str = "/org/freedesktop/login1/session/_31";
const ALICE: &str = "/org/freedesktop/login1/user/_1000";
const SEAT0: &str = "/org/freedesktop/login1/seat/seat0";
const IDLE: Idleness = Idleness { hint: true, since: 13, since_monotonic: 14 };

fn one() -> SessionId {
    "1".parse().unwrap()
}

fn alice() -> Uid {
    1000.try_into().unwrap()
}

fn made(change: Change) -> Message {
    of(&change).unwrap().unwrap()
}

/// Checks a signal's header: that it is for everybody, and its arguments as the table has them.
fn check_header(message: &Message, path: &str, interface: &Interface, name: &str) {
    let header = message.header();
    assert_eq!(message.message_type(), message::Type::Signal);
    assert!(header.destination().is_none());
    assert_eq!(header.path().unwrap().as_str(), path);
    assert_eq!(header.interface().unwrap().as_str(), interface.name);
    assert_eq!(header.member().unwrap().as_str(), name);
    let declared = interface.signals.iter().find(|signal| signal.name == name).unwrap();
    assert_eq!(message.body().signature().to_string_no_parens(), declared.carries.signature(), "{name}");
}

/// Checks a PropertiesChanged: its header, and that it has these properties, in the types that the interface declares.
fn check_changed<const N: usize>(
    change: Change,
    path: &str,
    interface: &Interface,
    expected: [(&str, Variant<'_>); N],
) {
    let message = made(change);
    check_header(&message, path, &PROPERTIES, "PropertiesChanged");
    let body = message.body();
    type Body = (String, BTreeMap<String, OwnedVariant>, Vec<String>);
    let (of, changed, invalidated): Body = body.deserialize().unwrap();
    assert_eq!(of, interface.name);
    assert_eq!(invalidated, Vec::<String>::new());
    let changed: BTreeMap<_, _> =
        changed.into_iter().map(|(name, value)| (name, Variant::from(value))).collect();
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(changed, BTreeMap::from(expected));
    for (name, value) in &changed {
        let property = interface.property(name).unwrap();
        assert_eq!(property.emits, Emits::Change, "{name}");
        assert_eq!(value.value_signature().to_string(), property.signature, "{name}");
    }
}

#[test]
fn sessions_come_and_go() {
    let gone = serde_json::json!({
        "id": "1", "uid": 1000, "user": "alice", "timestamp": 1, "timestamp_monotonic": 1, "tty": "", "display": "",
        "remote": false, "remote_host": "", "remote_user": "", "service": "login", "desktop": "", "leader": 0,
        "type": "tty", "class": "user", "active": false, "state": "closing", "idle_hint": false, "idle_since": 0,
        "idle_since_monotonic": 0, "locked_hint": false,
    });
    let gone = Box::new(serde_json::from_value(gone).unwrap());
    for (change, name) in
        [(Change::SessionNew(one()), "SessionNew"), (Change::SessionRemoved(gone), "SessionRemoved")]
    {
        let message = made(change);
        check_header(&message, "/org/freedesktop/login1", &MANAGER, name);
        let body: (String, OwnedObjectPath) = message.body().deserialize().unwrap();
        assert_eq!(body, ("1".to_owned(), ONE.try_into().unwrap()));
    }
}

#[test]
fn users_come_and_go() {
    for (change, name) in
        [(Change::UserNew(alice()), "UserNew"), (Change::UserRemoved(alice()), "UserRemoved")]
    {
        let message = made(change);
        check_header(&message, "/org/freedesktop/login1", &MANAGER, name);
        let body: (u32, OwnedObjectPath) = message.body().deserialize().unwrap();
        assert_eq!(body, (1000, ALICE.try_into().unwrap()));
    }
}

#[test]
fn a_seat_comes() {
    let message = seat_new(&SeatId::seat0()).unwrap();
    check_header(&message, "/org/freedesktop/login1", &MANAGER, "SeatNew");
    let body: (String, OwnedObjectPath) = message.body().deserialize().unwrap();
    assert_eq!(body, ("seat0".to_owned(), SEAT0.try_into().unwrap()));
}

#[test]
fn screens_are_locked_and_unlocked() {
    for (change, name) in [(Change::Lock(one()), "Lock"), (Change::Unlock(one()), "Unlock")] {
        let message = made(change);
        check_header(&message, ONE, &SESSION, name);
        assert!(message.body().is_empty());
    }
}

#[test]
fn a_session_changes() {
    let change = Change::Session(
        one(),
        vec![
            SessionProperty::Active(true),
            SessionProperty::Kind(SessionType::Wayland),
            SessionProperty::Class(SessionClass::User),
            SessionProperty::Tty("tty3".to_owned()),
            SessionProperty::Display(":1".to_owned()),
            SessionProperty::Idle(IDLE),
            SessionProperty::LockedHint(true),
        ],
    );
    let expected = [
        ("Active", true.into()),
        ("Type", "wayland".into()),
        ("Class", "user".into()),
        ("TTY", "tty3".into()),
        ("Display", ":1".into()),
        ("IdleHint", true.into()),
        ("IdleSinceHint", 13u64.into()),
        ("IdleSinceHintMonotonic", 14u64.into()),
        ("LockedHint", true.into()),
    ];
    check_changed(change, ONE, &SESSION, expected);
    let change = Change::Session(one(), vec![SessionProperty::Active(false)]);
    check_changed(change, ONE, &SESSION, [("Active", false.into())]);
}

#[test]
fn a_user_changes() {
    let display = ("1", OwnedObjectPath::try_from(ONE).unwrap());
    let change = Change::User(alice(), vec![UserProperty::Display(Some(one()))]);
    check_changed(change, ALICE, &USER, [("Display", display.into())]);
    let change = Change::User(alice(), vec![UserProperty::Display(None), UserProperty::Idle(IDLE)]);
    let expected = [
        ("Display", ("", path::nowhere()).into()),
        ("IdleHint", true.into()),
        ("IdleSinceHint", 13u64.into()),
        ("IdleSinceHintMonotonic", 14u64.into()),
    ];
    check_changed(change, ALICE, &USER, expected);
}

#[test]
fn a_seat_changes() {
    let active = ("1", OwnedObjectPath::try_from(ONE).unwrap());
    let change = Change::Seat(SeatId::seat0(), vec![SeatProperty::ActiveSession(Some(one()))]);
    check_changed(change, SEAT0, &SEAT, [("ActiveSession", active.into())]);
    let change = Change::Seat(
        SeatId::seat0(),
        vec![SeatProperty::ActiveSession(None), SeatProperty::Idle(Idleness::default())],
    );
    let expected = [
        ("ActiveSession", ("", path::nowhere()).into()),
        ("IdleHint", false.into()),
        ("IdleSinceHint", 0u64.into()),
        ("IdleSinceHintMonotonic", 0u64.into()),
    ];
    check_changed(change, SEAT0, &SEAT, expected);
}

#[test]
fn nothing_is_told_of_nothing() {
    for change in [
        Change::Session(one(), Vec::new()),
        Change::User(alice(), Vec::new()),
        Change::Seat(SeatId::seat0(), Vec::new()),
    ] {
        assert!(of(&change).unwrap().is_none(), "{change:?}");
    }
}

#[test]
fn everybody_is_idle() {
    let expected = [
        ("IdleHint", true.into()),
        ("IdleSinceHint", 13u64.into()),
        ("IdleSinceHintMonotonic", 14u64.into()),
    ];
    check_changed(Change::Idle(IDLE), "/org/freedesktop/login1", &MANAGER, expected);
}

#[test]
fn a_text_that_the_bus_would_not_carry_is_told_as_one_that_it_does() {
    let change = Change::Session(one(), vec![SessionProperty::Tty("a\0b".to_owned())]);
    check_changed(change, ONE, &SESSION, [("TTY", "a\u{fffd}b".into())]);
    let change = Change::Session(one(), vec![SessionProperty::Display("\0".to_owned())]);
    check_changed(change, ONE, &SESSION, [("Display", "\u{fffd}".into())]);
}
