//! The model after a restart, from what was persisted and what the kernel says now. What ended meanwhile is cleaned
//! up by the same steps that would have done it then.

use std::collections::BTreeSet;

use usher_protocol::ids::{SessionId, Uid, UserName, VtNr};
use usher_protocol::session::SessionState;

use crate::effect::{Effect, Severity};
use crate::event::{Account, Generation, Now};
use crate::logout::Why;
use crate::manager::{Manager, Run};
use crate::model::{Model, Out};
use crate::record::{RuntimeDir, SessionRecord, UserRecord};
use crate::runtime::Runtime;
use crate::service::CgroupUse;
use crate::session::{Params, Phase, Scope, Session};
use crate::settings::Settings;
use crate::timer::Timer;
use crate::user::User;

/// A session's number above this was not given by usher: counting on from it would run out of numbers.
const MAX_ID: u64 = 1 << 53;

/// What the edges found at start.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Session ids below this may have been given away; 0 when nothing is known.
    pub reserved_ids: u64,
    /// The users on file.
    pub users: Vec<FoundUser>,
    /// The sessions on file.
    pub sessions: Vec<FoundSession>,
    /// The linger flags.
    pub lingering: BTreeSet<UserName>,
    /// Whether the machine has virtual terminals.
    pub has_vts: bool,
    /// The one in the foreground.
    pub foreground: Option<VtNr>,
}

/// A user on file.
#[derive(Debug, Clone)]
pub struct FoundUser {
    /// The file.
    pub record: UserRecord,
    /// Whether the manager on file is alive: the very same process.
    pub manager_alive: bool,
    /// What is at the runtime directory's path now.
    pub runtime: Option<RuntimeDir>,
}

/// A session on file.
#[derive(Debug, Clone)]
pub struct FoundSession {
    /// The file.
    pub record: SessionRecord,
    /// Whether the leader on file is alive: the very same process. The edge watches it from now on.
    pub leader_alive: bool,
    /// Whether the session's cgroup exists.
    pub scope_exists: bool,
    /// Whether the leader is in it.
    pub leader_in_scope: bool,
}

impl Model {
    /// The model as it was, brought up to date; and what is to be done first.
    pub fn restore(settings: Settings, found: Found, now: Now) -> (Self, Vec<Effect>) {
        let mut model = Self::new(settings);
        let mut out = Out::default();
        model.seat0.has_vts = found.has_vts;
        model.seat0.foreground = found.foreground;
        model.lingering = found.lingering.into_iter().map(|name| (name, None)).collect();
        for user in found.users {
            model.restore_user(now, user, &mut out);
        }
        let mut sessions = found.sessions;
        sessions.sort_by_key(|session| (number_of(&session.record.id), session.record.monotonic));
        for session in sessions {
            model.restore_session(session, &mut out);
        }
        model.seat_those_without_a_place();
        // Numbers that were given away are not given again in this boot, even if their sessions are gone.
        model.next_id = model.next_id.max(found.reserved_ids.min(MAX_ID));
        model.reserve_ids(&mut out);
        for uid in model.users.keys().copied().collect::<Vec<_>>() {
            model.bring_up_to_date(now, uid, &mut out);
        }
        for (id, _) in model.sessions.iter().filter(|(_, session)| session.fifo) {
            out.act(Effect::OpenFifo(id.clone()));
        }
        // The configuration may have changed meanwhile.
        model.resize_runtime_dirs(&mut out);
        let unknown = model.lingering.iter().filter(|(_, uid)| uid.is_none());
        for name in unknown.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            model.look_up(name, &mut out);
        }
        model.settle(now, &mut out);
        model.all_is_told(&mut out);
        model.save(&mut out);
        (model, out.in_order())
    }

    fn restore_user(&mut self, now: Now, found: FoundUser, out: &mut Out) {
        let record = found.record;
        let uid = record.uid;
        let linger = self.has_linger_flag(&record.name, uid);
        let account =
            Account { uid, gid: record.gid, name: record.name, home: record.home, shell: record.shell };
        let since = Now { monotonic: record.monotonic, realtime: record.realtime };
        let mut user = User::new(since, account, record.gc_mode);
        user.linger = linger;
        user.terminated = record.terminated;
        user.last_session = record.last_session;
        user.display = record.display;
        user.stopping = record.stopping;
        // A crash between making the directory and noting it leaves the directory; its user's file came before.
        user.runtime = found.runtime.map_or(Runtime::Absent, Runtime::Present);
        user.made = found.runtime.or(record.runtime);
        if let Some(main) = record.manager.filter(|_| found.manager_alive) {
            let generation = Generation(self.next_generation);
            self.next_generation += 1;
            let run = Run { generation, main: Some(main), adopted: true, failures: 0 };
            let ready = record.manager_ready;
            let account = user.account.clone();
            out.act(Effect::AdoptManager { account, generation, main, ready });
            user.manager = if ready {
                Manager::Ready { run, since: now.monotonic }
            } else {
                self.timers.set(Timer::Manager(uid), now, self.settings.manager_ready_wait);
                Manager::Starting { run }
            };
        }
        self.users.insert(uid, user);
    }

    fn restore_session(&mut self, found: FoundSession, out: &mut Out) {
        let record = found.record;
        let (id, uid) = (record.id.clone(), record.uid);
        // Also of one that is not taken over: the number has been somebody's in this boot.
        let seq = number_of(&id).unwrap_or(self.next_id).max(self.next_id);
        self.next_id = seq + 1;
        let Some(user) = self.users.get_mut(&uid) else {
            // A user's file is written before and removed after those of its sessions.
            let text = format!("session {id} on file has no user on file: removed");
            out.announce(Severity::Warning, Some(uid), Some(id.clone()), text);
            if record.fifo {
                out.act(Effect::RemoveFifo(id.clone()));
            }
            return out.act(Effect::RemoveSession(id));
        };
        if record.leader.is_some_and(|leader| leader.is_hidden()) && !record.released {
            let text = format!(
                "session {id} ends: its leader is in another pid namespace, and only the usherd that opened it could watch \
                 that process"
            );
            out.announce(Severity::Warning, Some(uid), Some(id.clone()), text);
        }
        let closing = record.released || record.state == SessionState::Closing || !found.leader_alive;
        let leader = record.leader.filter(|_| found.leader_alive);
        let own = record.cgroup == CgroupUse::Create;
        let scoped = self.settings.cgroups && record.class.has_scope() && own;
        let adopted = self.settings.cgroups && record.cgroup == CgroupUse::Adopt && record.origin.is_some();
        // A crash between noting the session and placing its leader.
        let misplaced = leader.filter(|_| scoped && !closing && !found.leader_in_scope);
        let (phase, scope) = match (closing, misplaced, found.scope_exists && own) {
            _ if adopted => (if closing { Phase::Closing } else { Phase::Running }, Scope::Adopted),
            (true, _, true) => (Phase::Closing, Scope::Live),
            (true, _, false) => (Phase::Closing, Scope::None),
            (false, _, true) => (Phase::Running, Scope::Live),
            (false, Some(_), false) => (Phase::Placing, Scope::Making),
            (false, None, false) => (Phase::Running, Scope::None),
        };
        let mut session = Session {
            id: id.clone(),
            seq,
            since: Now { monotonic: record.monotonic, realtime: record.realtime },
            params: params_of(&record),
            seat: record.seat,
            vtnr: record.vtnr,
            position: if closing || self.seat0.has_vts { 0 } else { record.position },
            original_kind: record.original_kind,
            controller: record.controller,
            idle_since: record.idle_since,
            locked: record.locked,
            fifo: record.fifo && !closing,
            signed_off: false,
            told: None,
            audit: record.audit,
            origin: record.origin.map(Into::into),
            leader,
            released: record.released,
            leaving: Vec::new(),
            someone_leaves: false,
            manager: record.manager,
            cgroup: record.cgroup,
            phase,
            scope,
            reap_failures: 0,
            told_to_go: record.told_to_go,
            waiting: None,
        };
        user.sessions.insert(seq, id.clone());
        let class = session.params.class;
        user.pinning += usize::from(class.pins_user());
        user.keeping_manager += usize::from(session.keeps_manager());
        user.wanting_manager += usize::from(session.wants_manager() && !closing);
        self.elsewhere += usize::from(session.cgroup != CgroupUse::Create);
        if let Some(leader) = session.leader.filter(|_| !session.released) {
            self.leaders.insert(leader, id.clone());
        }
        if let Some(leader) = misplaced {
            out.act(Effect::CreateScope { uid, session: id.clone(), leader });
        }
        if closing && (record.fifo || record.state == SessionState::Closing) {
            // An earlier broker may have had no time to do so.
            out.act(Effect::RemoveFifo(id.clone()));
        }
        if let Some(controller) = session.controller.clone() {
            self.controllers.entry(controller).or_default().insert(id.clone());
        }
        if session.seat.is_some() {
            self.seat0.enter(seq, id.clone());
            if record.active && !self.seat0.has_vts {
                self.seat0.chosen = Some(id.clone());
            }
        }
        session.params.user = self.shared_name(uid, session.params.user);
        self.sessions.insert(session);
        self.dirty_sessions.insert(id.clone());
        self.touch_session(&id);
    }

    /// A restored user, once all sessions are there.
    fn bring_up_to_date(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        let terminated = user.terminated;
        let last = user.last_session.take().filter(|_| user.pinning == 0 && !terminated);
        if let Some(last) = last {
            self.delay_stop(now, uid, last);
        }
        self.delay_manager_stop_if_idle(now, uid);
        // Those that were being ended are told again: how long they have had is not known.
        let unfinished = self.sessions_in(uid, |session| {
            let has_leader = session.leader.is_some() && !session.released;
            let told = session.told_to_go && (has_leader || session.owns_cgroup());
            told || (terminated && session.params.class.pins_user())
        });
        for id in unfinished {
            self.close_session(now, &id, Why::Terminated, out);
        }
        self.elect_display_unless_in_office(uid);
        self.dirty_users.insert(uid);
        self.touch_user(uid);
    }
}

/// What a login has said, from what was put on file of it.
fn params_of(record: &SessionRecord) -> Params {
    Params {
        uid: record.uid,
        user: record.user.clone(),
        service: record.service.as_str().into(),
        kind: record.kind,
        class: record.class,
        desktop: record.desktop.as_str().into(),
        tty: record.tty.as_str().into(),
        display: record.display.as_str().into(),
        remote: record.remote,
        remote_user: record.remote_user.as_str().into(),
        remote_host: record.remote_host.as_str().into(),
    }
}

/// The number that usher has given a session; `None` for a name that it did not make.
fn number_of(id: &SessionId) -> Option<u64> {
    id.as_str().parse().ok().filter(|number| *number < MAX_ID)
}
