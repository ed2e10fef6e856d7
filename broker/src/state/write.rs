//! A record's text: the keys of contract/state-files.md sections 3 to 5 in their order, then usher's own.
//!
//! Whatever a session is called by (terminal, display, host, desktop) came from a PAM application and is escaped, so
//! that it can neither end its line nor begin another. Plain words look the same escaped, so that libsystemd, which
//! unescapes DESKTOP only, reads them as they are.

use std::fmt::Display;

use usher_model::record::{SeatRecord, SessionEntry, SessionRecord, UserRecord};
use usher_model::{CgroupUse, ManagerUse};
use usher_protocol::ids::{LeaderPid, SeatId};
use usher_protocol::session::SessionState;

use super::escape;

/// The text of `sessions/ID`.
pub fn session(r: &SessionRecord) -> String {
    let mut text = Text::new();
    text.line("UID", r.uid);
    text.line("USER", &r.user);
    text.flag("ACTIVE", r.active);
    text.flag("IS_DISPLAY", r.is_display);
    text.line("STATE", r.state);
    text.flag("REMOTE", r.remote);
    // No fd store: a logind that takes over from here finds the leader by LEADER.
    text.flag("LEADER_FD_SAVED", false);
    text.line("TYPE", r.kind);
    text.line("ORIGINAL_TYPE", r.original_kind);
    text.line("CLASS", r.class);
    text.escaped("SCOPE", r.scope.as_deref().unwrap_or_default());
    if r.fifo {
        text.line("FIFO", format_args!("/run/systemd/sessions/{}.ref", r.id));
    }
    text.optional("SEAT", r.seat.as_ref());
    text.escaped("TTY", &r.tty);
    if !r.tty.is_empty() {
        text.line("TTY_VALIDITY", "from-pam");
    }
    text.escaped("DISPLAY", &r.display);
    text.escaped("REMOTE_HOST", &r.remote_host);
    text.escaped("REMOTE_USER", &r.remote_user);
    text.escaped("SERVICE", &r.service);
    text.escaped("DESKTOP", &r.desktop);
    text.optional("VTNR", r.vtnr);
    if r.vtnr.is_none() || r.position > 0 {
        text.line("POSITION", r.position);
    }
    text.optional("LEADER", r.leader.filter(|leader| !leader.is_hidden()).map(|leader| leader.pid));
    text.optional("AUDIT", r.audit);
    text.line("REALTIME", r.realtime);
    text.line("MONOTONIC", r.monotonic);
    text.escaped("CONTROLLER", r.controller.as_ref().map_or("", |name| &name.0));
    text.optional("USHER_IDLE_REALTIME", r.idle_since.map(|since| since.realtime));
    text.optional("USHER_IDLE_MONOTONIC", r.idle_since.map(|since| since.monotonic));
    text.flag("USHER_LOCKED", r.locked);
    text.identity("USHER_LEADER_PIDFDID", "USHER_LEADER_START", r.leader);
    text.escaped("USHER_ORIGIN", r.origin.as_deref().unwrap_or_default());
    text.flag("USHER_RELEASED", r.released);
    text.flag("USHER_TOLD_TO_GO", r.told_to_go);
    text.optional(
        "USHER_MANAGER",
        Some(r.manager).filter(|m| *m != ManagerUse::Start).map(ManagerUse::as_str),
    );
    text.optional("USHER_CGROUP", Some(r.cgroup).filter(|c| *c != CgroupUse::Create).map(CgroupUse::as_str));
    text.0
}

/// The text of `users/UID`.
pub fn user(r: &UserRecord) -> String {
    let mut text = Text::new();
    text.line("NAME", &r.name);
    text.line("STATE", r.state);
    text.line("STOPPING", if r.stopping { "yes" } else { "no" });
    text.line("GC_MODE", r.gc_mode.as_str());
    text.line("RUNTIME", r.uid.runtime_path());
    text.optional("DISPLAY", r.display.as_ref());
    text.line("REALTIME", r.realtime);
    text.line("MONOTONIC", r.monotonic);
    text.optional("LAST_SESSION_TIMESTAMP", r.last_session);
    if !r.sessions.is_empty() {
        six_lists(&mut text, &r.sessions);
    }
    text.line("USHER_GID", r.gid);
    text.escaped("USHER_HOME", &r.home);
    text.escaped("USHER_SHELL", &r.shell);
    text.optional("USHER_RUNTIME", r.runtime.map(|dir| dir.kind.as_str()));
    text.optional("USHER_RUNTIME_MOUNT", r.runtime.and_then(|dir| dir.mount));
    manager(&mut text, r.manager, r.manager_ready);
    text.flag("USHER_TERMINATED", r.terminated);
    text.0
}

fn manager(text: &mut Text, main: Option<LeaderPid>, ready: bool) {
    text.optional("USHER_MANAGER_PID", main.map(|main| main.pid));
    text.identity("USHER_MANAGER_PIDFDID", "USHER_MANAGER_START", main);
    text.flag("USHER_MANAGER_READY", ready);
}

/// The lists of a user's sessions and their seats: all together or none of them.
fn six_lists(text: &mut Text, sessions: &[SessionEntry]) {
    // A session without a seat has no background: it is active whatever its state (ACTIVE in its own file).
    let active = |s: &SessionEntry| s.seat.is_none() || s.state == SessionState::Active;
    let online = |s: &SessionEntry| s.state != SessionState::Closing;
    let ids = |text: &mut Text, key, fits: &dyn Fn(&SessionEntry) -> bool| {
        text.list(key, sessions.iter().filter(|s| fits(s)).map(|s| &s.id));
    };
    let seats = |text: &mut Text, key, fits: &dyn Fn(&SessionEntry) -> bool| {
        text.list(key, sessions.iter().filter(|s| fits(s)).filter_map(|s| s.seat.as_ref()));
    };
    ids(text, "SESSIONS", &|_| true);
    seats(text, "SEATS", &|_| true);
    ids(text, "ACTIVE_SESSIONS", &active);
    ids(text, "ONLINE_SESSIONS", &online);
    seats(text, "ACTIVE_SEATS", &active);
    seats(text, "ONLINE_SEATS", &online);
}

/// The text of `seats/SEAT`.
pub fn seat(r: &SeatRecord) -> String {
    let mut text = Text::new();
    text.flag("IS_SEAT0", SeatId::is_seat0(&r.id));
    text.flag("CAN_MULTI_SESSION", true);
    text.flag("CAN_TTY", r.can_tty);
    text.flag("CAN_GRAPHICAL", r.can_graphical);
    text.optional("ACTIVE", r.active.as_ref().map(|(id, _)| id));
    text.optional("ACTIVE_UID", r.active.as_ref().map(|(_, uid)| uid));
    if !r.sessions.is_empty() {
        text.list("SESSIONS", r.sessions.iter().map(|(id, _)| id));
        text.list("UIDS", r.sessions.iter().map(|(_, uid)| uid));
    }
    text.0
}

/// A file being written.
struct Text(String);

impl Text {
    fn new() -> Self {
        // Longer than most files, so that one allocation does.
        let mut text = String::with_capacity(1024);
        text.push_str(
            "# Written by usherd, replaced whole at every change. Ask it or sd-login(3) rather than this.\n",
        );
        Self(text)
    }

    /// A value that is known to have neither line ends nor anything else that wants escaping.
    fn line(&mut self, key: &str, value: impl Display) {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key}={value}");
    }

    /// Words with blanks between them. There may be thousands: no text of its own for each.
    fn list(&mut self, key: &str, words: impl Iterator<Item = impl Display>) {
        use std::fmt::Write as _;
        let _ = write!(self.0, "{key}=");
        for (number, word) in words.enumerate() {
            let blank = if number == 0 { "" } else { " " };
            let _ = write!(self.0, "{blank}{word}");
        }
        self.0.push('\n');
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.line(key, u8::from(value));
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(key, value);
        }
    }

    /// What tells a process from others that have had its number.
    fn identity(&mut self, pidfd: &str, start: &str, process: Option<LeaderPid>) {
        match process.map(|process| process.inode().ok_or(process.start)) {
            Some(Ok(inode)) => self.line(pidfd, inode),
            Some(Err(ticks)) => self.line(start, ticks),
            None => {}
        }
    }

    /// A value that somebody else has chosen; an empty one is no line.
    fn escaped(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.line(key, escape(value));
        }
    }
}
