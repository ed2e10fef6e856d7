//! What is to be done about it. Each effect is one call on one edge; those that can fail come back as an event.

use usher_protocol::ids::{LeaderPid, SessionId, Uid, UserName, VtNr};
use usher_protocol::messages::{OpenSessionReply, Refusal};

use crate::change::Change;
use crate::event::{Account, Generation, Now, RequestId};
use crate::record::{RuntimeDir, SeatRecord, SessionRecord, UserRecord};
use crate::settings::RuntimeForm;

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Remember that session ids below this number may have been given away. Comes back as `NotSaved` if that fails.
    ReserveIds {
        /// The first number that is surely free.
        up_to: u64,
    },
    /// Replace a session's file. Comes back as `NotSaved` if that fails.
    SaveSession(Box<SessionRecord>),
    /// Remove a session's file.
    RemoveSession(SessionId),
    /// Replace a user's file. Comes back as `NotSaved` if that fails.
    SaveUser(Box<UserRecord>),
    /// Remove a user's file.
    RemoveUser(Uid),
    /// Replace a seat's file. Comes back as `NotSaved` if that fails.
    SaveSeat(Box<SeatRecord>),
    /// Make the runtime directory. Comes back as `RuntimeDirCreated`.
    CreateRuntimeDir {
        /// The user.
        uid: Uid,
        /// The directory's group.
        gid: u32,
        /// As what it is made.
        form: RuntimeForm,
        /// Its size in bytes.
        size: u64,
        /// The number of files that it has room for.
        inodes: u64,
        /// The one that there was, which may still be there, or be there again.
        known: Option<RuntimeDir>,
    },
    /// Give runtime directories another size, as far as they are usher's own mounts and have another one.
    ResizeRuntimeDirs {
        /// Whose, and which.
        dirs: Vec<(Uid, RuntimeDir)>,
        /// In bytes.
        size: u64,
        /// The number of files.
        inodes: u64,
    },
    /// Make the session's cgroup (if it is not there) and put the leader into it. Comes back as `ScopeCreated`.
    CreateScope {
        /// The user.
        uid: Uid,
        /// The session.
        session: SessionId,
        /// Its leader.
        leader: LeaderPid,
    },
    /// Remove the session's cgroup if no process is left in it; it may be gone already. Comes back as `ScopeReaped`.
    ReapScope {
        /// The user.
        uid: Uid,
        /// The session.
        session: SessionId,
        /// The processes that have logged the user out but live on: put them back to where the leader came from first, those
        /// that are still in the cgroup. One may be in another session by now.
        move_out: Option<MoveOut>,
    },
    /// Send `ScopeEmptied` as soon as the session's cgroup has no process; now, if it has none already.
    WatchScope {
        /// The user.
        uid: Uid,
        /// The session.
        session: SessionId,
    },
    /// Send `ScopeEmptied` as soon as another daemon's cgroup has no process; now, if it has none or cannot be watched.
    WatchAdopted {
        /// The session that stands for what is left there.
        session: SessionId,
        /// The cgroup, as /proc/PID/cgroup has it.
        cgroup: String,
    },
    /// Signal every process of a scope.
    SignalScope {
        /// The user.
        uid: Uid,
        /// The session.
        session: SessionId,
        /// The signal.
        signal: i32,
    },
    /// Kill every process of a scope, and tell the administrator which ones that hits.
    KillScope {
        /// The user.
        uid: Uid,
        /// The session.
        session: SessionId,
        /// The line that the processes' names go into.
        why: String,
    },
    /// Signal a session's leader.
    SignalLeader {
        /// The session.
        session: SessionId,
        /// The signal.
        signal: i32,
    },
    /// Watch the leader that came with a request: it leads this session from now on.
    WatchLeader {
        /// The request.
        request: RequestId,
        /// The session.
        session: SessionId,
    },
    /// Stop watching a session's leader.
    ForgetLeader(SessionId),
    /// Signal every process of a user.
    SignalUser {
        /// The user.
        uid: Uid,
        /// The signal.
        signal: i32,
    },
    /// Start the user's manager, in place of one that a broker may have started and died before it noted that: what is
    /// left in the manager's cgroup is killed first. Comes back as `ManagerStarted`, then `ManagerReady`, then `ManagerGone`.
    StartManager {
        /// Whose.
        account: Account,
        /// Which run.
        generation: Generation,
    },
    /// Let a manager that was started go on: it is on file now. One that ran before that would be nobody's if the broker died
    /// in between, and a second one would be started beside it.
    ReleaseManager {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
    },
    /// Watch a manager that an earlier broker has started.
    AdoptManager {
        /// Whose.
        account: Account,
        /// Which run it is from now on.
        generation: Generation,
        /// Its main process.
        main: LeaderPid,
        /// Whether it has said that it is ready.
        ready: bool,
    },
    /// Ask the manager to stop. `ManagerGone` follows.
    StopManager {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
    },
    /// End the manager and everything in its cgroup now, and tell the administrator which processes that hits.
    /// `ManagerGone` follows.
    KillManager {
        /// The user.
        uid: Uid,
        /// Which run.
        generation: Generation,
        /// The line that the processes' names go into.
        why: String,
    },
    /// Remove what the user had: runtime directory, slice, IPC objects. A manager that nobody has noted, see
    /// `StartManager`, is killed first. Comes back as `UserTornDown`.
    TearDownUser {
        /// The user.
        uid: Uid,
        /// The user's primary group.
        gid: u32,
        /// The directory.
        runtime: Option<RuntimeDir>,
        /// Whether SysV and POSIX IPC objects go, too.
        remove_ipc: bool,
    },
    /// Set or clear the linger flag, durably, after all earlier ones for the same user. Comes back as `LingerWritten`.
    WriteLinger {
        /// The request that asked for it.
        request: RequestId,
        /// The user.
        account: Account,
        /// Other names of the user whose flags go, too, when the flag is cleared.
        also: Vec<UserName>,
        /// The flag.
        linger: bool,
    },
    /// Look up a user who has a linger flag. Comes back as `LingerResolved`.
    ResolveLinger {
        /// The flag's name.
        name: UserName,
        /// Whether the home directory has to be there.
        home: bool,
    },
    /// Send `MountsChanged` at the next change of the mount table.
    WatchMounts,
    /// Ask the kernel to show another virtual terminal. `VtChanged` follows, if it does.
    ActivateVt(VtNr),
    /// Make a session's FIFO, if it is not there, and hold its reading end. `FifoClosed` follows once there was a writer and
    /// is none any more.
    OpenFifo(SessionId),
    /// Let go of a session's FIFO, and remove it.
    RemoveFifo(SessionId),
    /// Tell whoever follows the broker, after everything is on file and before anybody is answered.
    Tell(Change),
    /// Answer a request.
    Reply {
        /// Which.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// Tell the administrator, and whoever follows the broker.
    Announce(News),
}

/// Who leaves a session's cgroup, and for where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOut {
    /// The leader, if it lives.
    pub leader: Option<LeaderPid>,
    /// Others that have closed the session. There is at least one process.
    pub others: Vec<LeaderPid>,
    /// The cgroup that the leader came from.
    pub origin: Option<String>,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// How far a login has come.
    Opened {
        /// What the peer is told.
        reply: Box<OpenSessionReply>,
        /// When the session was opened, which with its id makes it unlike any other; nothing when none was.
        since: Option<Now>,
        /// Whether another answer follows.
        continues: bool,
    },
    /// Done.
    Done,
    /// No.
    Refused(Refusal),
}

/// How much a line of news matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The course of things.
    Info,
    /// Something is not as it should be; the broker copes.
    Warning,
    /// Something is wrong; the administrator should look.
    Error,
}

/// Something worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// How much it matters.
    pub severity: Severity,
    /// The user it is about.
    pub uid: Option<Uid>,
    /// The session it is about.
    pub session: Option<SessionId>,
    /// What there is to say.
    pub text: String,
}
