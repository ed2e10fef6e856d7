//! Closing a session: by its PAM application, by an administrator, by the end of its leader; and what is left of it.

use std::collections::BTreeMap;

use usher_protocol::ids::{LeaderPid, SessionId};
use usher_protocol::messages::Refusal;
use usher_protocol::session::KillWhom;

use crate::effect::{Effect, MoveOut, Severity};
use crate::event::{Now, Reaped};
use crate::model::{Model, Out};
use crate::policy::Authority;
use crate::service::CgroupUse;
use crate::session::{Phase, Scope, Session};
use crate::settings::SECOND;
use crate::timer::Timer;

/// SIGTERM, signal(7).
const SIGTERM: i32 = 15;
/// SIGHUP, signal(7): what a shell expects to hear when its terminal goes.
const SIGHUP: i32 = 1;
/// SIGKILL, signal(7).
const SIGKILL: i32 = 9;
/// The first wait before a scope that could not be removed is tried again; doubled each time.
const FIRST_SCOPE_RETRY: u64 = SECOND;
/// How often that wait is doubled: to about a minute.
const SCOPE_RETRY_DOUBLINGS: u32 = 6;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The leader is gone.
    LeaderGone,
    /// The PAM application has closed it.
    LoggedOut,
    /// Nobody has its FIFO open any more. Its leader counts on.
    HungUp,
    /// Somebody has ended it.
    Terminated,
}

impl Model {
    /// A logout. A second one, or one after the leader's end, changes nothing but that another process may leave.
    pub(crate) fn close(
        &mut self,
        now: Now,
        id: &SessionId,
        authority: Authority,
        closer: Option<LeaderPid>,
        out: &mut Out,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Some(closer) = closer.filter(|_| authority.frees_the_closer()) {
            session.lets_go(closer);
        }
        if !session.released && session.leader.is_some() {
            self.close_session(now, id, Why::LoggedOut, out);
        } else if session.someone_leaves && session.cgroup == CgroupUse::Create {
            self.scope_emptied(id);
        }
    }

    pub(crate) fn kill(
        &self,
        id: &SessionId,
        whom: KillWhom,
        signal: i32,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        let message = match whom {
            KillWhom::All if session.owns_cgroup() => {
                out.act(Effect::SignalScope { uid: session.uid(), session: id.clone(), signal });
                return Ok(());
            }
            KillWhom::Leader if session.leader.is_some_and(|leader| leader.is_hidden()) => {
                format!(
                    "The leader of session '{id}' is in another pid namespace and cannot be signalled from here"
                )
            }
            KillWhom::Leader if session.leader.is_some() && !session.released => {
                out.act(Effect::SignalLeader { session: id.clone(), signal });
                return Ok(());
            }
            KillWhom::All => format!("Session '{id}' has no associated scope"),
            KillWhom::Leader => format!("Session '{id}' has no leader any more"),
        };
        Err(Refusal::NotSupported { message })
    }

    /// A session ends, for one of several reasons. Safe to call again.
    pub(crate) fn close_session(&mut self, now: Now, id: &SessionId, why: Why, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        // A process that cannot be signalled from here cannot be made to end: to let go of it is all that can be done.
        let hidden = session.leader.is_some_and(|leader| leader.is_hidden()) && !session.released;
        let why = if hidden && why == Why::Terminated { Why::LoggedOut } else { why };
        if why == Why::LeaderGone && session.released {
            return;
        }
        let uid = session.params.uid;
        let wanted_manager = session.wants_manager();
        let first = !session.is_closing();
        let watched = session.leader.filter(|_| !session.released);
        // Whoever moves the leader out needs what it is watched by.
        let reaped_first = why == Why::LoggedOut && session.scope == Scope::Live;
        session.phase = Phase::Closing;
        match why {
            Why::LeaderGone => session.leader = None,
            Why::LoggedOut => session.released = true,
            Why::HungUp | Why::Terminated => {}
        }
        if let Some(leader) = watched.filter(|_| matches!(why, Why::LeaderGone | Why::LoggedOut)) {
            forget_leader(&mut self.leaders, leader, id);
            if !reaped_first {
                out.act(Effect::ForgetLeader(id.clone()));
            }
        }
        match why {
            // What becomes of a dead leader's session is plain to see after a restart, too.
            Why::LeaderGone => {}
            // Most are gone with the next step. Who closes one hears of it when all is done, and asks the next usherd again if
            // this one dies before.
            Why::LoggedOut => drop(self.stale_sessions.insert(id.clone())),
            Why::HungUp | Why::Terminated => drop(self.dirty_sessions.insert(id.clone())),
        }
        if why != Why::LeaderGone {
            self.stale_users.insert(uid);
        }
        if first {
            session.signed_off = false;
            session.position = 0;
            self.forget_fifo(id, out);
            self.refuse_waiting(id, out);
            self.session_left(id, uid, wanted_manager);
        }
        if why == Why::Terminated {
            self.tell_to_go(now, id, out);
            self.let_go_of_adopted(id);
        }
        self.touch_session(id);
    }

    /// What is left in an adopted cgroup keeps no session that somebody has ended.
    fn let_go_of_adopted(&mut self, id: &SessionId) {
        let adopts =
            |session: &&mut Session| session.cgroup == CgroupUse::Adopt && session.scope == Scope::Watched;
        if let Some(session) = self.sessions.get_mut(id).filter(adopts) {
            session.scope = Scope::None;
        }
    }

    /// Asks a session's processes to end, and arms the timer that kills those that do not.
    fn tell_to_go(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.told_to_go = true;
        let uid = session.params.uid;
        if session.owns_cgroup() {
            for signal in [SIGTERM, SIGHUP] {
                out.act(Effect::SignalScope { uid, session: id.clone(), signal });
            }
        } else {
            out.act(Effect::SignalLeader { session: id.clone(), signal: SIGTERM });
        }
        self.timers.set(Timer::ScopeKill(id.clone()), now, self.settings.scope_stop_timeout);
    }

    /// What a closed session does next, as far as the kernel's answers are in.
    pub(crate) fn settle_session(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.may_gc() {
            return self.remove_session(now, id, out);
        }
        if session.has_ended() && session.scope == Scope::Adopted {
            return self.leave_adopted(id, out);
        }
        if session.has_ended() && session.scope == Scope::Live {
            session.scope = Scope::Reaping;
            session.someone_leaves = false;
            let (leader, others) = (session.leader, session.leaving.clone());
            let origin = session.origin.as_deref().map(str::to_owned);
            let someone = leader.is_some() || !others.is_empty();
            let move_out = someone.then_some(MoveOut { leader, others, origin });
            out.act(Effect::ReapScope { uid: session.params.uid, session: id.clone(), move_out });
            if session.released {
                out.act(Effect::ForgetLeader(id.clone()));
            }
        }
    }

    /// What becomes of an adopted cgroup once its session has ended: one session stands for what is left there, and none after a
    /// termination, which is not for processes that are somebody else's.
    fn leave_adopted(&mut self, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get(id) else { return };
        let cgroup = session.origin.clone();
        let others =
            || self.sessions.values().any(|other| other.id != *id && other.adopts(cgroup.as_deref()));
        let stays = !session.told_to_go && !others();
        let Some(session) = self.sessions.get_mut(id) else { return };
        match cgroup.filter(|_| stays) {
            Some(cgroup) => {
                session.scope = Scope::Watched;
                out.act(Effect::WatchAdopted { session: id.clone(), cgroup: cgroup.into() });
                self.dirty_sessions.insert(id.clone());
            }
            None => session.scope = Scope::None,
        }
        self.touch_session(id);
    }

    /// A scope was removed, or something is left in it.
    pub(crate) fn scope_reaped(
        &mut self,
        now: Now,
        id: &SessionId,
        result: Result<Reaped, String>,
        out: &mut Out,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.someone_leaves && result == Ok(Reaped::Busy) {
            // It may have been the only one.
            session.scope = Scope::Live;
            return self.touch_session(id);
        }
        let (uid, told) = (session.params.uid, session.told_to_go);
        let kills = self.settings.kills_processes_of(&session.params.user);
        if result != Ok(Reaped::Gone) {
            // It stays for a while: whoever reads the files should see it as it is.
            session.scope = Scope::Watched;
            self.dirty_sessions.insert(id.clone());
            self.stale_users.insert(uid);
        }
        match result {
            Ok(Reaped::Gone) => session.scope = Scope::None,
            Ok(Reaped::Busy) => {
                out.act(Effect::WatchScope { uid, session: id.clone() });
                if kills && !told {
                    self.tell_to_go(now, id, out);
                }
            }
            Err(error) => {
                if session.reap_failures == 0 {
                    let text = format!("cannot remove the session's cgroup, trying again: {error}");
                    out.announce(Severity::Warning, Some(uid), Some(id.clone()), text);
                }
                let delay = FIRST_SCOPE_RETRY << session.reap_failures.min(SCOPE_RETRY_DOUBLINGS);
                session.reap_failures = session.reap_failures.saturating_add(1);
                self.timers.set(Timer::ScopeRetry(id.clone()), now, delay);
            }
        }
        self.touch_session(id);
    }

    /// A watched scope is empty, or is worth another try.
    pub(crate) fn scope_emptied(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id).filter(|s| s.scope == Scope::Watched) {
            let own = session.cgroup == CgroupUse::Create;
            session.scope = if own { Scope::Live } else { Scope::None };
            self.touch_session(id);
        }
    }

    /// The processes of a session that is being ended have had their time.
    pub(crate) fn kill_leftovers(&mut self, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get(id) else { return };
        let uid = session.params.uid;
        let why = format!(
            "processes of session {id} have not stopped in time (SessionStopTimeoutSec=) and are killed"
        );
        if !session.owns_cgroup() {
            let pid = session.leader.map_or(0, |leader| leader.pid);
            out.announce(Severity::Warning, Some(uid), Some(id.clone()), format!("{why}: {pid}"));
        } else {
            out.act(Effect::KillScope { uid, session: id.clone(), why });
        }
        if session.leader.is_some() && !session.released {
            out.act(Effect::SignalLeader { session: id.clone(), signal: SIGKILL });
        }
    }

    /// Nothing is left of the session; or its user goes, and it is of a class that keeps nobody.
    pub(crate) fn remove_session(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        self.refuse_waiting(id, out);
        self.forget_fifo(id, out);
        let Some(session) = self.sessions.remove(id) else { return };
        self.elsewhere -= usize::from(session.cgroup != CgroupUse::Create);
        if let Some(controller) = &session.controller {
            self.forget_controller(controller, id);
        }
        if let Some(leader) = session.leader {
            forget_leader(&mut self.leaders, leader, id);
            out.act(Effect::ForgetLeader(id.clone()));
        }
        self.timers.clear(&Timer::ScopeKill(id.clone()));
        self.timers.clear(&Timer::ScopeRetry(id.clone()));
        if session.seat.is_some() {
            self.seat0.leave(session.seq, id);
            self.seat_changed();
        }
        self.dirty_sessions.remove(id);
        self.stale_sessions.remove(id);
        out.act(Effect::RemoveSession(id.clone()));
        if session.params.class.is_announced_at_its_end() {
            let text = format!("session {id} removed");
            out.announce(Severity::Info, Some(session.params.uid), Some(id.clone()), text);
        }
        self.user_lost_session(now, &session);
        self.tell_session_gone(&session, out);
    }
}

/// A process leads a session no more; it may lead another one by now.
fn forget_leader(leaders: &mut BTreeMap<LeaderPid, SessionId>, leader: LeaderPid, id: &SessionId) {
    if leaders.get(&leader) == Some(id) {
        leaders.remove(&leader);
    }
}
