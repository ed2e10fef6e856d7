//! Opening a session: whether a login gets one, the steps to it, and what the login is told.

use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, VtNr};
use usher_protocol::messages::{OpenPhase, OpenSessionReply, Refusal};
use usher_protocol::session::{ManagerState, SessionClass};

use crate::effect::{Answer, Effect, Severity};
use crate::event::{Account, Now, Open};
use crate::model::{Model, Out};
use crate::policy::{self, Action};
use crate::service::{CgroupUse, Nested, Rules};
use crate::session::{Asked, Params, Phase, Scope, Session, Waiting};
use crate::timer::Timer;

/// What a login is told whose process usherd has no number for.
const HIDDEN_LEADER: &str = "the login's process is in a pid namespace that usherd does not see into: the session has no \
    cgroup, su and sudo in it open sessions of their own, and it ends when usherd is restarted; run usherd in that pid \
    namespace or in one above it";

/// What a login gets.
enum Admission {
    New {
        seat: Option<SeatId>,
        vtnr: Option<VtNr>,
    },
    /// No session; where it is said to get the runtime directory all the same: of whom.
    Inside {
        directory_of: Option<Uid>,
    },
    Again(SessionId),
}

impl Model {
    /// A login arrives.
    pub(crate) fn open(&mut self, now: Now, mut open: Open, out: &mut Out) {
        let request = open.request;
        let rules = self.settings.rules_for(&open.params.service);
        let class = rules.class_for(open.params.class);
        open.params.class = class.unwrap_or(open.params.class);
        match self.admit(&open, &rules, class.is_some()) {
            Ok(Admission::New { seat, vtnr }) => self.begin(now, open, &rules, seat, vtnr, out),
            Ok(Admission::Inside { directory_of }) => out.reply(request, self.no_session(directory_of)),
            Ok(Admission::Again(id)) => self.answer_again(&id, &open, out),
            Err(refusal) => out.reply(request, Answer::Refused(refusal)),
        }
    }

    /// Whether a login gets a session; changes nothing.
    fn admit(&self, open: &Open, rules: &Rules, any: bool) -> Result<Admission, Refusal> {
        policy::check(open.caller, Action::Open, open.params.uid)?;
        open.params.validate()?;
        if let Some(session) = self.session_led_by(open.leader).and_then(|id| self.sessions.get(&id)) {
            let same =
                session.params.uid == open.params.uid && *session.params.service == *open.params.service;
            let again = open.params.retry && same && !session.is_closing();
            let inside = Admission::Inside { directory_of: None };
            return Ok(if again { Admission::Again(session.id.clone()) } else { inside });
        }
        let nested = open.inside.as_ref().is_some_and(|id| self.sessions.contains_key(id));
        match rules.nested.unwrap_or_default() {
            Nested::Inherit if nested => return Ok(Admission::Inside { directory_of: None }),
            Nested::RuntimeOnly if nested => {
                return Ok(Admission::Inside { directory_of: Some(open.params.uid) });
            }
            _ if !any => return Ok(Admission::Inside { directory_of: None }),
            Nested::Inherit | Nested::RuntimeOnly | Nested::New => {}
        }
        // Whoever is in a session shares its terminal, and does not take its seat.
        let (seat, vtnr) = if nested { (None, None) } else { self.place(open) };
        self.check_vt_is_free(seat.as_ref(), vtnr, open.params.class)?;
        self.check_limits(open.params.uid, open.params.class)?;
        Ok(Admission::New { seat, vtnr })
    }

    fn check_limits(&self, uid: Uid, class: SessionClass) -> Result<(), Refusal> {
        // Whoever comes to mend the machine must get in.
        if uid.is_root() {
            return Ok(());
        }
        let refuse = |message| Err(Refusal::LimitsExceeded { message });
        // That of the user's manager is none that anybody has opened, and must not keep one from being opened.
        let of_user = self.users.get(&uid).map_or(0, |user| user.pinning);
        if class.pins_user() && of_user as u64 >= self.settings.user_sessions_max {
            return refuse(format!(
                "User {uid} has {of_user} sessions, as many as UserSessionsMax= in usher.conf permits"
            ));
        }
        if self.sessions.len() as u64 >= self.settings.sessions_max {
            let count = self.sessions.len();
            return refuse(format!(
                "There are {count} sessions, as many as SessionsMax= in usher.conf permits"
            ));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        now: Now,
        open: Open,
        rules: &Rules,
        seat: Option<SeatId>,
        vtnr: Option<VtNr>,
        out: &mut Out,
    ) {
        let seq = self.next_id;
        self.next_id += 1;
        self.reserve_ids(out);
        let id = SessionId::from(seq);
        let cgroup = self.cgroup_use(&open, rules);
        let Open { request, more, leader, origin, audit, runtime, params: asked, .. } = open;
        let account = Account {
            uid: asked.uid,
            gid: asked.gid,
            name: asked.user.clone(),
            home: asked.home.clone(),
            shell: asked.shell.clone(),
        };
        let params = Params::from(asked);
        let mut session = Session {
            id: id.clone(),
            seq,
            since: now,
            original_kind: params.kind,
            params,
            seat,
            vtnr,
            position: 0,
            controller: None,
            idle_since: None,
            locked: false,
            fifo: false,
            signed_off: false,
            told: None,
            audit,
            origin: origin.map(Into::into),
            leader: Some(leader),
            released: false,
            leaving: Vec::new(),
            someone_leaves: false,
            manager: rules.manager.unwrap_or_default(),
            cgroup,
            phase: Phase::Queued,
            scope: Scope::None,
            reap_failures: 0,
            told_to_go: false,
            waiting: Some(Waiting { request, asked: Asked::Login { more } }),
        };
        out.act(Effect::WatchLeader { request, session: id.clone() });
        self.leaders.insert(leader, id.clone());
        self.look_at_runtime_dir(session.uid(), runtime, out);
        self.elsewhere += usize::from(session.cgroup != CgroupUse::Create);
        self.user_logs_in(now, &session, account, out);
        session.params.user = self.shared_name(session.uid(), session.params.user);
        self.sessions.insert(session);
        self.take_seat(&id);
    }

    /// Where the processes of a login's session are to be. A cgroup that is the whole machine's, or that of the daemon which
    /// has started the login, would never become empty: it is adopted by nobody.
    fn cgroup_use(&self, open: &Open, rules: &Rules) -> CgroupUse {
        let origin = open.origin.as_deref().filter(|path| !path.trim_end_matches('/').is_empty());
        match rules.cgroup.unwrap_or_default() {
            CgroupUse::Adopt if !self.settings.cgroups || open.shared || origin.is_none() => CgroupUse::Off,
            cgroup => cgroup,
        }
    }

    /// The runtime directory is there (or could not be made): the session gets its cgroup.
    pub(crate) fn place_session(&mut self, id: &SessionId, out: &mut Out) {
        let cgroups = self.settings.cgroups;
        let Some(session) = self.sessions.get_mut(id).filter(|s| s.phase == Phase::Queued) else { return };
        self.dirty_sessions.insert(id.clone());
        session.phase = Phase::Placing;
        let scoped = cgroups && session.params.class.has_scope();
        let visible = session.leader.filter(|leader| scoped && !leader.is_hidden());
        let placed = visible.filter(|_| session.cgroup == CgroupUse::Create);
        if visible.is_some() && session.cgroup == CgroupUse::Adopt {
            session.scope = Scope::Adopted;
        }
        if let Some(leader) = placed {
            session.scope = Scope::Making;
            out.act(Effect::CreateScope { uid: session.params.uid, session: id.clone(), leader });
        }
        self.consider_display(id);
        // Before its cgroup is there, which takes a while: the session of a manager that is started meanwhile comes after it.
        self.tell_new_session(id, out);
        if placed.is_none() {
            self.session_is_open(id, out);
        }
    }

    /// The cgroup is there, or could not be made: the login goes on either way.
    pub(crate) fn scope_created(&mut self, id: &SessionId, result: Result<(), String>, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let uid = session.params.uid;
        let failed = result.is_err();
        if let Err(error) = result {
            let text =
                format!("session goes on without a cgroup of its own and will end with its leader: {error}");
            out.announce(Severity::Warning, Some(uid), Some(id.clone()), text);
        }
        if session.scope != Scope::Making {
            return;
        }
        session.scope = if failed { Scope::None } else { Scope::Live };
        let placing = session.phase == Phase::Placing;
        if failed {
            self.dirty_sessions.insert(id.clone());
        }
        if placing {
            self.session_is_open(id, out);
        } else {
            // It was closed while the cgroup was made.
            self.touch_session(id);
        }
    }

    fn session_is_open(&mut self, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.phase = Phase::Running;
        let params = &session.params;
        if params.class.pins_user() {
            let text =
                format!("new session {id} of user {} ({}, {})", params.user, params.class, params.service);
            out.announce(Severity::Info, Some(params.uid), Some(id.clone()), text);
        }
        self.settle_later(id);
    }

    /// Answers a login: finally when there is nothing to wait for, else with `registered` now and the rest later.
    pub(crate) fn answer_login(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get(id).filter(|s| s.phase == Phase::Running) else { return };
        let Some(waiting) = session.waiting else { return };
        if !self.waits_for_manager(session) {
            return self.answer_finally(id, out);
        }
        if waiting.asked == (Asked::Login { more: true }) {
            let reply = self.login_reply(session, OpenPhase::Registered);
            out.reply(
                waiting.request,
                Answer::Opened { reply: Box::new(reply), since: Some(session.since), continues: true },
            );
        }
        self.timers.set(Timer::ReadyWait(id.clone()), now, self.settings.manager_ready_wait);
    }

    /// The last answer of a login, whatever has become of the manager.
    pub(crate) fn answer_finally(&mut self, id: &SessionId, out: &mut Out) {
        let Some(waiting) = self.sessions.get_mut(id).and_then(|s| s.waiting.take()) else { return };
        self.timers.clear(&Timer::ReadyWait(id.clone()));
        let Some(session) = self.sessions.get(id) else { return };
        let answer = match waiting.asked {
            Asked::Login { .. } => Answer::Opened {
                reply: Box::new(self.login_reply(session, OpenPhase::Settled)),
                since: Some(session.since),
                continues: false,
            },
            Asked::Upgrade => Answer::Done,
        };
        out.reply(waiting.request, answer);
    }

    /// The last answer of a login whose session is over already.
    pub(crate) fn refuse_waiting(&mut self, id: &SessionId, out: &mut Out) {
        let Some(waiting) = self.sessions.get_mut(id).and_then(|s| s.waiting.take()) else { return };
        self.timers.clear(&Timer::ReadyWait(id.clone()));
        let message = match waiting.asked {
            Asked::Login { .. } => format!("session {id} ended before the login was complete"),
            Asked::Upgrade => format!("session {id} ended before its user's manager was ready"),
        };
        out.reply(waiting.request, Answer::Refused(Refusal::Failed { message }));
    }

    /// Root waits for nothing: whoever comes to mend the machine must get in at once.
    fn waits_for_manager(&self, session: &Session) -> bool {
        let manager = self.users.get(&session.uid()).map(|user| user.manager.state());
        let coming = matches!(
            manager,
            Some(ManagerState::Starting | ManagerState::Stopping | ManagerState::Restarting)
        );
        coming && session.wants_manager() && !session.uid().is_root()
    }

    fn login_reply(&self, session: &Session, phase: OpenPhase) -> OpenSessionReply {
        let user = self.users.get(&session.uid());
        let mut notice = user.map(|u| u.notice()).unwrap_or_default();
        let settled = phase == OpenPhase::Settled;
        if notice.is_empty() && session.leader.is_some_and(|leader| leader.is_hidden()) {
            notice = HIDDEN_LEADER.to_owned();
        }
        if settled && notice.is_empty() && self.waits_for_manager(session) {
            notice = "user manager is not ready yet; the login goes on without it".to_owned();
        }
        OpenSessionReply {
            phase,
            session: Some(session.id.clone()),
            // The edge's business: the model knows no secrets.
            token: None,
            existing: false,
            runtime_only: false,
            class: Some(session.params.class),
            runtime_path: user.filter(|u| u.has_runtime_dir()).map(|u| u.account.uid.runtime_path()),
            seat: session.seat.clone(),
            vtnr: session.vtnr,
            wait_usec: if settled { 0 } else { self.settings.manager_ready_wait },
            manager: user.map_or(ManagerState::None, |u| u.manager.state()),
            notice,
        }
    }

    /// The same login asks again after a broken connection.
    fn answer_again(&mut self, id: &SessionId, open: &Open, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let asked = Asked::Login { more: open.more };
        match session.waiting.replace(Waiting { request: open.request, asked }) {
            Some(Waiting { request, asked: Asked::Login { .. } }) => {
                let message = format!("the login of session {id} was taken up again on another connection");
                out.reply(request, Answer::Refused(Refusal::Failed { message }));
            }
            // What it asked for is done; the login waits in its place.
            Some(Waiting { request, asked: Asked::Upgrade }) => out.answer(request, Ok(())),
            None => {}
        }
        if session.phase == Phase::Running {
            self.settle_later(id);
        }
    }
}

impl Model {
    /// Whether the kernel's idea of cgroups does not tell who is in which session: some have none of their own.
    pub fn has_sessions_elsewhere(&self) -> bool {
        self.settings.services.leave_some_elsewhere() || self.elsewhere > 0
    }

    /// The session without a cgroup of its own that one of these processes leads.
    pub fn session_elsewhere_of(&self, processes: &[LeaderPid]) -> Option<SessionId> {
        let mut led = processes.iter().filter_map(|process| self.leaders.get(process));
        led.find(|id| self.sessions.get(id).is_some_and(|s| s.cgroup != CgroupUse::Create)).cloned()
    }

    /// Whether a login of that service from inside a session may get a session of its own.
    pub fn nests(&self, service: &str) -> bool {
        self.settings.rules_for(service).nested == Some(Nested::New)
    }

    /// The answer for a login that gets no session: su and sudo inside one, or a service that has none.
    fn no_session(&self, directory_of: Option<Uid>) -> Answer {
        let user = directory_of.and_then(|uid| self.users.get(&uid)).filter(|user| user.has_runtime_dir());
        let path = user.map(|user| user.account.uid.runtime_path());
        without_session(directory_of.is_some(), path)
    }
}

fn without_session(runtime_only: bool, runtime_path: Option<String>) -> Answer {
    let reply = OpenSessionReply {
        phase: OpenPhase::Settled,
        session: None,
        token: None,
        existing: true,
        runtime_only,
        class: None,
        runtime_path,
        seat: None,
        vtnr: None,
        wait_usec: 0,
        manager: ManagerState::None,
        notice: String::new(),
    };
    Answer::Opened { reply: Box::new(reply), since: None, continues: false }
}
