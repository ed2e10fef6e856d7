//! The rows of the lists: which sessions, users and seats in which order, and the columns of each, for the table and for JSON
//! (contract/loginctl.md section 2: the JSON keys are the columns).

use serde::Serialize;
use usher_protocol::messages::{SeatView, SessionView, UserView};

use crate::clock::Now;
use crate::render::table::Table;
use crate::render::time;

/// One session in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    session: String,
    uid: u32,
    user: String,
    seat: Option<String>,
    leader: Option<u32>,
    class: &'static str,
    tty: Option<String>,
    idle: bool,
    /// CLOCK_MONOTONIC, in microseconds.
    since: Option<u64>,
}

impl From<&SessionView> for SessionRow {
    fn from(view: &SessionView) -> Self {
        Self {
            session: view.id.to_string(),
            uid: view.uid.get(),
            user: view.user.to_string(),
            seat: view.seat.as_ref().map(ToString::to_string),
            leader: (view.leader != 0).then_some(view.leader),
            class: view.class.as_str(),
            tty: (!view.tty.is_empty()).then(|| view.tty.clone()),
            idle: view.idle_hint,
            since: view.idle_hint.then_some(view.idle_since_monotonic),
        }
    }
}

/// The list of sessions, by id as text: c19 before c4.
pub fn sessions(views: &[SessionView]) -> Vec<SessionRow> {
    let mut rows: Vec<SessionRow> = views.iter().map(SessionRow::from).collect();
    rows.sort_by(|a, b| a.session.cmp(&b.session));
    rows
}

/// The list of sessions as a table.
pub fn session_table(rows: &[SessionRow], now: &Now) -> Table {
    let cells = |row: &SessionRow| {
        vec![
            row.session.clone(),
            row.uid.to_string(),
            row.user.clone(),
            row.seat.clone().unwrap_or_default(),
            row.leader.map(|pid| pid.to_string()).unwrap_or_default(),
            row.class.to_owned(),
            row.tty.clone().unwrap_or_default(),
            yes_no(row.idle).to_owned(),
            // 0 is before the computer was started: nobody can tell from this clock.
            row.since
                .filter(|&since| since > 0)
                .map(|since| time::age(since, now.monotonic))
                .unwrap_or_default(),
        ]
    };
    Table {
        columns: &["SESSION", "UID", "USER", "SEAT", "LEADER", "CLASS", "TTY", "IDLE", "SINCE"],
        right_aligned: 2,
        what: "sessions",
        rows: rows.iter().map(cells).collect(),
    }
}

/// One user in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserRow {
    uid: u32,
    user: String,
    linger: bool,
    state: &'static str,
}

impl From<&UserView> for UserRow {
    fn from(view: &UserView) -> Self {
        Self {
            uid: view.uid.get(),
            user: view.name.to_string(),
            linger: view.linger,
            state: view.state.as_str(),
        }
    }
}

/// The list of users, by uid.
pub fn users(views: &[UserView]) -> Vec<UserRow> {
    let mut rows: Vec<UserRow> = views.iter().map(UserRow::from).collect();
    rows.sort_by_key(|row| row.uid);
    rows
}

/// The list of users as a table.
pub fn user_table(rows: &[UserRow]) -> Table {
    let cells = |row: &UserRow| {
        vec![row.uid.to_string(), row.user.clone(), yes_no(row.linger).to_owned(), row.state.to_owned()]
    };
    Table {
        columns: &["UID", "USER", "LINGER", "STATE"],
        right_aligned: 1,
        what: "users",
        rows: rows.iter().map(cells).collect(),
    }
}

/// One seat in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeatRow {
    seat: String,
}

/// The list of seats, by id.
pub fn seats(views: &[SeatView]) -> Vec<SeatRow> {
    let mut rows: Vec<SeatRow> = views.iter().map(|view| SeatRow { seat: view.id.to_string() }).collect();
    rows.sort_by(|a, b| a.seat.cmp(&b.seat));
    rows
}

/// The list of seats as a table.
pub fn seat_table(rows: &[SeatRow]) -> Table {
    Table {
        columns: &["SEAT"],
        right_aligned: 0,
        what: "seats",
        rows: rows.iter().map(|row| vec![row.seat.clone()]).collect(),
    }
}

/// A boolean in systemd's words.
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
