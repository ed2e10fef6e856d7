use proptest::option;
use proptest::prelude::*;
use usher_model::record::{
    GcMode, RuntimeDir, RuntimeKind, SeatRecord, SessionEntry, SessionRecord, UserRecord,
};
use usher_model::{BusName, CgroupUse, ManagerUse, Now};
use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, UserName, VtNr};
use usher_protocol::session::{SessionClass, SessionState, SessionType, UserState};

use super::{parse, write};

fn uid() -> impl Strategy<Value = Uid> {
    any::<u32>().prop_filter_map("no user", |n| Uid::try_from(n).ok())
}

fn id() -> impl Strategy<Value = SessionId> {
    "[A-Za-z0-9]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn seat_id() -> impl Strategy<Value = SeatId> {
    "seat[A-Za-z0-9_-]{1,20}".prop_map(|text| text.parse().unwrap())
}

fn name() -> impl Strategy<Value = UserName> {
    "[a-zA-Zé_ =#'\"\\\\][a-zA-Z0-9é._= \\\\-]{0,30}".prop_filter_map("no name", |text| text.parse().ok())
}

/// Words, and what somebody with bad intentions would write instead.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9:/.-]{0,20}",
        any::<String>(),
        Just("x\nUID=0\nACTIVE=1".to_owned()),
        Just("\0\r\n\\\"'=# ".to_owned()),
        "[ =#;\\\\\"']{1,10}",
        "x{5000}",
    ]
}

fn leader() -> impl Strategy<Value = LeaderPid> {
    (any::<u32>(), any::<u64>()).prop_map(|(pid, start)| LeaderPid { pid, start })
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(values)
}

prop_compose! {
    fn session()(
        (id, uid, user, active, is_display, state, remote) in
            (id(), uid(), name(), any::<bool>(), any::<bool>(), one_of(SessionState::ALL), any::<bool>()),
        (kind, original_kind, class, scope, fifo, seat, tty, display) in (
            one_of(SessionType::ALL), one_of(SessionType::ALL), one_of(SessionClass::ALL),
            option::of("session-[a-z0-9]{1,9}.scope"), any::<bool>(), option::of(seat_id()), hostile(), hostile(),
        ),
        (remote_host, remote_user, service, desktop) in (hostile(), hostile(), hostile(), hostile()),
        (vtnr, position, leader, audit) in
            (option::of(1u32..=63), any::<u32>(), option::of(leader()), any::<Option<u32>>()),
        (controller, idle_since, locked) in
            (option::of(hostile()), option::of((any::<u64>(), any::<u64>())), any::<bool>()),
        (manager, cgroup) in (
            one_of(&[ManagerUse::Start, ManagerUse::Reuse, ManagerUse::None]),
            one_of(&[CgroupUse::Create, CgroupUse::Adopt, CgroupUse::Off]),
        ),
        (realtime, monotonic, origin, released, told_to_go) in
            (any::<u64>(), any::<u64>(), option::of("/[ -~]{0,40}"), any::<bool>(), any::<bool>()),
    ) -> SessionRecord {
        let vtnr = vtnr.and_then(|vt| VtNr::try_from(vt).ok());
        let controller = controller.filter(|name| !name.is_empty()).map(BusName);
        let idle_since = idle_since.map(|(monotonic, realtime)| Now { monotonic, realtime });
        SessionRecord {
            id, uid, user, active, is_display, state, remote, kind, original_kind, class, scope, fifo, seat, tty,
            display, remote_host, remote_user, service, desktop, vtnr, position, leader, audit, realtime,
            monotonic, controller, idle_since, locked, origin, released, told_to_go, manager, cgroup,
        }
    }
}

prop_compose! {
    fn runtime()(
        kind in one_of(&[RuntimeKind::Mount, RuntimeKind::Plain, RuntimeKind::Adopted]),
        mount in any::<Option<u64>>(),
    ) -> RuntimeDir {
        RuntimeDir { kind, mount }
    }
}

prop_compose! {
    fn user()(
        (uid, name, state, stopping) in (uid(), name(), one_of(UserState::ALL), any::<bool>()),
        gc_mode in one_of(&[GcMode::Any, GcMode::Pin]),
        (display, realtime, monotonic) in (option::of(id()), any::<u64>(), any::<u64>()),
        (last_session, gid, home, shell) in (any::<Option<u64>>(), any::<u32>(), hostile(), hostile()),
        runtime in option::of(runtime()),
        (manager, manager_ready, terminated) in (option::of(leader()), any::<bool>(), any::<bool>()),
        sessions in proptest::collection::vec((id(), one_of(SessionState::ALL), option::of(seat_id())), 0..4),
    ) -> UserRecord {
        let sessions = sessions.into_iter().map(|(id, state, seat)| SessionEntry { id, uid, state, seat }).collect();
        UserRecord {
            uid, name, state, stopping, gc_mode, display, realtime, monotonic, last_session, sessions, gid, home,
            shell, runtime, manager, manager_ready, terminated,
        }
    }
}

prop_compose! {
    fn seat()(
        (id, can_tty, can_graphical) in (seat_id(), any::<bool>(), any::<bool>()),
        active in option::of((id(), uid())),
        sessions in proptest::collection::vec((id(), uid()), 0..4),
    ) -> SeatRecord {
        SeatRecord { id, can_tty, can_graphical, active, sessions }
    }
}

proptest! {
    #[test]
    fn a_session_comes_back_as_it_was(record in session()) {
        let text = write::session(&record);
        prop_assert!(text.lines().skip(1).all(is_a_line), "{text}");
        prop_assert_eq!(parse::session(&record.id, &text), Ok(record));
    }

    #[test]
    fn a_user_comes_back_without_the_lists(record in user()) {
        let text = write::user(&record);
        prop_assert!(text.lines().skip(1).all(is_a_line), "{text}");
        let expected = UserRecord { sessions: vec![], ..record };
        prop_assert_eq!(parse::user(expected.uid, &text), Ok(expected));
    }

    #[test]
    fn a_seat_comes_back_as_it_was(record in seat()) {
        prop_assert_eq!(parse::seat(&record.id, &write::seat(&record)), Ok(record));
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>(), lines in "([A-Z_]{2,9}=?.{0,12}\n){0,12}") {
        for text in [text, lines] {
            let _ = parse::session(&SessionId::from(1), &text);
            let _ = parse::user(Uid::ROOT, &text);
            let _ = parse::seat(&SeatId::seat0(), &text);
        }
    }

    #[test]
    fn damage_is_noticed_or_survived(record in session(), at in any::<proptest::sample::Index>(), byte in 1u8..127) {
        let mut bytes = write::session(&record).into_bytes();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        let _ = parse::session(&record.id, &String::from_utf8_lossy(&bytes));
        let _ = parse::session(&record.id, &String::from_utf8_lossy(&bytes[..index]));
    }
}

/// Nobody's text makes a line of its own, or ends up beside a key that it does not belong to.
fn is_a_line(line: &str) -> bool {
    let key = line.split('=').next().unwrap_or_default();
    line.contains('=') && key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn example() -> SessionRecord {
    SessionRecord {
        id: "c4".parse().unwrap(),
        uid: Uid::try_from(1002).unwrap(),
        user: "u2".parse().unwrap(),
        active: true,
        is_display: true,
        state: SessionState::Active,
        remote: false,
        kind: SessionType::Tty,
        original_kind: SessionType::Tty,
        class: SessionClass::User,
        scope: Some("session-c4.scope".into()),
        fifo: true,
        seat: None,
        tty: "tty-fake".into(),
        display: String::new(),
        remote_host: String::new(),
        remote_user: String::new(),
        service: "bench".into(),
        desktop: "Foo Bar".into(),
        vtnr: None,
        position: 0,
        leader: Some(LeaderPid { pid: 108, start: 7 }),
        audit: None,
        realtime: 1_795_224_184_737_977,
        monotonic: 2_554_362_672,
        controller: None,
        idle_since: None,
        locked: false,
        origin: Some("/system.slice/ssh.service".into()),
        released: false,
        told_to_go: false,
        manager: ManagerUse::Start,
        cgroup: CgroupUse::Create,
    }
}

/// logind's own file for the same session, as captured (contract/state-files.md section 7).
const CAPTURED_SESSION: &str = "# This is private data. Do not parse.
UID=1002
USER=u2
ACTIVE=1
IS_DISPLAY=1
STATE=active
REMOTE=0
LEADER_FD_SAVED=1
TYPE=tty
ORIGINAL_TYPE=tty
CLASS=user
SCOPE=session-c4.scope
FIFO=/run/systemd/sessions/c4.ref
TTY=tty-fake
TTY_VALIDITY=from-pam
SERVICE=bench
DESKTOP=Foo Bar
POSITION=0
LEADER=108
REALTIME=1795224184737977
MONOTONIC=2554362672
";

#[test]
fn the_keys_stand_in_logind_s_order() {
    let ours = write::session(&example());
    let ours: Vec<_> =
        ours.lines().filter(|line| !line.starts_with('#') && !line.starts_with("USHER_")).collect();
    let theirs: Vec<_> = CAPTURED_SESSION
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| if line == "LEADER_FD_SAVED=1" { "LEADER_FD_SAVED=0" } else { line })
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn what_a_controller_has_changed_is_told_from_what_was() {
    let record = SessionRecord {
        kind: SessionType::Wayland,
        position: 2,
        controller: Some(BusName(":1.42".into())),
        fifo: false,
        ..example()
    };
    let text = write::session(&record);
    for line in ["TYPE=wayland", "ORIGINAL_TYPE=tty", "POSITION=2", "CONTROLLER=:1.42"] {
        assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
    }
    assert!(!text.contains("FIFO"), "{text}");
}

#[test]
fn logind_s_own_files_are_understood() {
    let parsed = parse::session(&"c4".parse().unwrap(), CAPTURED_SESSION);
    let leader = Some(LeaderPid { pid: 108, start: 0 });
    assert_eq!(parsed, Ok(SessionRecord { leader, origin: None, ..example() }));

    let seat = "# x\nIS_SEAT0=1\nCAN_MULTI_SESSION=1\nCAN_TTY=0\nCAN_GRAPHICAL=0\nACTIVE=c21\nACTIVE_UID=1011\n\
                SESSIONS=c21 c19\nUIDS=1011 1010\n";
    let parsed = parse::seat(&SeatId::seat0(), seat).unwrap();
    assert_eq!(parsed.sessions.len(), 2);
    assert_eq!(
        write::seat(&parsed).lines().skip(1).collect::<Vec<_>>(),
        seat.lines().skip(1).collect::<Vec<_>>()
    );

    let user = "NAME=u2\nSTATE=active\nSTOPPING=no\nGC_MODE=pin\nRUNTIME=/run/user/1002\n";
    assert_eq!(parse::user(Uid::ROOT, user), Err(parse::ParseError::Missing("USHER_GID")));
}

#[test]
fn the_six_lists_are_together_and_tell_seats_from_ssh() {
    let uid = Uid::try_from(1002).unwrap();
    let entry = |id: u64, state, seat: Option<&str>| SessionEntry {
        id: id.into(),
        uid,
        state,
        seat: seat.map(|seat| seat.parse().unwrap()),
    };
    let mut record = UserRecord {
        uid,
        name: "u2".parse().unwrap(),
        state: UserState::Active,
        stopping: false,
        gc_mode: GcMode::Pin,
        display: Some(SessionId::from(4)),
        realtime: 1,
        monotonic: 2,
        last_session: None,
        sessions: vec![
            entry(6, SessionState::Active, None),
            entry(5, SessionState::Online, Some("seat0")),
            entry(4, SessionState::Active, Some("seat0")),
            entry(3, SessionState::Closing, Some("seat0")),
        ],
        gid: 100,
        home: "/home/u2".into(),
        shell: "/bin/sh".into(),
        runtime: Some(RuntimeDir { kind: RuntimeKind::Mount, mount: Some(1 << 31) }),
        manager: None,
        manager_ready: false,
        terminated: false,
    };
    let text = write::user(&record);
    let lists = "SESSIONS=6 5 4 3\nSEATS=seat0 seat0 seat0\nACTIVE_SESSIONS=6 4\nONLINE_SESSIONS=6 5 4\n\
                 ACTIVE_SEATS=seat0\nONLINE_SEATS=seat0 seat0\n";
    assert!(text.contains(lists), "{text}");
    record.sessions.truncate(1);
    assert!(
        write::user(&record).contains("ACTIVE_SESSIONS=6\nONLINE_SESSIONS=6\nACTIVE_SEATS=\nONLINE_SEATS=\n")
    );
    record.sessions.clear();
    assert!(!write::user(&record).contains("SESSIONS"));
}
