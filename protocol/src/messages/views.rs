//! What anyone may see, and the replies that carry it.

use serde::{Deserialize, Serialize};

use crate::ids::{SeatId, SessionId, Uid, UserName, VtNr};
use crate::session::{ManagerState, SessionClass, SessionState, SessionType, UserState};

/// A session, as anyone may see it: the properties of `org.freedesktop.login1.Session` (contract/dbus.md section 6).
/// Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The session.
    pub id: SessionId,
    /// Whose it is.
    pub uid: Uid,
    /// The user's name.
    pub user: UserName,
    /// When it was opened, CLOCK_REALTIME.
    pub timestamp: u64,
    /// When it was opened, CLOCK_MONOTONIC.
    pub timestamp_monotonic: u64,
    /// The virtual terminal.
    pub vtnr: Option<VtNr>,
    /// The seat.
    pub seat: Option<SeatId>,
    /// The terminal, or empty.
    pub tty: String,
    /// The X display, or empty.
    pub display: String,
    /// Whether the user sits at another machine.
    pub remote: bool,
    /// The other machine, or empty.
    pub remote_host: String,
    /// The user's name over there, or empty.
    pub remote_user: String,
    /// The PAM service.
    pub service: String,
    /// The desktop, or empty.
    pub desktop: String,
    /// The scope's name, if the session has a cgroup.
    pub scope: Option<String>,
    /// The leader's process id, 0 once it is gone.
    pub leader: u32,
    /// The audit session id, if the kernel keeps one.
    pub audit: Option<u32>,
    /// What it is shown on.
    #[serde(rename = "type")]
    pub kind: SessionType,
    /// What kind of session it is.
    pub class: SessionClass,
    /// Whether it is in the foreground or has no seat.
    pub active: bool,
    /// Its state.
    pub state: SessionState,
    /// Whether nobody has used it for a while.
    pub idle_hint: bool,
    /// Since when, CLOCK_REALTIME; 0 while in use.
    pub idle_since: u64,
    /// Since when, CLOCK_MONOTONIC; 0 while in use.
    pub idle_since_monotonic: u64,
    /// Whether its screen is locked.
    pub locked_hint: bool,
    /// The cgroup, relative to the cgroup2 mount, with a leading slash.
    pub control_group: Option<String>,
}

/// A user, as anyone may see it: the properties of `org.freedesktop.login1.User` (contract/dbus.md section 8).
/// Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// The user.
    pub uid: Uid,
    /// The primary group.
    pub gid: u32,
    /// The user's name.
    pub name: UserName,
    /// Since when the user is tracked, CLOCK_REALTIME.
    pub timestamp: u64,
    /// Since when the user is tracked, CLOCK_MONOTONIC.
    pub timestamp_monotonic: u64,
    /// The runtime directory, if there is a valid one.
    pub runtime_path: Option<String>,
    /// The manager's unit name.
    pub service: String,
    /// The user's slice.
    pub slice: String,
    /// The session that stands for the user, if any.
    pub display: Option<SessionId>,
    /// The user's state.
    pub state: UserState,
    /// The user's sessions, newest first.
    pub sessions: Vec<SessionId>,
    /// Whether none of the sessions is in use.
    pub idle_hint: bool,
    /// Since when, CLOCK_REALTIME; 0 while in use.
    pub idle_since: u64,
    /// Since when, CLOCK_MONOTONIC; 0 while in use.
    pub idle_since_monotonic: u64,
    /// Whether the user's manager is kept without a login.
    pub linger: bool,
    /// How the user's manager is.
    pub manager: ManagerState,
    /// The manager's process, if it runs.
    pub manager_pid: Option<u32>,
    /// Since when that process runs, CLOCK_REALTIME; 0 if none does.
    #[serde(default)]
    pub manager_since: u64,
    /// How often the manager was started again after it had died, since usherd was started or the user came.
    #[serde(default)]
    pub manager_restarts: u64,
    /// What has gone wrong with the manager last, since usherd was started or the user came; empty when nothing has.
    #[serde(default)]
    pub manager_error: String,
    /// When that was, CLOCK_REALTIME; 0 when nothing has.
    #[serde(default)]
    pub manager_error_time: u64,
    /// The last lines that the manager has written to its standard output and error, oldest first. For root and the user
    /// alone, and only where one user is asked for.
    #[serde(default)]
    pub manager_log: Vec<String>,
    /// What is wrong with the manager or the runtime directory, and what to do; empty when nothing is.
    pub notice: String,
    /// What keeps the user, in words: each open session, each one that has processes left, the linger flag, the stop delay.
    #[serde(default)]
    pub kept_by: Vec<String>,
    /// The slice's cgroup, relative to the cgroup2 mount, with a leading slash.
    pub control_group: Option<String>,
}

/// A seat, as anyone may see it: the properties of `org.freedesktop.login1.Seat` (contract/dbus.md section 7). Times are
/// microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatView {
    /// The seat.
    pub id: SeatId,
    /// The session in the foreground.
    pub active: Option<SessionId>,
    /// Whether it has virtual terminals.
    pub can_tty: bool,
    /// Whether something can be drawn on it.
    pub can_graphical: bool,
    /// Its sessions, newest first.
    pub sessions: Vec<SessionId>,
    /// Whether none of the sessions is in use.
    pub idle_hint: bool,
    /// Since when, CLOCK_REALTIME; 0 while in use.
    pub idle_since: u64,
    /// Since when, CLOCK_MONOTONIC; 0 while in use.
    pub idle_since_monotonic: u64,
}

/// The broker's settings and counters, under logind's names (contract/dbus.md section 3). Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerView {
    /// Whether processes are killed at logout.
    pub kill_user_processes: bool,
    /// Only these users' processes.
    pub kill_only_users: Vec<String>,
    /// Never these users' processes.
    pub kill_exclude_users: Vec<String>,
    /// How long a user's manager outlives the last session; `u64::MAX`: for ever.
    pub user_stop_delay_usec: u64,
    /// Whether a user's IPC objects go with the last session.
    #[serde(rename = "remove_ipc")]
    pub remove_ipc: bool,
    /// The size of a runtime directory, in bytes.
    pub runtime_directory_size: u64,
    /// The number of files in a runtime directory.
    pub runtime_directory_inodes_max: u64,
    /// How many sessions there may be.
    pub sessions_max: u64,
    /// How many sessions there are.
    pub n_current_sessions: u64,
}

/// The reply of `ListSessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// Every session, oldest first.
    pub sessions: Vec<SessionView>,
}

/// The reply of `ListUsers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// Every user, by uid.
    pub users: Vec<UserView>,
}

/// The reply of `ListSeats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatList {
    /// Every seat.
    pub seats: Vec<SeatView>,
}

/// The reply of `GetSession`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReply {
    /// The session.
    pub session: SessionView,
}

/// The reply of `GetUser`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReply {
    /// The user.
    pub user: UserView,
}

/// The reply of `GetSeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatReply {
    /// The seat.
    pub seat: SeatView,
}

/// The reply of `GetManager`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerReply {
    /// The settings and counters.
    pub manager: ManagerView,
}

/// The reply of `org.varlink.service.GetInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// Who makes the service.
    pub vendor: String,
    /// The service's name.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Where to read more.
    pub url: String,
    /// The interfaces it has.
    pub interfaces: Vec<String>,
}

/// The reply of `org.varlink.service.GetInterfaceDescription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceDescription {
    /// The description, in varlink's own language.
    pub description: String,
}
