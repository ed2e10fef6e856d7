//! Idleness of terminals that are files, with the times of last input that a test gives them.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use usher_protocol::session::{SessionClass, SessionState};

use super::*;

/// A quarter of an hour, in microseconds.
const QUARTER: u64 = 15 * 60 * 1_000_000;

struct Terminals {
    dev: tempfile::TempDir,
    now: Now,
}

impl Terminals {
    fn new() -> Self {
        let now = Now { monotonic: 1000 * QUARTER, realtime: 2_000_000 * QUARTER };
        Self { dev: tempfile::tempdir().unwrap(), now }
    }

    fn dev(&self) -> &str {
        self.dev.path().to_str().unwrap()
    }

    /// A terminal at which somebody has last typed so many quarters of an hour ago.
    fn used(&self, tty: &str, quarters: u64) {
        let last = SystemTime::UNIX_EPOCH + Duration::from_micros(self.now.realtime - quarters * QUARTER);
        let file = File::create(self.dev.path().join(tty)).unwrap();
        file.set_times(FileTimes::new().set_accessed(last)).unwrap();
    }

    fn of(&self, session: &SessionView) -> Idleness {
        of_session(session, self.dev(), self.now)
    }

    fn all<'a>(&self, sessions: impl IntoIterator<Item = &'a SessionView>) -> Idleness {
        together(sessions, self.dev(), self.now)
    }

    /// Idle since so many quarters of an hour ago.
    fn since(&self, quarters: u64) -> Idleness {
        let ago = quarters * QUARTER;
        Idleness { hint: true, since: self.now.realtime - ago, since_monotonic: self.now.monotonic - ago }
    }
}

const IN_USE: Idleness = Idleness { hint: false, since: 0, since_monotonic: 0 };

fn on(tty: &str) -> SessionView {
    SessionView {
        id: "c1".parse().unwrap(),
        uid: 1000.try_into().unwrap(),
        user: "alice".parse().unwrap(),
        timestamp: 0,
        timestamp_monotonic: 0,
        vtnr: None,
        seat: None,
        tty: tty.to_owned(),
        display: String::new(),
        remote: false,
        remote_host: String::new(),
        remote_user: String::new(),
        service: "login".to_owned(),
        desktop: String::new(),
        scope: None,
        leader: 1,
        audit: None,
        kind: SessionType::Tty,
        class: SessionClass::User,
        active: true,
        state: SessionState::Active,
        idle_hint: false,
        idle_since: 0,
        idle_since_monotonic: 0,
        locked_hint: false,
        control_group: None,
    }
}

#[test]
fn a_terminal_is_idle_after_half_an_hour() {
    let terminals = Terminals::new();
    for quarters in [0, 1, 2, 3] {
        terminals.used("pts0", quarters);
        let expected = if quarters < 2 { IN_USE } else { terminals.since(quarters) };
        assert_eq!(terminals.of(&on("pts0")), expected, "{quarters}");
    }
}

#[test]
fn who_is_never_idle() {
    let terminals = Terminals::new();
    terminals.used("pts0", 9);
    for tty in ["", "gone", "../pts0", "pts0/x"] {
        assert_eq!(terminals.of(&on(tty)), IN_USE, "{tty}");
    }
    let background = SessionView { class: SessionClass::Background, ..on("pts0") };
    assert_eq!(terminals.of(&background), IN_USE);
    let unspecified = SessionView { kind: SessionType::Unspecified, ..on("pts0") };
    assert_eq!(terminals.of(&unspecified), IN_USE);
}

#[test]
fn a_graphical_session_is_as_idle_as_it_says() {
    let terminals = Terminals::new();
    let mut graphical = SessionView { kind: SessionType::Wayland, ..on("gone") };
    assert_eq!(terminals.of(&graphical), IN_USE);
    (graphical.idle_hint, graphical.idle_since, graphical.idle_since_monotonic) = (true, 7, 5);
    assert_eq!(terminals.of(&graphical), Idleness { hint: true, since: 7, since_monotonic: 5 });
}

#[test]
fn several_are_idle_since_the_last_one_is() {
    let terminals = Terminals::new();
    for (tty, quarters) in [("a", 9), ("b", 4), ("c", 6)] {
        terminals.used(tty, quarters);
    }
    assert_eq!(terminals.all(&[on("a"), on("b"), on("c")]), terminals.since(4));
    assert_eq!(terminals.all(&[]), Idleness { hint: true, since: 0, since_monotonic: 0 });
}

#[test]
fn one_in_use_is_enough_and_nobody_looks_further() {
    let terminals = Terminals::new();
    terminals.used("idle", 9);
    terminals.used("used", 0);
    let sessions = [on("idle"), on("used"), on("idle")];
    let mut looked_at = 0;
    let counted = sessions.iter().inspect(|_| looked_at += 1);
    assert_eq!(terminals.all(counted), IN_USE);
    assert_eq!(looked_at, 2);
}

#[test]
fn a_class_that_is_never_idle_counts_for_seats_only() {
    let background = SessionView { class: SessionClass::Background, ..on("") };
    let idle = SessionView {
        kind: SessionType::X11,
        idle_hint: true,
        idle_since: 7,
        idle_since_monotonic: 5,
        ..on("")
    };
    let sessions = [idle, background];
    assert_eq!(together(capable(&sessions), DEV, clock::now()).since, 7);
    assert_eq!(together(&sessions, DEV, clock::now()), IN_USE);
}

#[test]
fn everybody_is_idle_since_the_start_at_the_earliest() {
    let start = Now { monotonic: 100, realtime: 1000 };
    let idle = |since| SessionView {
        kind: SessionType::X11,
        idle_hint: true,
        idle_since: since + 900,
        idle_since_monotonic: since,
        ..on("")
    };
    let of = |sessions: &[SessionView]| of_everybody(sessions, start);
    assert_eq!(of(&[]), Idleness { hint: true, since: 1000, since_monotonic: 100 });
    assert_eq!(of(&[idle(50)]), Idleness { hint: true, since: 1000, since_monotonic: 100 });
    assert_eq!(of(&[idle(200), idle(150)]), Idleness { hint: true, since: 1100, since_monotonic: 200 });
    assert_eq!(of(&[idle(200), on("gone")]), IN_USE);
}
