//! What is known of a session, a user and a seat, as it is persisted: the content of the files that libsystemd reads
//! (contract/state-files.md) plus the few keys that usher needs to go on after a restart (`USHER_*` in the files).
//! Plain data: `broker/src/state` turns it into text and back.

use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, UserName, VtNr};
use usher_protocol::session::{SessionClass, SessionState, SessionType, UserState};

use crate::event::{BusName, Now};
use crate::service::{CgroupUse, ManagerUse};

/// A session's file. Empty strings are absent keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// `sessions/ID`.
    pub id: SessionId,
    /// UID.
    pub uid: Uid,
    /// USER.
    pub user: UserName,
    /// ACTIVE.
    pub active: bool,
    /// IS_DISPLAY.
    pub is_display: bool,
    /// STATE.
    pub state: SessionState,
    /// REMOTE.
    pub remote: bool,
    /// TYPE.
    pub kind: SessionType,
    /// ORIGINAL_TYPE: the type that it has again once its controller has gone.
    pub original_kind: SessionType,
    /// CLASS.
    pub class: SessionClass,
    /// SCOPE.
    pub scope: Option<String>,
    /// FIFO: whether the session has one.
    pub fifo: bool,
    /// SEAT.
    pub seat: Option<SeatId>,
    /// TTY (with TTY_VALIDITY=from-pam).
    pub tty: String,
    /// DISPLAY.
    pub display: String,
    /// REMOTE_HOST.
    pub remote_host: String,
    /// REMOTE_USER.
    pub remote_user: String,
    /// SERVICE.
    pub service: String,
    /// DESKTOP.
    pub desktop: String,
    /// VTNR.
    pub vtnr: Option<VtNr>,
    /// POSITION: on a seat without virtual terminals, from 1; 0: none.
    pub position: u32,
    /// LEADER with USHER_LEADER_PIDFDID or USHER_LEADER_START: the number alone would name somebody else after a wrap-around.
    pub leader: Option<LeaderPid>,
    /// AUDIT.
    pub audit: Option<u32>,
    /// REALTIME, microseconds.
    pub realtime: u64,
    /// MONOTONIC, microseconds.
    pub monotonic: u64,
    /// CONTROLLER: the unique bus name of the program that controls it.
    pub controller: Option<BusName>,
    /// USHER_IDLE_REALTIME and USHER_IDLE_MONOTONIC: since when the session itself says that nobody uses it.
    pub idle_since: Option<Now>,
    /// USHER_LOCKED: the session itself says that its screen is locked.
    pub locked: bool,
    /// USHER_ORIGIN: the cgroup that the leader came from, where it goes back to at logout.
    pub origin: Option<String>,
    /// USHER_RELEASED: the PAM application has closed the session.
    pub released: bool,
    /// USHER_TOLD_TO_GO: its processes are being ended; those that do not heed it are killed, after a restart, too.
    pub told_to_go: bool,
    /// USHER_MANAGER: what the session has to do with its user's manager; absent for `start`.
    pub manager: ManagerUse,
    /// USHER_CGROUP: where its processes are; absent for `create`.
    pub cgroup: CgroupUse,
}

/// How a runtime directory came about, which decides how it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeKind {
    /// usher's own tmpfs.
    Mount,
    /// A plain directory, where mounting is not permitted.
    Plain,
    /// Somebody else's mount, found in good order: used, never removed.
    Adopted,
}

impl RuntimeKind {
    /// The word in USHER_RUNTIME.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::Plain => "plain",
            Self::Adopted => "adopted",
        }
    }

    /// The kind that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Mount, Self::Plain, Self::Adopted].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A runtime directory, and how it is known again: by its mount, not by its path, on which others can mount, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeDir {
    /// How it came about.
    pub kind: RuntimeKind,
    /// The kernel's number of the mount; none for a plain directory.
    pub mount: Option<u64>,
}

impl RuntimeDir {
    /// Whether this is what is at its path.
    pub fn is_at(&self, seen: AtPath) -> bool {
        match seen {
            AtPath::Nothing => false,
            AtPath::Directory => self.kind == RuntimeKind::Plain,
            AtPath::Mount(id) => self.mount == Some(id),
            // Nothing speaks against it.
            AtPath::Unknown => true,
        }
    }
}

/// What is at the path of a user's runtime directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtPath {
    /// Nothing.
    Nothing,
    /// A directory on which nothing is mounted.
    Directory,
    /// A mount, with the kernel's number of it.
    Mount(u64),
    /// It cannot be told.
    Unknown,
}

/// Which sessions keep a user (contract/user-lifecycle.md section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcMode {
    /// Any session.
    Any,
    /// Sessions of a pinning class only.
    Pin,
}

impl GcMode {
    /// The word in GC_MODE.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Pin => "pin",
        }
    }

    /// The mode that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Any, Self::Pin].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// A user's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// `users/UID`.
    pub uid: Uid,
    /// NAME.
    pub name: UserName,
    /// STATE.
    pub state: UserState,
    /// STOPPING.
    pub stopping: bool,
    /// GC_MODE.
    pub gc_mode: GcMode,
    /// DISPLAY.
    pub display: Option<SessionId>,
    /// REALTIME, microseconds.
    pub realtime: u64,
    /// MONOTONIC, microseconds.
    pub monotonic: u64,
    /// LAST_SESSION_TIMESTAMP, CLOCK_MONOTONIC microseconds; only while no session pins the user.
    pub last_session: Option<u64>,
    /// The six lists, newest first; written when there is at least one session.
    pub sessions: Vec<SessionEntry>,
    /// USHER_GID.
    pub gid: u32,
    /// USHER_HOME.
    pub home: String,
    /// USHER_SHELL.
    pub shell: String,
    /// USHER_RUNTIME and USHER_RUNTIME_MOUNT: the runtime directory that was made; absent when there is none.
    pub runtime: Option<RuntimeDir>,
    /// USHER_MANAGER_PID with USHER_MANAGER_PIDFDID or USHER_MANAGER_START: the user manager's main process.
    pub manager: Option<LeaderPid>,
    /// USHER_MANAGER_READY.
    pub manager_ready: bool,
    /// USHER_TERMINATED: an administrator has ended the user; linger does not count until the next login.
    pub terminated: bool,
}

/// One session, as far as its user's and its seat's lists need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// The session.
    pub id: SessionId,
    /// Whose it is.
    pub uid: Uid,
    /// Its state.
    pub state: SessionState,
    /// Its seat.
    pub seat: Option<SeatId>,
}

/// A seat's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRecord {
    /// `seats/ID`.
    pub id: SeatId,
    /// CAN_TTY.
    pub can_tty: bool,
    /// CAN_GRAPHICAL.
    pub can_graphical: bool,
    /// ACTIVE and ACTIVE_UID.
    pub active: Option<(SessionId, Uid)>,
    /// SESSIONS and UIDS, newest first.
    pub sessions: Vec<(SessionId, Uid)>,
}
