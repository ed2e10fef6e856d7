//! The one state machine: an event in, effects out. Which event is for whom is in `route`, what is done about it in the
//! files of the nouns.

use std::collections::{BTreeMap, BTreeSet};

use usher_protocol::ids::{LeaderPid, SessionId, Uid, UserName};
use usher_protocol::messages::Refusal;

use crate::change::Change;
use crate::effect::{Answer, Effect, News, Severity};
use crate::event::{BusName, Event, Now, RequestId, StateFile};
use crate::lookup::Lookups;
use crate::seat::Seat;
use crate::session::Phase;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::timer::{Timer, Timers};
use crate::user::User;

/// How many session ids are reserved with one write.
const ID_BLOCK: u64 = 256;

/// The life cycle of every session and user. Owned by one task.
#[derive(Debug)]
pub struct Model {
    pub(crate) settings: Settings,
    pub(crate) sessions: Sessions,
    /// Trees, not tables: a table keeps the room of the most there ever were.
    pub(crate) users: BTreeMap<Uid, User>,
    pub(crate) seat0: Seat,
    /// Sessions by who controls them.
    pub(crate) controllers: BTreeMap<BusName, BTreeSet<SessionId>>,
    /// Sessions by their leader.
    pub(crate) leaders: BTreeMap<LeaderPid, SessionId>,
    /// How many sessions have no cgroup of their own because of their service's policy.
    pub(crate) elsewhere: usize,
    pub(crate) timers: Timers,
    /// Who has a linger flag, and whose name that is, if it is known. A user may have several names.
    pub(crate) lingering: BTreeMap<UserName, Option<Uid>>,
    /// Those of them who are yet to be found in the user database.
    pub(crate) lookups: Lookups,
    pub(crate) next_id: u64,
    pub(crate) reserved_ids: u64,
    pub(crate) next_generation: u64,
    /// Whose next step may be due.
    pub(crate) touched_sessions: BTreeSet<SessionId>,
    pub(crate) touched_users: BTreeSet<Uid>,
    /// Logins whose answer is due once everything else is settled.
    pub(crate) to_answer: Vec<SessionId>,
    /// What is not on file as it is.
    pub(crate) dirty_sessions: BTreeSet<SessionId>,
    pub(crate) dirty_users: BTreeSet<Uid>,
    pub(crate) dirty_seat: bool,
    /// Whose files show who was there before: see [`Model::catch_up`].
    pub(crate) stale_users: BTreeSet<Uid>,
    pub(crate) stale_sessions: BTreeSet<SessionId>,
    /// What could not be put there.
    pub(crate) unsaved: BTreeSet<StateFile>,
}

impl Model {
    /// A model without a past.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: Sessions::default(),
            users: BTreeMap::new(),
            seat0: Seat::default(),
            controllers: BTreeMap::new(),
            leaders: BTreeMap::new(),
            elsewhere: 0,
            timers: Timers::default(),
            lingering: BTreeMap::new(),
            lookups: Lookups::default(),
            next_id: 1,
            reserved_ids: 1,
            next_generation: 1,
            touched_sessions: BTreeSet::new(),
            touched_users: BTreeSet::new(),
            to_answer: Vec::new(),
            dirty_sessions: BTreeSet::new(),
            dirty_users: BTreeSet::new(),
            dirty_seat: true,
            stale_users: BTreeSet::new(),
            stale_sessions: BTreeSet::new(),
            unsaved: BTreeSet::new(),
        }
    }

    /// Takes an event; gives what is to be done, in order. Results of effects come back as events before anything
    /// else does, where they are known at once. [`Self::catch_up`] is due after this: after one event, or after many
    /// that have come at the same time.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut out = Out::default();
        self.route(now, event, &mut out);
        self.run_timers(now, &mut out);
        self.settle(now, &mut out);
        if std::mem::take(&mut self.seat0.untold) {
            self.tell_seat(&mut out);
        }
        self.save(&mut out);
        out.in_order()
    }

    /// What is to be put on file before anybody is told of what was done since the last time. A user's file lists all
    /// sessions of that user: to write it for each of thousands that come or go at once would take quadratic time. A
    /// restart needs nothing of it.
    pub fn catch_up(&mut self) -> Vec<Effect> {
        let mut out = Out::default();
        self.dirty_users.append(&mut self.stale_users);
        self.dirty_sessions.append(&mut self.stale_sessions);
        self.save(&mut out);
        out.in_order()
    }

    /// When the next deadline passes (CLOCK_MONOTONIC, microseconds): send [`Event::Tick`] then. A tick too early does
    /// nothing.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn run_timers(&mut self, now: Now, out: &mut Out) {
        while let Some(timer) = self.timers.pop(now.monotonic) {
            match timer {
                Timer::UserStop(uid) => self.grace_is_over(uid),
                Timer::ManagerIdle(uid) => self.manager_grace_is_over(uid),
                Timer::Manager(uid) => self.manager_timed_out(now, uid, out),
                Timer::ReadyWait(session) => self.answer_finally(&session, out),
                Timer::Release(session) => self.release_is_over(now, &session, out),
                Timer::ScopeKill(session) => self.kill_leftovers(&session, out),
                Timer::ScopeRetry(session) => self.scope_emptied(&session),
                Timer::SaveRetry => self.save_again(out),
                Timer::LingerRetry(name) => self.look_up_now(name, out),
            }
        }
    }

    /// Lets every step that is due happen, until none is.
    pub(crate) fn settle(&mut self, now: Now, out: &mut Out) {
        loop {
            if let Some(id) = self.touched_sessions.pop_first() {
                self.settle_session(now, &id, out);
            } else if let Some(uid) = self.touched_users.pop_first() {
                self.settle_user(now, uid, out);
            } else {
                break;
            }
        }
        for id in std::mem::take(&mut self.to_answer) {
            self.answer_login(now, &id, out);
        }
    }

    /// Puts on file what has changed, before anything else is done about it. A session that waits for its runtime
    /// directory is not on file yet: nobody knows of it.
    pub(crate) fn save(&mut self, out: &mut Out) {
        for uid in std::mem::take(&mut self.dirty_users) {
            self.stale_users.remove(&uid);
            if let Some(user) = self.users.get(&uid) {
                out.first(Effect::SaveUser(Box::new(self.user_record(user))));
            }
        }
        for id in std::mem::take(&mut self.dirty_sessions) {
            self.stale_sessions.remove(&id);
            if let Some(session) = self.sessions.get(&id).filter(|s| s.phase != Phase::Queued) {
                out.first(Effect::SaveSession(Box::new(self.session_record(session))));
            }
        }
        if std::mem::take(&mut self.dirty_seat) {
            out.first(Effect::SaveSeat(Box::new(self.seat_record())));
        }
    }

    pub(crate) fn touch_session(&mut self, id: &SessionId) {
        self.touched_sessions.insert(id.clone());
    }

    pub(crate) fn touch_user(&mut self, uid: Uid) {
        self.touched_users.insert(uid);
    }

    pub(crate) fn settle_later(&mut self, id: &SessionId) {
        self.to_answer.push(id.clone());
    }

    pub(crate) fn reserve_ids(&mut self, out: &mut Out) {
        if self.next_id > self.reserved_ids {
            self.reserved_ids = self.next_id + ID_BLOCK;
            out.first(Effect::ReserveIds { up_to: self.reserved_ids });
        }
    }
}

/// The effects of one event, in the order in which they are done: first what is put on file, then what is done to
/// the kernel, then what is told to anyone: changes to all who follow them before answers to those who have asked.
#[derive(Debug, Default)]
pub(crate) struct Out {
    first: Vec<Effect>,
    acts: Vec<Effect>,
    tells: Vec<Effect>,
    last: Vec<Effect>,
}

impl Out {
    pub(crate) fn first(&mut self, effect: Effect) {
        self.first.push(effect);
    }

    pub(crate) fn act(&mut self, effect: Effect) {
        self.acts.push(effect);
    }

    pub(crate) fn tell(&mut self, change: Change) {
        self.tells.push(Effect::Tell(change));
    }

    /// What was to be told is known already.
    pub(crate) fn nothing_to_tell(&mut self) {
        self.tells.clear();
    }

    pub(crate) fn reply(&mut self, request: RequestId, answer: Answer) {
        self.last.push(Effect::Reply { request, answer });
    }

    pub(crate) fn answer(&mut self, request: RequestId, result: Result<(), Refusal>) {
        self.reply(request, result.map_or_else(Answer::Refused, |()| Answer::Done));
    }

    pub(crate) fn announce(
        &mut self,
        severity: Severity,
        uid: Option<Uid>,
        session: Option<SessionId>,
        text: String,
    ) {
        self.last.push(Effect::Announce(News { severity, uid, session, text }));
    }

    pub(crate) fn in_order(self) -> Vec<Effect> {
        let Self { mut first, acts, tells, last } = self;
        first.extend(acts);
        first.extend(tells);
        first.extend(last);
        first
    }
}
