//! Every property has a value of its type; those that mean something have the right one.

use std::collections::HashMap;

use usher_model::Idleness;
use usher_protocol::messages::{ManagerView, SeatView, SessionView, UserView};
use usher_protocol::session::{ManagerState, SessionClass, SessionState, SessionType, UserState};
use zbus::{Message, OwnedVariant};

use super::*;
use crate::dbus::interfaces::{MANAGER, SEAT, SESSION, USER};

fn session() -> SessionView {
    SessionView {
        id: "1".parse().unwrap(),
        uid: 1000.try_into().unwrap(),
        user: "alice".parse().unwrap(),
        timestamp: 11,
        timestamp_monotonic: 12,
        vtnr: Some(2.try_into().unwrap()),
        seat: Some(SeatId::seat0()),
        tty: "tty2".to_owned(),
        display: ":0".to_owned(),
        remote: true,
        remote_host: "far".to_owned(),
        remote_user: "bob".to_owned(),
        service: "login".to_owned(),
        desktop: "KDE".to_owned(),
        scope: Some("session-1.scope".to_owned()),
        leader: 4242,
        audit: Some(1),
        kind: SessionType::Wayland,
        class: SessionClass::Greeter,
        active: true,
        state: SessionState::Active,
        idle_hint: true,
        idle_since: 13,
        idle_since_monotonic: 14,
        locked_hint: true,
        control_group: None,
    }
}

fn user() -> UserView {
    UserView {
        uid: 1000.try_into().unwrap(),
        gid: 100,
        name: "alice".parse().unwrap(),
        timestamp: 11,
        timestamp_monotonic: 12,
        runtime_path: None,
        service: "user@1000.service".to_owned(),
        slice: "user-1000.slice".to_owned(),
        display: Some("c2".parse().unwrap()),
        state: UserState::Active,
        sessions: vec!["c2".parse().unwrap(), "1".parse().unwrap()],
        idle_hint: true,
        idle_since: 13,
        idle_since_monotonic: 14,
        linger: true,
        manager: ManagerState::ALL[0],
        manager_pid: None,
        manager_since: 0,
        manager_restarts: 0,
        manager_error: String::new(),
        manager_error_time: 0,
        manager_log: Vec::new(),
        notice: String::new(),
        kept_by: Vec::new(),
        control_group: None,
    }
}

fn seat() -> SeatView {
    SeatView {
        id: SeatId::seat0(),
        active: Some("1".parse().unwrap()),
        can_tty: true,
        can_graphical: false,
        sessions: vec!["1".parse().unwrap()],
        idle_hint: true,
        idle_since: 13,
        idle_since_monotonic: 14,
    }
}

fn manager() -> Manager {
    Manager {
        view: ManagerView {
            kill_user_processes: true,
            kill_only_users: vec!["alice".to_owned(), "bob".to_owned()],
            kill_exclude_users: Vec::new(),
            user_stop_delay_usec: 1,
            remove_ipc: true,
            runtime_directory_size: 2,
            runtime_directory_inodes_max: 3,
            sessions_max: 4,
            n_current_sessions: 5,
        },
        idle: Idleness { hint: true, since: 13, since_monotonic: 14 },
    }
}

/// Checks that an object has exactly the properties of its interface, each of the declared type.
fn complete(interface: &Interface, object: &dyn Properties) {
    for property in interface.properties {
        let value = object.value(property.name).unwrap_or_else(|| panic!("no {}", property.name));
        assert_eq!(value.value_signature().to_string(), property.signature, "{}", property.name);
    }
    assert_eq!(object.value("NoSuchProperty"), None);
    assert_eq!(object.value(""), None);
    let expected: Vec<_> = interface.shown().map(|property| property.name).collect();
    let names: Vec<_> = all(interface, object).0.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected);
}

/// Checks some of an object's values.
fn check<const N: usize>(object: &dyn Properties, expected: [(&str, Variant<'_>); N]) {
    for (name, value) in expected {
        assert_eq!(object.value(name), Some(value.try_into_owned().unwrap().into()), "{name}");
    }
}

#[test]
fn every_property_has_a_value_of_its_type() {
    complete(&SESSION, &session());
    complete(&USER, &user());
    complete(&SEAT, &seat());
    complete(&MANAGER, &manager());
}

#[test]
fn those_who_lack_things_have_all_properties_too() {
    let session = SessionView { vtnr: None, seat: None, scope: None, audit: None, leader: 0, ..session() };
    complete(&SESSION, &session);
    check(
        &session,
        [
            ("VTNr", 0u32.into()),
            ("Seat", ("", path::nowhere()).into()),
            ("Scope", "".into()),
            ("Audit", 4_294_967_295u32.into()),
            ("Leader", 0u32.into()),
        ],
    );
    let user = UserView { display: None, sessions: Vec::new(), ..user() };
    complete(&USER, &user);
    check(&user, [("Display", ("", path::nowhere()).into())]);
    let seat = SeatView { active: None, sessions: Vec::new(), ..seat() };
    complete(&SEAT, &seat);
    check(&seat, [("ActiveSession", ("", path::nowhere()).into())]);
}

#[test]
fn a_session() {
    let alice = path::path_of_user(1000.try_into().unwrap());
    check(
        &session(),
        [
            ("Id", "1".into()),
            ("User", (1000u32, alice).into()),
            ("Name", "alice".into()),
            ("Timestamp", 11u64.into()),
            ("TimestampMonotonic", 12u64.into()),
            ("VTNr", 2u32.into()),
            ("Seat", ("seat0", path::path_of_seat(&SeatId::seat0())).into()),
            ("TTY", "tty2".into()),
            ("Display", ":0".into()),
            ("Remote", true.into()),
            ("RemoteHost", "far".into()),
            ("RemoteUser", "bob".into()),
            ("Service", "login".into()),
            ("Desktop", "KDE".into()),
            ("Scope", "session-1.scope".into()),
            ("Leader", 4242u32.into()),
            ("Audit", 1u32.into()),
            ("Type", "wayland".into()),
            ("Class", "greeter".into()),
            ("Active", true.into()),
            ("State", "active".into()),
            ("IdleHint", true.into()),
            ("IdleSinceHint", 13u64.into()),
            ("IdleSinceHintMonotonic", 14u64.into()),
            ("CanIdle", true.into()),
            ("CanLock", false.into()),
            ("LockedHint", true.into()),
        ],
    );
}

#[test]
fn a_user() {
    let c2 = ("c2".to_owned(), path::path_of_session(&"c2".parse().unwrap()));
    let one = ("1".to_owned(), path::path_of_session(&"1".parse().unwrap()));
    check(
        &user(),
        [
            ("UID", 1000u32.into()),
            ("GID", 100u32.into()),
            ("Name", "alice".into()),
            ("Timestamp", 11u64.into()),
            ("TimestampMonotonic", 12u64.into()),
            ("RuntimePath", "/run/user/1000".into()),
            ("Service", "user@1000.service".into()),
            ("Slice", "user-1000.slice".into()),
            ("Display", c2.clone().into()),
            ("State", "active".into()),
            ("Sessions", vec![c2, one].into()),
            ("IdleHint", true.into()),
            ("IdleSinceHint", 13u64.into()),
            ("IdleSinceHintMonotonic", 14u64.into()),
            ("Linger", true.into()),
        ],
    );
}

#[test]
fn a_seat() {
    let one = ("1".to_owned(), path::path_of_session(&"1".parse().unwrap()));
    check(
        &seat(),
        [
            ("Id", "seat0".into()),
            ("ActiveSession", one.clone().into()),
            ("CanMultiSession", true.into()),
            ("CanTTY", true.into()),
            ("CanGraphical", false.into()),
            ("Sessions", vec![one].into()),
            ("IdleHint", true.into()),
            ("IdleSinceHint", 13u64.into()),
            ("IdleSinceHintMonotonic", 14u64.into()),
        ],
    );
}

#[test]
fn the_manager() {
    let manager = manager();
    check(
        &manager,
        [
            ("KillUserProcesses", true.into()),
            ("KillOnlyUsers", vec!["alice", "bob"].into()),
            ("KillExcludeUsers", Vec::<String>::new().into()),
            ("UserStopDelayUSec", 1u64.into()),
            ("RemoveIPC", true.into()),
            ("RuntimeDirectorySize", 2u64.into()),
            ("RuntimeDirectoryInodesMax", 3u64.into()),
            ("SessionsMax", 4u64.into()),
            ("NCurrentSessions", 5u64.into()),
            ("IdleHint", true.into()),
            ("IdleSinceHint", 13u64.into()),
            ("IdleSinceHintMonotonic", 14u64.into()),
            ("IdleActionUSec", 1_800_000_000u64.into()),
            ("UserTasksMax", u64::MAX.into()),
            ("ScheduledShutdown", ("", u64::MAX).into()),
            ("RebootToBootLoaderMenu", u64::MAX.into()),
        ],
    );
    for property in MANAGER.properties.iter().filter(|property| property.name.starts_with("Handle")) {
        check(&manager, [(property.name, "ignore".into())]);
    }
    for property in MANAGER.properties {
        let of_idleness = matches!(property.name, "IdleHint" | "IdleSinceHint" | "IdleSinceHintMonotonic");
        assert_eq!(Manager::needs_idle(property.name), of_idleness, "{}", property.name);
    }
}

#[test]
fn no_text_has_a_nul_byte() {
    let nul = || "a\0b".to_owned();
    let session = SessionView {
        tty: nul(),
        display: nul(),
        remote_host: nul(),
        remote_user: nul(),
        service: nul(),
        desktop: nul(),
        ..session()
    };
    for name in ["TTY", "Display", "RemoteHost", "RemoteUser", "Service", "Desktop"] {
        check(&session, [(name, "a\u{fffd}b".into())]);
    }
    let mut manager = manager();
    (manager.view.kill_only_users, manager.view.kill_exclude_users) = (vec![nul()], vec![nul()]);
    for name in ["KillOnlyUsers", "KillExcludeUsers"] {
        check(&manager, [(name, vec!["a\u{fffd}b"].into())]);
    }
}

#[test]
fn all_values_travel_in_the_order_of_the_table() {
    let body = all(&SEAT, &seat());
    let message = Message::signal("/", "org.example.Test", "Test").build(&body).unwrap();
    let body = message.body();
    assert_eq!(body.signature().to_string(), "a{sv}");
    let read: HashMap<String, OwnedVariant> = body.deserialize().unwrap();
    assert_eq!(read.len(), SEAT.shown().count());
    assert_eq!(Variant::from(read["Id"].try_clone().unwrap()), Variant::from("seat0"));
    let bytes = body.data().bytes();
    let positions = SEAT.shown().map(|property| {
        let name = format!("{}\0", property.name);
        bytes.windows(name.len()).position(|window| window == name.as_bytes())
    });
    let positions: Option<Vec<_>> = positions.collect();
    assert!(positions.is_some_and(|positions| positions.is_sorted()), "{read:?}");
}
