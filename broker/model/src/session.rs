//! A session: what it is, when it ends, what is persisted of it. How one opens is in `login`, how it closes in
//! `logout`.

use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, UserName, VtNr};
use usher_protocol::messages::SessionRequest;
use usher_protocol::session::{SessionClass, SessionState, SessionType};

use crate::event::{BusName, Now, RequestId};
use crate::model::Model;
use crate::record::SessionRecord;
use crate::service::{CgroupUse, ManagerUse};

/// More processes of one PAM application than ever close the same session.
const LEAVING_MAX: usize = 16;

/// A session. The table of its phases is in the crate's documentation.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Orders sessions by age.
    pub(crate) seq: u64,
    pub(crate) since: Now,
    pub(crate) params: Params,
    /// As far as the kernel agrees; not what the request said.
    pub(crate) seat: Option<SeatId>,
    pub(crate) vtnr: Option<VtNr>,
    /// Its place on a seat without virtual terminals, from 1; 0: none, or none any more.
    pub(crate) position: u32,
    /// What it is shown on when nobody controls it; `params.kind` is what it is shown on now.
    pub(crate) original_kind: SessionType,
    /// The one program that may say what it is shown on.
    pub(crate) controller: Option<BusName>,
    /// Since when it says that nobody uses it.
    pub(crate) idle_since: Option<Now>,
    /// It says that its screen is locked.
    pub(crate) locked: bool,
    /// A FIFO holds it open, too.
    pub(crate) fifo: bool,
    /// The PAM application has announced the logout; the leader is yet to go. A restart forgets this.
    pub(crate) signed_off: bool,
    /// Whether followers know of it; and whether they think that it is active.
    pub(crate) told: Option<bool>,
    pub(crate) audit: Option<u32>,
    pub(crate) origin: Option<Box<str>>,
    /// Gone once the kernel has said so.
    pub(crate) leader: Option<LeaderPid>,
    /// The PAM application has closed the session; the leader counts no more.
    pub(crate) released: bool,
    /// Processes besides the leader that have closed it and may leave its cgroup. A restart forgets them.
    pub(crate) leaving: Vec<LeaderPid>,
    /// One of them has come since the cgroup was last reaped.
    pub(crate) someone_leaves: bool,
    /// What it has to do with its user's manager.
    pub(crate) manager: ManagerUse,
    /// Where its processes are.
    pub(crate) cgroup: CgroupUse,
    pub(crate) phase: Phase,
    pub(crate) scope: Scope,
    /// How often removing the cgroup has failed.
    pub(crate) reap_failures: u32,
    /// Its processes have been told to go.
    pub(crate) told_to_go: bool,
    /// The request that still waits for its last answer.
    pub(crate) waiting: Option<Waiting>,
}

/// What the login has said of the session, without what only its beginning needs; in no more memory than that takes.
#[derive(Debug)]
pub(crate) struct Params {
    pub(crate) uid: Uid,
    pub(crate) user: UserName,
    pub(crate) service: Box<str>,
    pub(crate) kind: SessionType,
    pub(crate) class: SessionClass,
    pub(crate) desktop: Box<str>,
    pub(crate) tty: Box<str>,
    pub(crate) display: Box<str>,
    pub(crate) remote: bool,
    pub(crate) remote_user: Box<str>,
    pub(crate) remote_host: Box<str>,
}

impl From<SessionRequest> for Params {
    fn from(request: SessionRequest) -> Self {
        Self {
            uid: request.uid,
            user: request.user,
            service: request.service.into(),
            kind: request.kind,
            class: request.class,
            desktop: request.desktop.into(),
            tty: request.tty.into(),
            display: request.display.into(),
            remote: request.remote,
            remote_user: request.remote_user.into(),
            remote_host: request.remote_host.into(),
        }
    }
}

/// How far a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for the runtime directory.
    Queued,
    /// Waits for its cgroup.
    Placing,
    /// Open.
    Running,
    /// Ends as soon as nothing is left of it.
    Closing,
}

/// What there is of the session's cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// None, or none any more.
    None,
    /// It is being made.
    Making,
    /// It is there.
    Live,
    /// It is being removed.
    Reaping,
    /// Processes are left; watched until they are gone.
    Watched,
    /// Another daemon's, where the leader is.
    Adopted,
}

/// Who waits for a last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) request: RequestId,
    pub(crate) asked: Asked,
}

/// What was asked for that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The session itself. `more`: whether there may be two answers.
    Login { more: bool },
    /// The manager of a user who was incomplete when the session was opened.
    Upgrade,
}

impl Session {
    /// The one predicate that says when a session ends: it has been closed, its leader is gone or has handed it back,
    /// and no process is left in its cgroup.
    pub(crate) fn may_gc(&self) -> bool {
        self.has_ended() && self.scope == Scope::None
    }

    /// Whether only what it has left in its cgroup keeps it.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_closing() && (self.leader.is_none() || self.released)
    }

    /// A process other than the leader has closed it and may leave.
    pub(crate) fn lets_go(&mut self, process: LeaderPid) {
        if self.leader == Some(process) || self.leaving.contains(&process) {
            return;
        }
        if self.leaving.len() >= LEAVING_MAX {
            // It has had its chance.
            self.leaving.remove(0);
        }
        self.leaving.push(process);
        self.someone_leaves = true;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether it wants its user's manager to be started.
    pub(crate) fn wants_manager(&self) -> bool {
        self.manager == ManagerUse::Start && self.params.class.wants_manager()
    }

    /// Whether a manager that runs has to stay for it.
    pub(crate) fn keeps_manager(&self) -> bool {
        self.manager != ManagerUse::None && self.params.class.pins_user()
    }

    /// Whether there is a cgroup of its own.
    pub(crate) fn owns_cgroup(&self) -> bool {
        self.cgroup == CgroupUse::Create && self.scope != Scope::None
    }

    /// Whether it has adopted that cgroup, and still has to do with it.
    pub(crate) fn adopts(&self, cgroup: Option<&str>) -> bool {
        self.cgroup == CgroupUse::Adopt && self.scope != Scope::None && self.origin.as_deref() == cgroup
    }

    pub(crate) fn uid(&self) -> Uid {
        self.params.uid
    }

    /// The cgroup's name. It is on file before the cgroup is made: one write a login, and a broker that dies in
    /// between finds out at its restart what is missing.
    pub(crate) fn scope_name(&self) -> Option<String> {
        self.owns_cgroup().then(|| self.id.scope())
    }
}

impl Model {
    /// A session's state as it is shown: closing, too, as soon as its end is announced.
    pub(crate) fn shown_state(&self, session: &Session) -> SessionState {
        if session.signed_off { SessionState::Closing } else { self.session_state(session) }
    }

    /// A session's state as it is on file (contract/user-lifecycle.md section 2).
    pub(crate) fn session_state(&self, session: &Session) -> SessionState {
        match session.phase {
            Phase::Closing => SessionState::Closing,
            Phase::Queued => SessionState::Opening,
            // One being placed is on file as it will be in a moment, see `Session::scope_name`.
            Phase::Placing | Phase::Running if self.is_active(session) => SessionState::Active,
            Phase::Placing | Phase::Running => SessionState::Online,
        }
    }

    /// The session as it is persisted.
    pub(crate) fn session_record(&self, session: &Session) -> SessionRecord {
        let params = &session.params;
        SessionRecord {
            id: session.id.clone(),
            uid: params.uid,
            user: params.user.clone(),
            active: self.is_active(session),
            is_display: self.display_of(params.uid) == Some(&session.id),
            state: self.session_state(session),
            remote: params.remote,
            kind: params.kind,
            original_kind: session.original_kind,
            class: params.class,
            scope: session.scope_name(),
            fifo: session.fifo,
            seat: session.seat.clone(),
            tty: params.tty.to_string(),
            display: params.display.to_string(),
            remote_host: params.remote_host.to_string(),
            remote_user: params.remote_user.to_string(),
            service: params.service.to_string(),
            desktop: params.desktop.to_string(),
            vtnr: session.vtnr,
            position: session.position,
            leader: session.leader,
            audit: session.audit,
            realtime: session.since.realtime,
            monotonic: session.since.monotonic,
            controller: session.controller.clone(),
            idle_since: session.idle_since,
            locked: session.locked,
            origin: session.origin.as_deref().map(str::to_owned),
            released: session.released,
            told_to_go: session.told_to_go,
            manager: session.manager,
            cgroup: session.cgroup,
        }
    }
}
