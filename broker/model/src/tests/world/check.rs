//! What always holds, as code. Checked before every effect, after every event, and whenever nothing is under way.

use std::collections::BTreeSet;

use usher_protocol::ids::{SessionId, Uid, UserName};
use usher_protocol::session::{ManagerState, SessionState};

use super::{Place, Soon, World, name};
use crate::effect::{Answer, Effect};
use crate::event::{Now, StateFile};
use crate::grace::Grace;
use crate::manager::Manager;
use crate::model::Model;
use crate::record::SessionRecord;
use crate::runtime::Runtime;
use crate::service::CgroupUse;
use crate::session::{Phase, Scope, Session};
use crate::timer::Timer;

impl World {
    /// Before an effect is done: whether it may be, as things are.
    pub(super) fn check_effect(&mut self, effect: &Effect) {
        match effect {
            Effect::WatchLeader { session, .. } => {
                assert!(self.ids_given.insert(session.clone()), "session id {session} is used again");
                let number: u64 = session.as_str().parse().unwrap();
                let reserved = number < self.kernel.reserved_ids || !self.is_saved(&StateFile::Ids);
                assert!(reserved, "session id {session} is not reserved");
                // A login, or a manager that an administrator has started by hand, of one who has gone for good.
                if let Some(session) = self.model.sessions.get(session)
                    && !self.model.users[&session.uid()].terminated
                {
                    self.terminated.remove(&session.uid());
                    if session.params.class.pins_user() {
                        self.ended.remove(&session.uid());
                    }
                }
            }
            Effect::SaveSession(record) => {
                assert_ne!(record.state, SessionState::Opening, "nobody knows of it yet: {record:?}");
                let user = StateFile::User(record.uid);
                assert!(
                    self.kernel.user_files.contains_key(&record.uid) || !self.is_saved(&user),
                    "session before its user: {record:?}"
                );
            }
            Effect::OpenFifo(session) => {
                let file = StateFile::Session(session.clone());
                let on_file = self.kernel.session_files.get(session).is_some_and(|record| record.fifo);
                assert!(on_file || !self.is_saved(&file), "FIFO before it is on file: {session}");
            }
            Effect::RemoveUser(uid) => {
                let left = self.kernel.session_files.values().find(|record| record.uid == *uid);
                assert_eq!(left, None, "user {uid} goes before a session");
            }
            Effect::CreateScope { uid, session, .. } => {
                let file = StateFile::Session(session.clone());
                assert!(
                    self.kernel.session_files.contains_key(session) || !self.is_saved(&file),
                    "scope before its session: {session}"
                );
                let failed = matches!(self.model.users[uid].runtime, Runtime::Failed(_));
                assert!(
                    failed || self.has_directory(*uid) || self.crashes > 0,
                    "scope before directory: {session}"
                );
            }
            Effect::StartManager { account, .. } => {
                let user = &self.model.users[&account.uid];
                assert!(!user.terminated, "{} was terminated", account.uid);
                assert!(self.has_directory(account.uid), "manager of {} without directory", account.uid);
                assert_eq!(self.supervised.get(&account.uid), None, "second manager of {}", account.uid);
            }
            Effect::StopManager { uid, .. } | Effect::KillManager { uid, .. } => {
                self.check_promises_of_manager(*uid);
            }
            Effect::TearDownUser { uid, .. } => {
                assert_eq!(self.supervised.get(uid), None, "directory of {uid} goes before the manager");
                assert_eq!(self.model.users[uid].pinning, 0, "directory of {uid} goes before a session");
            }
            Effect::Reply { request, answer } => {
                assert!(self.unanswered.contains(request), "{request:?} is answered again: {answer:?}");
                self.check_answer(answer);
            }
            _ => {}
        }
    }

    fn check_answer(&self, answer: &Answer) {
        let Answer::Opened { reply, since, continues } = answer else { return };
        let Some(id) = reply.session.as_ref() else { return assert!(reply.existing && since.is_none()) };
        let uid = self.model.sessions.get(id).unwrap().uid();
        let on_file = self.kernel.session_files.get(id);
        let saved = self.is_saved(&StateFile::Session(id.clone()));
        assert!(on_file.is_some() || !saved, "a session is on file before anyone hears of it: {reply:?}");
        let times = |record: &SessionRecord| Now { monotonic: record.monotonic, realtime: record.realtime };
        assert!(
            on_file.is_none_or(|record| *since == Some(times(record))),
            "the next broker finds another time"
        );
        assert!(!(uid.is_root() && *continues), "root waits");
        if reply.runtime_path.is_some() {
            assert!(self.has_directory(uid), "a directory that is not there: {reply:?}");
        }
    }

    /// Whether there is a runtime directory, and it is not about to go.
    fn has_directory(&self, uid: Uid) -> bool {
        let going =
            |soon: &Soon| matches!(soon, Soon::Work(Effect::TearDownUser { uid: u, .. }) if *u == uid);
        let there = self.kernel.runtime_dirs.contains_key(&uid) || self.unmounted.contains(&uid);
        there && !self.soon.iter().any(going)
    }

    /// After every event.
    pub(super) fn check(&mut self) {
        let model = &self.model;
        assert!(
            model.touched_sessions.is_empty() && model.touched_users.is_empty() && model.to_answer.is_empty()
        );
        assert!(model.dirty_sessions.is_empty() && model.dirty_users.is_empty() && !model.dirty_seat);
        assert!(model.lookups.names().all(|name| model.lingering.contains_key(name)));
        for (name, _) in model.lingering.iter().filter(|(_, owner)| owner.is_none()) {
            assert!(model.lookups.contains(name), "nobody looks {name} up");
        }
        check_sessions(model);
        check_users(model);
        check_timers(model);
        check_seat(model);
        check_control(model);
        self.follower.check(model);
        self.check_promises();
        // Whoever has two names may have a flag under the other one, which is looked up when the user has gone.
        for uid in self.terminated.difference(&self.two_names) {
            assert!(model.users.get(uid).is_none_or(|user| user.terminated), "{uid} is back without a login");
        }
        let managers: Vec<Uid> = self
            .kernel
            .processes
            .values()
            .filter_map(|p| match p.place {
                Place::Manager(uid) => Some(uid),
                _ => None,
            })
            .collect();
        assert_eq!(
            managers.len(),
            managers.iter().collect::<BTreeSet<_>>().len(),
            "two managers: {managers:?}"
        );
    }

    /// When nothing is under way.
    pub(super) fn check_settled(&mut self) {
        let model = &self.model;
        self.check_files();
        self.check_linger();
        for name in model.lookups.names() {
            assert!(
                model.timers.contains(&Timer::LingerRetry(name.clone())),
                "{name} is not looked up again"
            );
        }
        for (uid, user) in &model.users {
            assert!(
                !user.tearing_down && user.runtime != Runtime::Creating,
                "nothing is under way for {uid}"
            );
            assert!(user.queued.is_empty(), "{uid} has its directory");
            assert!(
                user.is_kept() || user.pinning > 0 || user.manager != Manager::Off,
                "nothing keeps {uid}"
            );
            assert_eq!(user.has_runtime_dir(), matches!(user.runtime, Runtime::Present(_)));
            assert!(!user.is_kept() || user.runtime != Runtime::Absent, "{uid} is kept without a directory");
        }
        for id in self.kernel.runtime_dirs.keys().filter(|_| !self.littered) {
            assert!(model.users.contains_key(id), "a directory is left of {id}");
        }
        for (uid, user) in model.users.iter().filter(|(_, user)| user.has_runtime_dir()) {
            let there = self.kernel.runtime_dirs.get(uid);
            assert!(
                there == user.made.as_ref() || self.unmounted.contains(uid),
                "{uid} has no directory: {there:?}"
            );
        }
        for (uid, id) in self.kernel.scopes.iter().filter(|_| !self.littered) {
            assert!(
                model.sessions.get(id).is_some_and(|s| s.scope != Scope::None),
                "a cgroup is left of {uid}: {id}"
            );
        }
        for (id, session) in model.sessions.iter() {
            let watched = session.leader.filter(|_| !session.released);
            // After a restart that of a session which has been handed back is watched, too.
            assert!(session.released || self.leaders.get(id).copied() == watched, "leader of {id}");
            let found = watched.and_then(|leader| model.session_led_by(leader));
            assert!(watched.is_none() || found.as_ref() == Some(id), "nobody finds {id} by its leader");
            let failing = model.timers.contains(&Timer::ScopeRetry(id.clone()));
            assert!(
                !session.someone_leaves || session.scope == Scope::None || failing,
                "somebody waits to leave {id}"
            );
            let left = self.kernel.those_in(&Place::Scope(session.uid(), id.clone()));
            assert!(watched.is_some() || !left.is_empty() || failing, "{id} outlives its processes");
            assert!(session.cgroup == CgroupUse::Create || left.is_empty(), "{id} has a cgroup after all");
        }
        for (uid, user) in &model.users {
            assert_eq!(
                self.supervised.get(uid).map(|(_, main)| *main),
                user.manager.main(),
                "manager of {uid}"
            );
        }
        assert!(!model.seat0.has_vts || model.seat0.foreground == self.kernel.foreground, "another terminal");
        for session in self.kernel.fifos.keys().filter(|_| !self.littered) {
            assert!(model.sessions.get(session).is_some_and(|s| s.fifo), "a FIFO is left of {session}");
        }
        for (id, _) in model.sessions.iter().filter(|(_, session)| session.fifo) {
            let held = self.kernel.fifos.get(id) == Some(&true) && self.fifos_read.contains(id);
            assert!(held, "{id} goes on without its FIFO");
        }
        let waiting: BTreeSet<_> = model.sessions.values().filter_map(|s| Some(s.waiting?.request)).collect();
        assert_eq!(self.unanswered, waiting, "requests without an answer");
    }

    /// The flags are as they were acknowledged, and whoever has one lingers.
    fn check_linger(&self) {
        let model = &self.model;
        let flags: BTreeSet<_> = model.lingering.keys().cloned().collect();
        assert!(self.flags_touched || flags == self.kernel.linger_flags, "linger flags");
        let looked_up_again = |name: &UserName| model.timers.contains(&Timer::LingerRetry(name.clone()));
        assert!(model.lookups.names().all(looked_up_again), "{:?}", model.lookups);
        let has_flag = |name: &UserName| flags.contains(name) && !model.lookups.contains(name);
        for (uid, user) in &model.users {
            let flagged = model.lingering.values().any(|owner| *owner == Some(*uid));
            assert!(!user.linger || flagged, "{uid} lingers without a flag");
            let lost = has_flag(&user.account.name) && !user.linger && !self.ended.contains(uid);
            assert!(!lost || self.two_names.contains(uid), "{uid} has a flag, but does not linger");
        }
        for uid in self.kernel.accounts.values().map(|account| account.uid) {
            let gone = has_flag(&name(uid)) && !model.users.contains_key(&uid);
            let for_good = self.ended.contains(&uid) || self.two_names.contains(&uid);
            assert!(!gone || for_good, "{uid} has a flag, but is not there");
        }
    }

    /// When everybody has gone and everything has had its time.
    pub(crate) fn check_nothing_left(&mut self) {
        let model = &self.model;
        assert!(model.lingering.is_empty() && self.kernel.linger_flags.is_empty(), "{model:#?}");
        self.check_nothing_left_but_flags();
        let found = self.kernel.found(self.settings.cgroups);
        let again = Model::restore(self.settings.clone(), found, self.now).0;
        assert!(again.sessions.is_empty() && again.users.is_empty());
    }

    pub(crate) fn check_nothing_left_but_flags(&self) {
        let model = &self.model;
        assert_eq!(model.next_deadline(), None);
        assert!(
            model.sessions.is_empty() && model.users.is_empty() && model.leaders.is_empty(),
            "{model:#?}"
        );
        assert!(model.lookups.names().next().is_none(), "{model:#?}");
        assert_eq!(model.seat_record().sessions, []);
        assert_eq!((&model.seat0.chosen, model.seat0.told.as_ref()), (&None, None));
        assert!(model.controllers.is_empty() && self.fifos_read.is_empty());
        assert!(self.littered || self.kernel.fifos.is_empty(), "{:?}", self.kernel.fifos);
        let kernel = &self.kernel;
        assert!(kernel.session_files.is_empty() && kernel.user_files.is_empty(), "{kernel:#?}");
        assert!(self.littered || (kernel.scopes.is_empty() && kernel.runtime_dirs.is_empty()), "{kernel:#?}");
        let home = |process: &super::kernel::Process| process.place == Place::Elsewhere;
        assert!(self.littered || kernel.processes.values().all(home), "{kernel:#?}");
        assert!(self.leaders.is_empty() && self.supervised.is_empty() && self.unanswered.is_empty());
    }
}

fn check_sessions(model: &Model) {
    for (id, session) in model.sessions.iter() {
        let user = model.users.get(&session.uid()).expect("a session has a user");
        assert_eq!((&session.id, user.sessions.get(&session.seq)), (id, Some(id)));
        assert!(!session.may_gc(), "{id} is over");
        assert!(session.phase != Phase::Placing || session.scope == Scope::Making, "{session:?}");
        assert!(!session.is_closing() || session.waiting.is_none(), "{session:?}");
        assert!(session.phase != Phase::Queued || user.queued.contains(id), "{session:?}");
        let waits = session.waiting.is_some() && session.phase == Phase::Running;
        assert!(!(waits && session.uid().is_root()), "root waits");
        assert_eq!(model.timers.contains(&Timer::ReadyWait(id.clone())), waits, "{session:?}");
        let can_wait = user.manager.state();
        // The next manager is started once the directory is there again.
        let soon = user.runtime == Runtime::Creating;
        assert!(!waits || soon || !matches!(can_wait, ManagerState::None), "{session:?}");
        let on_seat = model.seat0.sessions().any(|other| other == id);
        assert_eq!(session.seat.is_some(), on_seat, "{session:?}");
    }
    for (leader, id) in &model.leaders {
        let session = model.sessions.get(id).expect("a leader has a session");
        assert!(session.leader == Some(*leader) && !session.released, "{session:?}");
    }
    let seated: Vec<&SessionId> = model.seat0.sessions().collect();
    assert!(seated.iter().all(|id| model.sessions.contains_key(id)), "{seated:?}");
}

fn check_seat(model: &Model) {
    let seated: Vec<_> = model.seat_sessions().collect();
    let active: Vec<_> = seated.iter().filter(|session| model.is_active(session)).map(|s| &s.id).collect();
    assert_eq!(active, model.active_on_seat().map(|session| &session.id).into_iter().collect::<Vec<_>>());
    assert!(model.seat0.chosen.is_none() || !model.seat0.has_vts);
    assert!(model.seat0.chosen.as_ref().is_none_or(|id| seated.iter().any(|session| session.id == *id)));
    let mut positions = BTreeSet::new();
    for session in model.sessions.values() {
        let has_one = session.seat.is_some() && !session.is_closing() && !model.seat0.has_vts;
        assert_eq!(has_one, session.position > 0, "{session:?}");
        assert!(!has_one || positions.insert(session.position), "two are there: {session:?}");
    }
}

fn check_control(model: &Model) {
    let mut controlled = 0;
    for (id, session) in model.sessions.iter() {
        assert!(!(session.is_closing() && (session.fifo || session.signed_off)), "{session:?}");
        assert_eq!(model.timers.contains(&Timer::Release(id.clone())), session.signed_off, "{session:?}");
        let changed = session.params.kind != session.original_kind;
        assert!(!changed || session.controller.is_some(), "{session:?}");
        if let Some(controller) = &session.controller {
            controlled += 1;
            assert!(model.controllers[controller].contains(id), "{session:?}");
        }
    }
    assert_eq!(model.controllers.values().map(BTreeSet::len).sum::<usize>(), controlled);
    assert!(model.controllers.values().all(|sessions| !sessions.is_empty()));
}

fn check_users(model: &Model) {
    for (uid, user) in &model.users {
        let sessions: Vec<_> = user.sessions.values().map(|id| model.sessions.get(id).unwrap()).collect();
        let pinning = sessions.iter().filter(|s| s.params.class.pins_user()).count();
        assert_eq!(user.pinning, pinning, "{user:?}");
        let wanting = sessions.iter().filter(|s| s.wants_manager() && !s.is_closing()).count();
        assert_eq!(user.wanting_manager, wanting, "{user:?}");
        let keeping = sessions.iter().filter(|s| s.keeps_manager()).count();
        assert_eq!(user.keeping_manager, keeping, "{user:?}");
        let idle = user.manager_grace == Grace::None || (user.pinning > 0 && keeping == 0);
        assert!(idle, "a manager that is kept has no delay: {user:?}");
        assert!(user.keeps_manager() || !user.manager.is_ready(), "nobody keeps the manager: {user:?}");
        assert!(user.pinning == 0 || (user.grace == Grace::None && user.last_session.is_none()), "{user:?}");
        assert_eq!(model.timers.contains(&Timer::UserStop(*uid)), user.grace == Grace::Running, "{user:?}");
        assert!(user.tearing_down || user.stopping != user.is_kept(), "{user:?}");
        if user.is_kept() && user.has_runtime_dir() && (user.linger || wanting > 0) {
            assert!(
                user.manager != Manager::Off || !model.settings.manager || user.unmanaged,
                "{uid} has no manager: {user:?}"
            );
        }
        let has_an_end = match user.manager {
            Manager::Starting { .. } => model.settings.manager_start_timeout != u64::MAX,
            Manager::Backoff { .. } => true,
            _ => false,
        };
        assert!(!has_an_end || model.timers.contains(&Timer::Manager(*uid)), "for ever: {user:?}");
        let candidate = sessions.iter().any(|s| is_on_display(s) && s.params.class.display_candidate());
        assert_eq!(user.display.is_some(), candidate, "{user:?}");
        let display = user.display.as_ref().map(|id| model.sessions.get(id).unwrap());
        assert!(display.is_none_or(|s| s.uid() == *uid && is_on_display(s)), "{user:?}");
    }
}

/// From the moment it is on file until it closes.
fn is_on_display(session: &Session) -> bool {
    matches!(session.phase, Phase::Placing | Phase::Running)
}

fn check_timers(model: &Model) {
    for timer in model.timers.armed() {
        let belongs = match timer {
            Timer::UserStop(uid) => model.users.contains_key(uid),
            Timer::ManagerIdle(uid) => {
                model.users.get(uid).is_some_and(|user| user.manager_grace == Grace::Running)
            }
            Timer::Manager(uid) => matches!(
                model.users.get(uid).map(|user| &user.manager),
                Some(Manager::Starting { .. } | Manager::Stopping { .. } | Manager::Backoff { .. })
            ),
            Timer::ReadyWait(id) => model.sessions.contains_key(id),
            Timer::Release(id) => model.sessions.get(id).is_some_and(|s| s.signed_off && !s.is_closing()),
            Timer::ScopeKill(id) => model.sessions.get(id).is_some_and(|s| s.told_to_go),
            Timer::ScopeRetry(id) => model.sessions.contains_key(id),
            Timer::SaveRetry => !model.unsaved.is_empty(),
            Timer::LingerRetry(name) => model.lookups.contains(name),
        };
        assert!(belongs, "{timer:?} is nobody's");
    }
}
