//! What can happen: requests from peers, news from the kernel, results of effects, the clock.

use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, UserName, VtNr};
use usher_protocol::messages::SessionRequest;
use usher_protocol::session::{KillWhom, SessionClass, SessionType};

use crate::policy::Authority;
use crate::record::{AtPath, RuntimeDir};
use crate::settings::Settings;

/// The time, as the edge read it just before the event. Both in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// CLOCK_MONOTONIC: what deadlines are made of.
    pub monotonic: u64,
    /// CLOCK_REALTIME: what people are shown.
    pub realtime: u64,
}

/// A request that waits for its answer. The edge gives the numbers and never uses one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One run of a user's manager. News of an earlier run than the present one is old news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// An entry of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: Uid,
    /// The primary group.
    pub gid: u32,
    /// The name.
    pub name: UserName,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// The unique name of a connection to a bus, `:1.42`: never given to another one while that bus lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BusName(pub String);

/// Whom a seat is to be switched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchTo {
    /// The session at this position, from 1: the virtual terminal's number, where the seat has such.
    Position(u32),
    /// The session after the one in the foreground.
    Next,
    /// The session before it.
    Previous,
}

/// A login, with what the kernel says of the process that reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Where the answer goes.
    pub request: RequestId,
    /// Whether the peer takes the `registered` reply before the last one.
    pub more: bool,
    /// The peer's user, from SO_PEERCRED.
    pub caller: Uid,
    /// The session's leader: the peer itself, or the process that it names.
    pub leader: LeaderPid,
    /// The session in whose scope (or, where it has none, below whose leader) the peer is.
    pub inside: Option<SessionId>,
    /// The peer's cgroup.
    pub origin: Option<String>,
    /// Whether the process that has started the peer is in it, too: then it is that daemon's, and not one for this login. Looked
    /// at only where sessions may adopt a cgroup.
    pub shared: bool,
    /// The peer's controlling terminal, where that is a virtual terminal; looked at where it claims to be on one.
    pub console: Option<VtNr>,
    /// The audit session id.
    pub audit: Option<u32>,
    /// What is at the path of the user's runtime directory.
    pub runtime: AtPath,
    /// What the peer says.
    pub params: SessionRequest,
}

/// What came of reaping a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaped {
    /// The cgroup is gone.
    Gone,
    /// Processes are left in it.
    Busy,
}

/// Why a lookup in the user database gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupFailure {
    /// The database answered: there is no such user.
    NoSuchUser,
    /// The database did not answer, or not in time.
    Unavailable(String),
    /// The database knows the user, whose home directory is not there; and why not.
    HomeUnavailable(String),
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A login.
    Open(Box<Open>),
    /// A logout.
    Close {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// The peer itself, where the edge knows it: a process of the PAM application, which the session is not to keep,
        /// nor to be kept by.
        closer: Option<LeaderPid>,
    },
    /// Set or clear a user's linger flag.
    SetLinger {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The user.
        account: Account,
        /// The flag.
        linger: bool,
    },
    /// End a session.
    TerminateSession {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
    },
    /// End all that a user has.
    TerminateUser {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The user.
        uid: Uid,
    },
    /// Signal a session's processes.
    KillSession {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// Which processes.
        whom: KillWhom,
        /// 1 to 64.
        signal: i32,
    },
    /// Signal a user's processes.
    KillUser {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The user.
        uid: Uid,
        /// 1 to 64.
        signal: i32,
    },
    /// The PAM application says, from within the session, that the user is leaving: the session is closing, and over once its
    /// leader goes; after a while without it (ReleaseSession, contract/dbus.md section 5).
    ReleaseSession {
        /// Where the answer goes.
        request: RequestId,
        /// The session.
        session: SessionId,
    },
    /// Hold a session open by a FIFO, too: it is closing as soon as nobody has that open for writing any more.
    AttachFifo {
        /// Where the answer goes, once the FIFO is there and on file.
        request: RequestId,
        /// The session.
        session: SessionId,
    },
    /// Nobody has a session's FIFO open for writing any more.
    FifoClosed {
        /// The session.
        session: SessionId,
    },
    /// End all sessions of a seat.
    TerminateSeat {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The seat.
        seat: SeatId,
    },
    /// Bring a session to the foreground of its seat.
    Activate {
        /// Where the answer goes: where the seat has virtual terminals, the kernel has only been asked then.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
    },
    /// Bring another session to the foreground of a seat.
    Switch {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The seat.
        seat: SeatId,
        /// Which.
        to: SwitchTo,
    },
    /// Ask a session to lock or unlock its screen.
    Lock {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session; nothing: all that can be locked.
        session: Option<SessionId>,
        /// Lock, or unlock.
        lock: bool,
    },
    /// A graphical session says whether anybody uses it.
    SetIdleHint {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// Whether nobody does.
        idle: bool,
    },
    /// A session says whether its screen is locked.
    SetLockedHint {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// Whether it is.
        locked: bool,
    },
    /// A session's user is complete: from `user-incomplete` to `user` (contract/dbus.md section 6, SetClass).
    SetClass {
        /// Where the answer goes, once the user's manager is there.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// What it is to be.
        class: SessionClass,
    },
    /// Become the one program that controls a session.
    TakeControl {
        /// Where the answer goes.
        request: RequestId,
        /// By what right.
        authority: Authority,
        /// The session.
        session: SessionId,
        /// Who.
        controller: BusName,
        /// Take it from another one. Root only.
        force: bool,
    },
    /// Control a session no more.
    ReleaseControl {
        /// Where the answer goes.
        request: RequestId,
        /// The session.
        session: SessionId,
        /// Who.
        controller: BusName,
    },
    /// Who may have controlled sessions is gone from the bus.
    ControllerGone {
        /// Who.
        controller: BusName,
    },
    /// Change what a session is shown on, until control of it is given up.
    SetType {
        /// Where the answer goes.
        request: RequestId,
        /// The session.
        session: SessionId,
        /// Who: its controller.
        controller: BusName,
        /// To what.
        kind: SessionType,
    },
    /// Change a graphical session's X display.
    SetDisplay {
        /// Where the answer goes.
        request: RequestId,
        /// The session.
        session: SessionId,
        /// Who: its controller.
        controller: BusName,
        /// To what.
        display: String,
    },
    /// Change a session's terminal.
    SetTty {
        /// Where the answer goes.
        request: RequestId,
        /// The session.
        session: SessionId,
        /// Who: its controller.
        controller: BusName,
        /// To what, without `/dev/`; the edge has been shown the terminal.
        tty: String,
    },
    /// A session's leader is gone, says its pidfd.
    LeaderExited {
        /// The session.
        session: SessionId,
    },
    /// A watched scope has no process left, says its `cgroup.events`.
    ScopeEmptied {
        /// The session.
        session: SessionId,
    },
    /// The kernel has switched to another virtual terminal.
    VtChanged {
        /// The terminal in the foreground.
        foreground: Option<VtNr>,
    },
    /// Result of [`crate::Effect::CreateRuntimeDir`].
    RuntimeDirCreated {
        /// The user.
        uid: Uid,
        /// What there is now, or what went wrong and what to do.
        result: Result<RuntimeDir, String>,
    },
    /// Result of [`crate::Effect::CreateScope`].
    ScopeCreated {
        /// The session.
        session: SessionId,
        /// Or what went wrong.
        result: Result<(), String>,
    },
    /// Result of [`crate::Effect::ReapScope`].
    ScopeReaped {
        /// The session.
        session: SessionId,
        /// Or what went wrong.
        result: Result<Reaped, String>,
    },
    /// Result of [`crate::Effect::StartManager`].
    ManagerStarted {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
        /// The main process, or what went wrong.
        result: Result<LeaderPid, String>,
    },
    /// Result of [`crate::Effect::StartManager`], too: this user is to have none.
    ManagerUnwanted {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
    },
    /// This user's manager has other time-outs than the settings say, in microseconds; `None`: what they say.
    ManagerTimes {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
        /// How long it may take to become ready.
        start: Option<u64>,
        /// How long it may take to stop.
        stop: Option<u64>,
    },
    /// The manager has said that it is ready.
    ManagerReady {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
    },
    /// The manager's main process is gone, and so is everything in its cgroup.
    ManagerGone {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
        /// How it ended, in words.
        how: String,
    },
    /// Result of [`crate::Effect::TearDownUser`].
    UserTornDown {
        /// The user.
        uid: Uid,
        /// Or what is left, and what to do.
        result: Result<(), String>,
    },
    /// Result of [`crate::Effect::WriteLinger`].
    LingerWritten {
        /// The request that asked for it.
        request: RequestId,
        /// The user.
        account: Account,
        /// The other names whose flags were cleared.
        also: Vec<UserName>,
        /// The flag.
        linger: bool,
        /// Or what went wrong.
        result: Result<(), String>,
    },
    /// Result of [`crate::Effect::ResolveLinger`].
    LingerResolved {
        /// The flag's name.
        name: UserName,
        /// The user.
        result: Result<Account, LookupFailure>,
    },
    /// The mount table has changed, once since [`crate::Effect::WatchMounts`].
    MountsChanged,
    /// A file could not be written; it is as it was before, or not there.
    NotSaved(StateFile),
    /// The configuration was read again.
    Reloaded(Box<Settings>),
    /// A deadline may have passed.
    Tick,
}

/// One of the files that keep what a broker knows beyond its death.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateFile {
    /// The session ids that may have been given away.
    Ids,
    /// A user's.
    User(Uid),
    /// A session's.
    Session(SessionId),
    /// The seat's.
    Seat,
}
