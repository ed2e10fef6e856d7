//! The blocks of session-status, user-status and seat-status (contract/loginctl.md section 3), without the tree below.

use usher_protocol::ids::SessionId;
use usher_protocol::messages::{SeatView, SessionView, UserView};
use usher_protocol::session::{ManagerState, UserState};

use crate::clock::Now;
use crate::render::rows::yes_no;
use crate::render::{text, time};

/// A title and labelled lines.
#[derive(Debug, Default)]
pub struct Block {
    title: String,
    lines: Vec<(&'static str, String)>,
    /// How wide the labels are at least.
    at_least: usize,
}

impl Block {
    fn line(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.lines.push((label, value.into()));
        self
    }

    fn unless_empty(self, label: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if value.is_empty() { self } else { self.line(label, value) }
    }

    fn label_width(&self) -> usize {
        let longest = self.lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        longest.max(self.at_least)
    }

    /// The column in which values begin: where a tree below the last one hangs.
    pub fn indent(&self) -> usize {
        self.label_width() + 2
    }

    /// The block as text.
    pub fn to_text(&self) -> String {
        let wide = self.label_width();
        let mut out = String::new();
        text::push_line(&mut out, &text::escape(&self.title));
        for (label, value) in &self.lines {
            text::push_line(&mut out, &format!("{label:>wide$}: {}", text::escape(value)));
        }
        out
    }
}

/// A session's block. `leader` is the name of the leading process, where it could be found out.
pub fn session(view: &SessionView, leader: Option<&str>, now: &Now) -> Block {
    let block = Block {
        title: format!("{} - {} ({})", view.id, view.user, view.uid),
        // So that trees of several sessions hang in the same column.
        at_least: if view.scope.is_some() { "Display".len() } else { 0 },
        ..Block::default()
    };
    block
        .unless_empty("Since", since(view.timestamp, view.timestamp_monotonic, now))
        .line("State", view.state.as_str())
        .unless_empty("Leader", leader_text(view.leader, leader))
        .unless_empty("Seat", seat_and_vt(view))
        .unless_empty("TTY", &view.tty)
        .unless_empty("Display", &view.display)
        .line("Remote", remote(view))
        .unless_empty("Service", &view.service)
        .line("Type", view.kind.as_str())
        .line("Class", view.class.as_str())
        .unless_empty("Desktop", &view.desktop)
        .line("Idle", idle(view, now))
        .unless_empty("Unit", view.scope.clone().unwrap_or_default())
}

/// A user's block. Four lines are usher's own and appear only when there is something to say: what keeps a user who is not
/// logged in is one of them.
pub fn user(view: &UserView, now: &Now) -> Block {
    let block = Block {
        title: format!("{} ({})", view.name, view.uid),
        at_least: "Sessions".len(),
        ..Block::default()
    };
    let keepers = match view.state {
        UserState::Lingering | UserState::Closing => view.kept_by.join(", "),
        _ => String::new(),
    };
    block
        .unless_empty("Since", since(view.timestamp, view.timestamp_monotonic, now))
        .line("State", view.state.as_str())
        .unless_empty("Kept by", keepers)
        .unless_empty("Manager", manager(view, now))
        .unless_empty("Error", error(view, now))
        .unless_empty("Notice", &view.notice)
        .unless_empty("Sessions", marked(&view.sessions, view.display.as_ref()))
        .line("Linger", yes_no(view.linger))
        .unless_empty("Unit", &view.slice)
}

/// What a user's manager has said last, below everything else.
pub fn manager_log(view: &UserView) -> String {
    let mut out = String::new();
    if !view.manager_log.is_empty() {
        text::push_line(&mut out, "");
    }
    for line in &view.manager_log {
        text::push_line(&mut out, &text::escape(line));
    }
    out
}

/// How the manager is, with its process, since when that runs, and how often there was another one before.
fn manager(view: &UserView, now: &Now) -> String {
    if view.manager == ManagerState::None {
        return String::new();
    }
    let mut words = vec![view.manager.to_string()];
    words.extend(view.manager_pid.map(|pid| format!("process {pid}")));
    let since = ago(view.manager_since, now);
    words.extend((!since.is_empty()).then(|| format!("since {since}")));
    words.extend(match view.manager_restarts {
        0 => None,
        1 => Some("restarted once".to_owned()),
        times => Some(format!("restarted {times} times")),
    });
    words.join("; ")
}

/// What has gone wrong last, where the notice, which is about now, does not say it.
fn error(view: &UserView, now: &Now) -> String {
    let error = &view.manager_error;
    if error.is_empty() || view.notice.contains(error) {
        return String::new();
    }
    match ago(view.manager_error_time, now) {
        time if time.is_empty() => error.clone(),
        time => format!("{error} (at {time})"),
    }
}

/// A moment and how long ago it was, by the clock that people have.
fn ago(realtime: u64, now: &Now) -> String {
    match time::timestamp(realtime, &now.zone) {
        stamp if stamp.is_empty() => stamp,
        stamp => format!("{stamp}, {}", time::age(realtime, now.realtime)),
    }
}

/// A seat's block: its last line is the head of the tree of devices.
pub fn seat(view: &SeatView) -> Block {
    let block = Block { title: view.id.to_string(), at_least: "Sessions".len(), ..Block::default() };
    block
        .unless_empty("Sessions", marked(&view.sessions, view.active.as_ref()))
        // A line of loginctl's table whose value is the tree below it.
        .line("Devices", "n/a")
}

fn since(realtime: u64, monotonic: u64, now: &Now) -> String {
    match time::timestamp(realtime, &now.zone) {
        stamp if stamp.is_empty() => stamp,
        stamp => format!("{stamp}; {}", time::age(monotonic, now.monotonic)),
    }
}

fn leader_text(pid: u32, name: Option<&str>) -> String {
    match (pid, name) {
        (0, _) => String::new(),
        (pid, Some(name)) => format!("{pid} ({name})"),
        (pid, None) => pid.to_string(),
    }
}

fn seat_and_vt(view: &SessionView) -> String {
    match (&view.seat, view.vtnr) {
        (Some(seat), Some(vt)) => format!("{seat}; vc{vt}"),
        (Some(seat), None) => seat.to_string(),
        (None, _) => String::new(),
    }
}

fn remote(view: &SessionView) -> String {
    match (view.remote_user.as_str(), view.remote_host.as_str()) {
        ("", "") => yes_no(view.remote).to_owned(),
        ("", host) => host.to_owned(),
        (user, "") => format!("user {user}"),
        (user, host) => format!("{user}@{host}"),
    }
}

fn idle(view: &SessionView, now: &Now) -> String {
    match time::timestamp(view.idle_since, &now.zone) {
        stamp if view.idle_hint && !stamp.is_empty() => {
            // Before the computer was started the other clock says nothing.
            let age = match view.idle_since_monotonic {
                0 => time::age(view.idle_since, now.realtime),
                since => time::age(since, now.monotonic),
            };
            format!("yes since {stamp} ({age})")
        }
        _ => yes_no(view.idle_hint).to_owned(),
    }
}

/// Sessions, one of them with a star.
fn marked(sessions: &[SessionId], chosen: Option<&SessionId>) -> String {
    let marked = sessions.iter().map(|id| {
        let star = if chosen == Some(id) { "*" } else { "" };
        format!("{star}{id}")
    });
    marked.collect::<Vec<_>>().join(" ")
}
