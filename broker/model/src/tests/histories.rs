//! Random histories: whatever happens in whatever order, what always holds holds (see `world/check.rs`). More of them:
//! `PROPTEST_CASES=100000 cargo test --release -p usher-model histories`.

use proptest::prelude::*;
use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{KillWhom, SessionClass, SessionState};

use super::world::{Failures, Kernel, Login, Place, Temper, World, account, name, uid};
use crate::event::Event;
use crate::settings::{SECOND, Settings};

/// Something that happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Open {
        user: u8,
        class: SessionClass,
        vt: Option<u32>,
        more: bool,
    },
    /// By a process that is there: su, a retry, a second session of one that has closed its first.
    OpenBy {
        process: u8,
        user: u8,
        retry: bool,
    },
    Close {
        session: u8,
        by: u8,
    },
    Exit {
        process: u8,
    },
    Fork {
        session: u8,
        stubborn: bool,
    },
    Linger {
        user: u8,
        flag: bool,
    },
    TerminateSession {
        session: u8,
    },
    TerminateUser {
        user: u8,
    },
    Kill {
        session: u8,
        whom: KillWhom,
        signal: i32,
    },
    KillUser {
        user: u8,
        signal: i32,
    },
    Vt {
        number: u8,
    },
    Temper(Temper),
    Fail(Failures),
    NameService {
        down: bool,
    },
    Reload {
        delay: Option<u64>,
        kill: bool,
    },
    /// Some of what is under way happens.
    Go {
        choices: Vec<u8>,
    },
    Settle,
    /// The next deadline passes.
    Deadline,
    Wait {
        time: u64,
    },
    Crash,
    /// A crash that many effects from now.
    CrashAfter {
        effects: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let user = || prop_oneof![6 => Just(1_u8), 2 => Just(2), 1 => Just(0)];
    let class = prop_oneof![
        6 => Just(SessionClass::User),
        1 => Just(SessionClass::Greeter),
        1 => Just(SessionClass::Background),
        2 => Just(SessionClass::BackgroundLight),
        2 => Just(SessionClass::Manager),
    ];
    let vt = prop_oneof![3 => Just(None), 1 => (1..3_u32).prop_map(Some)];
    let temper = prop::sample::select(vec![
        Temper::Good,
        Temper::Good,
        Temper::Slow,
        Temper::Stubborn,
        Temper::Hung,
        Temper::Dying,
        Temper::Missing,
    ]);
    let failures = prop_oneof![
        3 => Just(Failures::default()),
        1 => Just(Failures { scope: true, ..Failures::default() }),
        1 => Just(Failures { runtime_dir: true, ..Failures::default() }),
        1 => Just(Failures { reap: true, ..Failures::default() }),
        1 => Just(Failures { teardown: true, ..Failures::default() }),
        1 => Just(Failures { linger: true, ..Failures::default() }),
        1 => Just(Failures { leader_watch: true, ..Failures::default() }),
    ];
    let delay = prop::sample::select(vec![Some(10 * SECOND), Some(0), None, Some(3 * SECOND)]);
    let whom = prop::sample::select(vec![KillWhom::All, KillWhom::Leader]);
    prop_oneof![
        8 => (user(), class, vt, any::<bool>()).prop_map(|(user, class, vt, more)| Step::Open { user, class, vt, more }),
        3 => (any::<u8>(), user(), any::<bool>()).prop_map(|(process, user, retry)| Step::OpenBy { process, user, retry }),
        5 => (any::<u8>(), 0..3_u8).prop_map(|(session, by)| Step::Close { session, by }),
        6 => any::<u8>().prop_map(|process| Step::Exit { process }),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(session, stubborn)| Step::Fork { session, stubborn }),
        3 => (user(), any::<bool>()).prop_map(|(user, flag)| Step::Linger { user, flag }),
        2 => any::<u8>().prop_map(|session| Step::TerminateSession { session }),
        2 => user().prop_map(|user| Step::TerminateUser { user }),
        1 => (any::<u8>(), whom, prop::sample::select(vec![1, 9, 15]))
            .prop_map(|(session, whom, signal)| Step::Kill { session, whom, signal }),
        1 => (user(), prop::sample::select(vec![9, 15])).prop_map(|(user, signal)| Step::KillUser { user, signal }),
        1 => (0..3_u8).prop_map(|number| Step::Vt { number }),
        2 => temper.prop_map(Step::Temper),
        2 => failures.prop_map(Step::Fail),
        1 => any::<bool>().prop_map(|down| Step::NameService { down }),
        1 => (delay, any::<bool>()).prop_map(|(delay, kill)| Step::Reload { delay, kill }),
        6 => prop::collection::vec(any::<u8>(), 1..4).prop_map(|choices| Step::Go { choices }),
        4 => Just(Step::Settle),
        4 => Just(Step::Deadline),
        2 => (0..120 * SECOND).prop_map(|time| Step::Wait { time }),
        1 => Just(Step::Crash),
        3 => (0..8_u8).prop_map(|effects| Step::CrashAfter { effects }),
    ]
}

fn user(number: u8) -> Uid {
    uid(if number == 0 { 0 } else { 1000 + u32::from(number) })
}

impl World {
    fn happens(&mut self, step: Step) {
        match step {
            Step::Open { user: number, class, vt, more } => {
                let mut login = Login::of(user(number)).class(class);
                if let Some(vt) = vt {
                    login = login.on_vt(vt);
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
                self.open(login.by(leader));
            }
            Step::Close { session, by } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    self.send(Event::Close { request, caller: user(by), session });
                }
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
            Step::Linger { user: number, flag } => {
                let account = account(user(number));
                self.kernel.accounts.insert(account.name.clone(), account.clone());
                let request = self.request();
                self.send(Event::SetLinger { request, caller: Uid::ROOT, account, linger: flag });
            }
            Step::TerminateSession { session } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    self.send(Event::TerminateSession { request, caller: Uid::ROOT, session });
                }
            }
            Step::TerminateUser { user: number } => {
                let (uid, request, crashes) = (user(number), self.request(), self.crashes);
                let known = self.model.user(uid).is_some();
                self.send(Event::TerminateUser { request, caller: Uid::ROOT, uid });
                if known && self.crashes == crashes {
                    self.terminated.insert(uid);
                }
            }
            Step::Kill { session, whom, signal } => {
                if let Some(session) = pick(&self.session_ids(), session).cloned() {
                    let request = self.request();
                    self.send(Event::KillSession { request, caller: Uid::ROOT, session, whom, signal });
                }
            }
            Step::KillUser { user: number, signal } => {
                let request = self.request();
                self.send(Event::KillUser { request, caller: Uid::ROOT, uid: user(number), signal });
            }
            Step::Vt { number } => {
                self.kernel.foreground = u32::from(number).try_into().ok();
                self.send(Event::VtChanged { foreground: self.kernel.foreground });
            }
            Step::Temper(temper) => self.temper = temper,
            Step::Fail(failures) => {
                self.failures = failures;
                // A file system that refuses to go leaves something behind, and that is all that can be said of it.
                self.littered |= failures.teardown;
            }
            Step::NameService { down } => self.kernel.name_service_down = down,
            Step::Reload { delay, kill } => {
                self.settings.user_stop_delay = delay;
                self.settings.kill_user_processes = kill;
                self.send(Event::Reloaded(Box::new(self.settings.clone())));
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
            Step::Wait { time } => self.wait(time),
            Step::Crash => {
                let before = self.soon.is_empty().then(|| self.what_stays());
                self.crash();
                if let Some((sessions, managers)) = before {
                    let (sessions_now, managers_now) = self.what_stays();
                    assert_eq!(sessions_now, sessions, "sessions after the restart");
                    // One that was given up gets a new attempt.
                    let kept = managers.iter().all(|manager| managers_now.contains(manager));
                    assert!(kept, "managers before {managers:?} and after {managers_now:?}");
                }
            }
            Step::CrashAfter { effects } => self.dies_after = Some(effects.into()),
        }
    }

    /// Sessions that keep their users, and managers.
    fn what_stays(&self) -> (Vec<SessionId>, Vec<(Uid, u32)>) {
        let mut sessions = self.model.sessions();
        sessions.retain(|session| session.state != SessionState::Closing && session.class.pins_user());
        let users = self.model.users();
        let managers = users.into_iter().filter_map(|user| Some((user.uid, user.manager_pid?)));
        (sessions.into_iter().map(|session| session.id).collect(), managers.collect())
    }

    fn session_ids(&self) -> Vec<SessionId> {
        self.model.sessions().into_iter().map(|session| session.id).collect()
    }

    /// Everybody goes, nothing fails any more, and everything gets its time.
    fn ends(&mut self) {
        self.failures = Failures::default();
        self.temper = Temper::Good;
        self.kernel.name_service_down = false;
        self.dies_after = None;
        self.settings.user_stop_delay = Some(10 * SECOND);
        self.send(Event::Reloaded(Box::new(self.settings.clone())));
        self.settle();
        for flagged in self.kernel.linger_flags.clone() {
            let account = self.kernel.accounts[&flagged].clone();
            let request = self.request();
            self.send(Event::SetLinger { request, caller: Uid::ROOT, account, linger: false });
        }
        self.settle();
        for process in self.kernel.those_where(|place| !matches!(place, Place::Manager(_))) {
            self.exit(process);
        }
        self.drive();
        self.check_nothing_left();
    }
}

fn pick<T>(from: &[T], choice: u8) -> Option<&T> {
    from.get(usize::from(choice) % from.len().max(1))
}

/// What kind of machine it is.
#[derive(Debug, Clone, Copy)]
struct Machine {
    lingering: bool,
    cgroups: bool,
    managers: bool,
    vts: bool,
}

fn machine() -> impl Strategy<Value = Machine> {
    let usually = || prop::bool::weighted(0.9);
    (any::<bool>(), usually(), usually(), usually()).prop_map(|(lingering, cgroups, managers, vts)| Machine {
        lingering,
        cgroups,
        managers,
        vts,
    })
}

fn lives(machine: Machine, delayed: bool, steps: Vec<Step>) {
    let foreground = 1.try_into().ok().filter(|_| machine.vts);
    let mut kernel = Kernel { has_vts: machine.vts, foreground, ..Kernel::default() };
    if machine.lingering {
        let uid = user(1);
        kernel.linger_flags.insert(name(uid));
        kernel.accounts.insert(name(uid), account(uid));
    }
    let settings = Settings { cgroups: machine.cgroups, manager: machine.managers, ..Settings::default() };
    let mut world = World::booted(settings, kernel);
    world.delayed = delayed;
    for step in steps {
        world.happens(step);
    }
    world.ends();
}

/// The rarest bugs so far took tens of thousands of histories to show; these few take seconds, every time.
fn config() -> ProptestConfig {
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 1500 };
    // What fails becomes a scenario, not a seed.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// As the real edges do it: what is known at once comes back at once.
    #[test]
    fn results_at_once(machine in machine(), steps in prop::collection::vec(step(), 1..60)) {
        lives(machine, false, steps);
    }

    /// The model is right even where every result takes its time.
    #[test]
    fn results_later(machine in machine(), steps in prop::collection::vec(step(), 1..60)) {
        lives(machine, true, steps);
    }
}
