//! The model, a kernel that does what it is told, and a clock that only moves when told to.

mod act;
mod check;
mod follower;
mod kernel;
mod login;
mod promises;
mod state_files;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use crate::effect::{Answer, Effect};
use crate::event::{Event, Generation, Now, RequestId, StateFile};
use crate::model::Model;
use crate::settings::{SECOND, Settings};

pub(crate) use act::{Failures, Temper};
use follower::Follower;
pub(crate) use kernel::{Kernel, Place, Process};
pub(crate) use login::{Login, Sent, account, name, other_name, uid};
use promises::Promise;

/// What is going to happen, soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Soon {
    /// The broker hears of something. Lost in a crash.
    News(Event),
    /// Something the broker has asked for, which takes time, is done. Done or not in a crash.
    Work(Effect),
    /// A process ends, whatever the broker does.
    Exit(LeaderPid),
}

/// The model and everything around it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) kernel: Kernel,
    pub(crate) settings: Settings,
    pub(crate) now: Now,
    /// In the order in which it was set going.
    pub(crate) soon: VecDeque<Soon>,
    /// Results that a real edge knows at once come later, too.
    pub(crate) delayed: bool,
    pub(crate) failures: Failures,
    pub(crate) temper: Temper,
    /// The broker dies after that many more effects.
    pub(crate) dies_after: Option<usize>,
    /// And the one that is started then, after that many of its own.
    pub(crate) dies_again_after: Option<usize>,
    pub(crate) crashes: usize,
    /// How many effects have been done, announcements not counted.
    pub(crate) effects: usize,
    /// How many the newest broker has begun with.
    pub(crate) effects_of_start: usize,
    /// Every effect but announcements, in a few words.
    pub(crate) log: Vec<String>,
    pub(crate) news: Vec<String>,
    pub(crate) answers: BTreeMap<RequestId, Vec<Answer>>,
    /// Requests that wait for their last answer.
    pub(crate) unanswered: BTreeSet<RequestId>,
    /// Requests whose answer was lost with a broker.
    pub(crate) orphaned: BTreeSet<RequestId>,
    next_request: u64,
    arriving: BTreeMap<RequestId, LeaderPid>,
    leaders: BTreeMap<SessionId, LeaderPid>,
    watched: BTreeSet<(Uid, SessionId)>,
    mounts_watched: bool,
    supervised: BTreeMap<Uid, (Generation, LeaderPid)>,
    ids_given: BTreeSet<SessionId>,
    /// FIFOs whose reading ends the broker has.
    fifos_read: BTreeSet<SessionId>,
    follower: Follower,
    /// Files whose last writing has failed.
    unsaved: BTreeSet<StateFile>,
    /// What logins have been told.
    promises: BTreeMap<SessionId, Promise>,
    pub(crate) terminated: BTreeSet<Uid>,
    /// Whose runtime directory somebody has unmounted, and nobody has noticed.
    pub(crate) unmounted: BTreeSet<Uid>,
    /// Those of them who have not logged in since: a flag does not count, though a manager's session may be there.
    pub(crate) ended: BTreeSet<Uid>,
    /// Something was made to fail: directories and cgroups may be left over.
    pub(crate) littered: bool,
    /// Linger flags were changed behind the broker's back.
    pub(crate) flags_touched: bool,
    /// Whose number has been used under another name.
    pub(crate) two_names: BTreeSet<Uid>,
}

impl World {
    /// A machine that has just been booted.
    pub(crate) fn new(settings: Settings) -> Self {
        Self::booted(settings, Kernel::default())
    }

    /// The same, where something is there already.
    pub(crate) fn booted(settings: Settings, kernel: Kernel) -> Self {
        let mut world = Self {
            model: Model::new(settings.clone()),
            kernel,
            settings,
            now: Now { monotonic: 1000 * SECOND, realtime: 1_700_000_000 * SECOND },
            soon: VecDeque::new(),
            delayed: false,
            failures: Failures::default(),
            temper: Temper::Good,
            dies_after: None,
            dies_again_after: None,
            crashes: 0,
            effects: 0,
            effects_of_start: 0,
            log: Vec::new(),
            news: Vec::new(),
            answers: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            orphaned: BTreeSet::new(),
            next_request: 0,
            arriving: BTreeMap::new(),
            leaders: BTreeMap::new(),
            watched: BTreeSet::new(),
            mounts_watched: false,
            supervised: BTreeMap::new(),
            ids_given: BTreeSet::new(),
            fifos_read: BTreeSet::new(),
            follower: Follower::default(),
            unsaved: BTreeSet::new(),
            promises: BTreeMap::new(),
            terminated: BTreeSet::new(),
            unmounted: BTreeSet::new(),
            ended: BTreeSet::new(),
            littered: false,
            flags_touched: false,
            two_names: BTreeSet::new(),
        };
        world.start_broker();
        world
    }

    /// Something happens; what follows from it at once, happens, too.
    pub(crate) fn send(&mut self, event: Event) {
        self.send_together([event]);
    }

    /// Things happen at the same time.
    pub(crate) fn send_together(&mut self, events: impl IntoIterator<Item = Event>) {
        let before = self.crashes;
        for event in events {
            let mut events = VecDeque::from([event]);
            while let Some(event) = events.pop_front() {
                if let Event::LingerWritten { account, linger: true, result: Ok(()), .. } = &event {
                    self.terminated.remove(&account.uid);
                    self.ended.remove(&account.uid);
                }
                let effects = self.model.handle(self.now, event);
                self.note_ends();
                events.extend(self.perform(effects));
                if self.crashes != before {
                    return;
                }
            }
        }
        let effects = self.model.catch_up();
        let failed = self.perform(effects);
        if self.crashes != before {
            return;
        }
        match failed.is_empty() {
            true => self.check(),
            false => failed.into_iter().for_each(|event| self.send(event)),
        }
    }

    /// The next thing that is under way happens. Whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        self.step_at(0)
    }

    /// One of the things that are under way happens; those of one object keep their order.
    pub(crate) fn step_at(&mut self, choice: usize) -> bool {
        if self.soon.is_empty() {
            return false;
        }
        let lane = act::lane(&self.soon[choice % self.soon.len()]);
        let first = self.soon.iter().position(|soon| act::lane(soon) == lane).unwrap();
        match self.soon.remove(first).unwrap() {
            // The edge reads which one it is.
            Soon::News(Event::VtChanged { .. }) => {
                self.send(Event::VtChanged { foreground: self.kernel.foreground });
            }
            Soon::News(event) => self.send(event),
            Soon::Work(effect) => {
                let news = self.work(effect);
                self.soon.push_front(Soon::News(news));
            }
            Soon::Exit(process) => self.exit(process),
        }
        true
    }

    /// Everything that is under way happens.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return self.check_settled();
            }
        }
        panic!("never settles: {:#?}", self.soon);
    }

    /// The clock goes on, and nobody misses a deadline.
    pub(crate) fn wait(&mut self, time: u64) {
        let until = self.now.monotonic + time;
        self.settle();
        while let Some(deadline) = self.model.next_deadline().filter(|deadline| *deadline <= until) {
            self.jump(deadline);
            self.send(Event::Tick);
            self.settle();
        }
        self.jump(until);
        self.send(Event::Tick);
        self.settle();
    }

    /// The clock goes on until nothing is left to wait for.
    pub(crate) fn drive(&mut self) {
        self.settle();
        for _ in 0..10_000 {
            let Some(deadline) = self.model.next_deadline() else { return };
            self.jump(deadline);
            self.send(Event::Tick);
            self.settle();
        }
        panic!("never idle: {:#?}", self.model.timers);
    }

    /// Whether the broker knows that manager.
    pub(crate) fn is_supervised(&self, process: LeaderPid) -> bool {
        self.supervised.values().any(|(_, main)| *main == process)
    }

    pub(crate) fn jump(&mut self, monotonic: u64) {
        let passed = monotonic.saturating_sub(self.now.monotonic);
        self.now.monotonic += passed;
        self.now.realtime += passed;
    }

    /// Home directories come or go, by a mount.
    pub(crate) fn homes(&mut self, missing: bool) {
        self.kernel.homes_missing = missing;
        self.mount();
    }

    /// Something is mounted.
    pub(crate) fn mount(&mut self) {
        if std::mem::take(&mut self.mounts_watched) {
            self.soon.push_back(Soon::News(Event::MountsChanged));
        }
    }

    /// The broker dies, and another one is started.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        self.dies_after = self.dies_again_after.take();
        self.orphaned.append(&mut self.unanswered);
        self.arriving.clear();
        self.leaders.clear();
        self.watched.clear();
        self.fifos_read.clear();
        self.mounts_watched = false;
        self.supervised.clear();
        let under_way = std::mem::take(&mut self.soon);
        for (n, soon) in under_way.into_iter().enumerate() {
            match soon {
                Soon::News(_) => {}
                // Some of it was done, some not.
                Soon::Work(effect) if (n + self.crashes).is_multiple_of(2) => drop(self.work(effect)),
                Soon::Work(_) => {}
                Soon::Exit(process) => self.soon.push_back(Soon::Exit(process)),
            }
        }
        self.forget_what_was_not_saved();
        self.flags_touched = false;
        self.start_broker();
    }

    fn start_broker(&mut self) {
        self.kernel.sweep();
        let found = self.kernel.found(self.settings.cgroups);
        // Whoever was ended for good is so by now; a lingering user is started as at boot.
        let users = self.kernel.user_files.values();
        self.terminated = users.filter(|record| record.terminated).map(|record| record.uid).collect();
        self.ended.clone_from(&self.terminated);
        for session in found.sessions.iter().filter(|session| session.leader_alive) {
            self.leaders.insert(session.record.id.clone(), session.record.leader.unwrap());
        }
        let (model, effects) = Model::restore(self.settings.clone(), found.clone(), self.now);
        let (again, effects_again) = Model::restore(self.settings.clone(), found, self.now);
        assert_eq!(effects, effects_again, "restored twice");
        assert_eq!((model.sessions(), model.users()), (again.sessions(), again.users()), "restored twice");
        self.model = model;
        self.check_promises_after_restart();
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Tell(_))), "{effects:?}");
        self.follower = Follower::looks(&self.model);
        let (before, effects_before) = (self.crashes, self.effects);
        for event in self.perform(effects) {
            if self.crashes == before {
                self.send(event);
            }
        }
        if self.crashes == before {
            self.effects_of_start = self.effects - effects_before;
        }
        self.check();
    }
}
