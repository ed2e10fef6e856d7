//! What each step does to the world.

use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{SessionClass, SessionType};

use super::{Conf, SERVICES, Step, services, user};
use crate::event::{Account, Event, Generation};
use crate::policy::Authority;
use crate::service::Services;
use crate::session::Session;
use crate::settings::{SECOND, Settings};
use crate::tests::world::{Failures, Login, Place, Temper, World, account, name, other_name};

impl World {
    pub(crate) fn happens(&mut self, step: Step) {
        match step {
            Step::Open { user: number, other_name, class, vt, more } => {
                let mut login = Login::of(user(number)).class(class);
                if number == 2 {
                    // The second of the two people comes in every way.
                    login = login.service(SERVICES[self.requests_made() % SERVICES.len()]);
                }
                if other_name {
                    login = login.under_other_name();
                }
                if let Some(vt) = vt {
                    login = login.on_vt(vt);
                    if vt == 2 {
                        login.open.params.kind = SessionType::Wayland;
                    }
                }
                login.open.more = more;
                self.open(login);
            }
            Step::OpenBy { process, user: number, retry } => {
                let Some(leader) = pick(&self.kernel.those_where(|_| true), process).copied() else { return };
                let mut login = match self.kernel.place_of(leader) {
                    Some(Place::Manager(uid)) => Login::of(*uid).class(SessionClass::Manager),
                    _ => Login::of(user(number)),
                };
                login.open.params.retry = retry;
                if number == 2 {
                    login = login.service("new");
                }
                self.open(login.by(leader));
            }
            Step::Close { session, by } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    let authority = Authority::Caller(user(by));
                    self.send(Event::Close { request, authority, session, closer: None });
                }
            }
            Step::CloseFrom { session, process, token } => {
                let closer = pick(&self.kernel.those_where(|_| true), process).copied();
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    let authority = if token { Authority::Token } else { Authority::Caller(Uid::ROOT) };
                    self.send(Event::Close { request, authority, session, closer });
                }
            }
            Step::CloseByNumber { session } => {
                let request = self.request();
                let (authority, session) = (Authority::Caller(Uid::ROOT), u64::from(session % 16).into());
                self.send(Event::Close { request, authority, session, closer: None });
            }
            Step::Exit { process } => {
                if let Some(process) = pick(&self.kernel.those_where(|_| true), process) {
                    self.exit(*process);
                }
            }
            Step::Fork { session, stubborn } => {
                let scopes: Vec<_> = self.kernel.scopes.iter().cloned().collect();
                if let Some((uid, session)) = pick(&scopes, session) {
                    let place = Place::Scope(*uid, session.clone());
                    // Processes come from processes.
                    if !self.kernel.those_in(&place).is_empty() {
                        self.kernel.spawn(place, stubborn);
                    }
                }
            }
            Step::Linger { user: number, other_name, flag } => {
                let account = account_of(number, other_name);
                self.has_account(account.clone());
                let request = self.request();
                self.send(Event::SetLinger {
                    request,
                    authority: Authority::Caller(Uid::ROOT),
                    account,
                    linger: flag,
                });
            }
            Step::FlagFile { user: number, there } => {
                let flag = name(user(number));
                let flags = &mut self.kernel.linger_flags;
                self.flags_touched |= if there { flags.insert(flag) } else { flags.remove(&flag) };
            }
            Step::Account { user: number, there } => {
                let account = account_of(number, false);
                if there {
                    self.has_account(account);
                } else {
                    self.kernel.accounts.remove(&account.name);
                }
            }
            Step::TerminateSession { session } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    self.send(Event::TerminateSession {
                        request,
                        authority: Authority::Caller(Uid::ROOT),
                        session,
                    });
                }
            }
            Step::TerminateUser { user: number } => {
                let (uid, request, crashes) = (user(number), self.request(), self.crashes);
                let known = self.model.user(uid).is_some();
                self.send(Event::TerminateUser { request, authority: Authority::Caller(Uid::ROOT), uid });
                if known && self.crashes == crashes {
                    self.is_terminated(uid);
                }
            }
            Step::Kill { session, whom, signal } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    self.send(Event::KillSession {
                        request,
                        authority: Authority::Caller(Uid::ROOT),
                        session,
                        whom,
                        signal,
                    });
                }
            }
            Step::KillUser { user: number, signal } => {
                let request = self.request();
                self.send(Event::KillUser {
                    request,
                    authority: Authority::Caller(Uid::ROOT),
                    uid: user(number),
                    signal,
                });
            }
            Step::Vt { number } => {
                self.kernel.foreground = u32::from(number).try_into().ok();
                self.send(Event::VtChanged { foreground: self.kernel.foreground });
            }
            Step::LetGo { fifo } => {
                let fifos: Vec<_> = self.kernel.fifos.keys().cloned().collect();
                if let Some(session) = pick(&fifos, fifo) {
                    self.let_go_of_fifo(session);
                }
            }
            Step::Release { .. }
            | Step::Fifo { .. }
            | Step::TerminateSeat { .. }
            | Step::Activate { .. }
            | Step::Switch { .. }
            | Step::Lock { .. }
            | Step::IdleHint { .. }
            | Step::LockedHint { .. }
            | Step::Complete { .. }
            | Step::TakeControl { .. }
            | Step::ReleaseControl { .. }
            | Step::ProgramGone { .. }
            | Step::SetType { .. }
            | Step::SetDisplay { .. }
            | Step::SetTty { .. } => self.is_asked(step),
            Step::Temper(temper) => self.temper = temper,
            Step::Fail(failures) => {
                self.failures = failures;
                // A file system that refuses to go leaves something behind, and that is all that can be said of it.
                self.littered |= failures.teardown;
            }
            Step::NameService { down } => self.kernel.name_service_down = down,
            Step::Unmount { user: number } => self.unmount(user(number)),
            Step::Homes { missing, waited_for } => {
                self.homes(missing);
                self.settings.linger_needs_home = waited_for;
                self.send(Event::Reloaded(Box::new(self.settings.clone())));
            }
            Step::Reload(conf) => self.reload(conf),
            Step::SaysReady { user: number, earlier } => {
                let uid = user(number);
                // Its start is known before it can say anything.
                let run = self.model.users.get(&uid).and_then(|user| user.manager.run());
                if let Some(run) = run.filter(|run| run.main.is_some()) {
                    let generation = Generation(run.generation.0 - u64::from(earlier));
                    self.send(Event::ManagerReady { uid, generation });
                }
            }
            Step::SaysEmpty { session } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    self.send(Event::ScopeEmptied { session });
                }
            }
            Step::Go { choices } => {
                for choice in choices {
                    self.step_at(choice.into());
                }
            }
            Step::Settle => self.settle(),
            Step::Deadline => {
                if let Some(deadline) = self.model.next_deadline() {
                    self.jump(deadline);
                    self.send(Event::Tick);
                }
            }
            Step::Tick => self.send(Event::Tick),
            Step::Wait { time } => self.wait(time),
            Step::Crash => self.crash_and_compare(),
            Step::CrashAfter { effects } => self.dies_after = Some(effects.into()),
            Step::CrashTwice { effects } => {
                self.dies_again_after = Some(effects.into());
                self.crash();
            }
            Step::CrashAndCgroups { usable } => {
                // Cgroups that cannot be removed stay.
                self.littered |= !usable;
                self.settings.cgroups = usable;
                self.crash();
            }
            Step::CrashWithoutIds => {
                self.lose_ids();
                self.crash();
            }
        }
    }

    fn reload(&mut self, conf: Conf) {
        let Conf { delay, kill, lists, manager, few, impatient } = conf;
        let usual = Settings::default();
        let no_longer_than = |time: u64| if impatient { time.min(SECOND) } else { time };
        let one = |number| vec![name(user(number)).to_string()];
        self.settings = Settings {
            user_stop_delay: delay,
            kill_user_processes: kill,
            kill_only_users: if lists { one(1) } else { vec![] },
            kill_exclude_users: lists.then(|| one(2)),
            manager,
            sessions_max: if few { 3 } else { usual.sessions_max },
            user_sessions_max: if few { 2 } else { usual.user_sessions_max },
            manager_ready_wait: if impatient { 0 } else { usual.manager_ready_wait },
            manager_start_timeout: no_longer_than(usual.manager_start_timeout),
            manager_stop_timeout: no_longer_than(usual.manager_stop_timeout),
            scope_stop_timeout: no_longer_than(usual.scope_stop_timeout),
            cgroups: self.settings.cgroups,
            services: if lists { Services::default() } else { services() },
            linger_needs_home: self.settings.linger_needs_home,
            ..usual
        };
        self.send(Event::Reloaded(Box::new(self.settings.clone())));
    }

    /// A stop delay of zero.
    pub(crate) fn keeps_nobody_after_logout(&mut self) {
        let usual = Conf {
            delay: Some(0),
            kill: false,
            lists: false,
            manager: self.settings.manager,
            few: false,
            impatient: false,
        };
        self.reload(usual);
    }

    fn crash_and_compare(&mut self) {
        let before = (self.soon.is_empty() && self.all_is_saved()).then(|| self.what_stays());
        self.crash();
        if let Some((sessions, managers)) = before {
            let (sessions_now, managers_now) = self.what_stays();
            assert_eq!(sessions_now, sessions, "sessions after the restart");
            // One that was given up gets a new attempt.
            let kept = managers.iter().all(|manager| managers_now.contains(manager));
            assert!(kept, "managers before {managers:?} and after {managers_now:?}");
        }
    }

    /// Sessions that keep their users, and managers.
    fn what_stays(&self) -> (Vec<SessionId>, Vec<(Uid, u32)>) {
        let stays = |session: &&Session| !session.is_closing() && session.params.class.pins_user();
        let sessions = self.model.sessions.values().filter(stays);
        let users = self.model.users();
        let managers = users.into_iter().filter_map(|user| Some((user.uid, user.manager_pid?)));
        (sessions.map(|session| session.id.clone()).collect(), managers.collect())
    }

    pub(super) fn session_ids(&self) -> Vec<SessionId> {
        self.model.sessions().into_iter().map(|session| session.id).collect()
    }

    /// Everybody goes, nothing fails any more, and everything gets its time.
    pub(crate) fn ends(&mut self) {
        self.failures = Failures::default();
        self.temper = Temper::Good;
        self.kernel.name_service_down = false;
        self.homes(false);
        (self.dies_after, self.dies_again_after) = (None, None);
        let delay = Some(10 * SECOND);
        self.reload(Conf { delay, kill: false, lists: false, manager: true, few: false, impatient: false });
        self.settle();
        // The flags of those who were deleted, too: an administrator clears them by name.
        for account in (0..5).flat_map(|number| [account_of(number, false), account_of(number, true)]) {
            if self.kernel.linger_flags.contains(&account.name)
                || self.model.lingering.contains_key(&account.name)
            {
                let request = self.request();
                self.send(Event::SetLinger {
                    request,
                    authority: Authority::Caller(Uid::ROOT),
                    account,
                    linger: false,
                });
            }
        }
        self.settle();
        for process in self.kernel.those_where(|place| !matches!(place, Place::Manager(_))) {
            self.exit(process);
        }
        // A manager whose user could not be put on file by a broker that died is nobody's.
        for process in self.kernel.those_where(|place| matches!(place, Place::Manager(_))) {
            if self.littered && !self.is_supervised(process) {
                self.exit(process);
            }
        }
        self.drive();
        self.check_nothing_left();
    }
}

fn account_of(number: u8, other: bool) -> Account {
    let account = account(user(number));
    if other { Account { name: other_name(account.uid), ..account } } else { account }
}

pub(super) fn pick<T>(from: &[T], choice: u8) -> Option<&T> {
    from.get(usize::from(choice) % from.len().max(1))
}
