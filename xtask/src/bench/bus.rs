//! The same with a bus: what clients of org.freedesktop.login1 wait for, what the bus adds to a login, what usherd takes and
//! how often it wakes while nothing happens. In a machine and with a usherd of its own, so that the other numbers stay those
//! of a usherd that has never met a bus.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::bus::{self, Heard, Listener};
use usher_tests::load::{self, Held, Logins};
use usher_tests::{Background, Machine};

use super::peers::quiet::settle;
use super::plan::{CONFIG, HOLDERS, Plan, USHER, say, wait_for_managers};
use super::stats::Times;
use super::usherd::{self, Memory, Usherd};

/// usherd logs this when it has noticed that the bus is no more.
const GONE: &str = "the system bus has gone";

/// Everything that was measured with a bus.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bus {
    pub(crate) calls: Vec<Calls>,
    pub(crate) logins: Vec<Cost>,
    pub(crate) memory: Vec<(When, Memory)>,
    pub(crate) quiet: Vec<Quiet>,
    pub(crate) failures: Vec<String>,
}

/// What a client waits for, method by method.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) held: usize,
    /// What ListSessions had: the held ones, and those of the managers.
    pub(crate) sessions: usize,
    pub(crate) times: BTreeMap<String, Times>,
}

/// Logins and logouts, one at a time, with the manager running.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) company: Company,
    pub(crate) held: usize,
    pub(crate) open: Times,
    pub(crate) close: Times,
    /// Of each login, both together.
    pub(crate) both: Times,
    /// How many signals the listener has heard.
    pub(crate) signals: usize,
}

/// Who is there besides usherd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Company {
    /// No bus.
    Nobody,
    /// A bus, on which nobody listens.
    Bus,
    /// A bus, and somebody who hears every signal of login1.
    Listener,
}

/// When memory was looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    WithoutBus,
    Connected,
    /// After the measured calls.
    Called,
}

/// While nothing happened, with the bus connected.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Quiet {
    pub(crate) held: usize,
    pub(crate) seconds: f64,
    /// Voluntary context switches of usherd's threads.
    pub(crate) wakes: u64,
}

impl Quiet {
    /// What comes to a minute.
    pub(crate) fn per_minute(&self) -> f64 {
        self.wakes as f64 * 60.0 / self.seconds
    }
}

/// Boots a machine and measures it all.
pub(super) fn run(plan: &Plan) -> Result<Bus> {
    let holders: Vec<String> = (0..HOLDERS).map(|n| format!("holder{n}")).collect();
    let mut builder = Machine::builder().config(CONFIG);
    for (uid, name) in (2000..).zip(&holders) {
        builder = builder.user(name, uid);
    }
    let machine = builder.sysfs_writable().try_boot()?;
    let daemon = Usherd::start(&machine)?;
    machine.run(&["usherctl", "enable-linger", "alice"]);
    wait_for_managers(&machine, &["alice"]);
    let mut measured = Bus::default();
    let mut scene = Scene { machine: &machine, usherd: &daemon, bus: None, listener: None };
    scene.measure(plan, 0, &mut measured)?;

    let many = plan.many();
    let users = holders.join(",");
    let held = Held::open(
        &machine,
        Logins { service: USHER, users: &users, count: many, at_once: 32, ..Logins::default() },
    )?;
    measured.failures.extend(held.opened.failures.clone());
    wait_for_managers(&machine, &holders.iter().map(String::as_str).collect::<Vec<_>>());
    scene.measure(plan, many, &mut measured)?;
    say("wake-ups while nothing happens, with the bus connected");
    scene.arrange(Company::Bus)?;
    measured.quiet.push(scene.quiet(plan, many));
    if !measured.failures.is_empty() {
        measured.failures.extend(usherd::complaints(&machine));
    }
    Ok(measured)
}

/// The machine, and who is there at the moment.
struct Scene<'m> {
    machine: &'m Machine,
    usherd: &'m Usherd<'m>,
    bus: Option<Background<'m>>,
    listener: Option<Listener>,
}

impl Scene<'_> {
    fn measure(&mut self, plan: &Plan, held: usize, measured: &mut Bus) -> Result<()> {
        say(&format!("calls on the bus, {held} sessions held"));
        measured.memory.push((When::WithoutBus, self.usherd.memory(held)));
        self.arrange(Company::Bus)?;
        measured.memory.push((When::Connected, self.usherd.memory(held)));
        let answers = bus::ask(self.machine, plan.calls)?;
        measured.memory.push((When::Called, self.usherd.memory(held)));
        let times = answers.times_ns.into_iter().map(|(name, all)| (name, Times::from(all))).collect();
        measured.calls.push(Calls { held, sessions: answers.sessions, times });
        if answers.sessions < held {
            let known = answers.sessions;
            measured.failures.push(format!("ListSessions on the bus had {known} sessions of {held}"));
        }
        say(&format!("logins without a bus, with one, and with a listener, {held} sessions held"));
        self.logins(plan, held, measured)
    }

    /// The three cases take turns, there and back.
    fn logins(&mut self, plan: &Plan, held: usize, measured: &mut Bus) -> Result<()> {
        let mut costs =
            [Company::Nobody, Company::Bus, Company::Listener].map(|company| Cost::new(company, held));
        for round in 0..=plan.rounds {
            for cost in &mut costs {
                self.arrange(cost.company)?;
                let logins =
                    Logins { service: USHER, users: "alice", count: plan.per_round, ..Logins::default() };
                let outcome = load::cycles(self.machine, logins)?;
                let heard = self.dismiss_listener()?;
                if cost.company == Company::Listener && heard.signals < 2 * outcome.open_ns.len() {
                    let (signals, logins) = (heard.signals, outcome.open_ns.len());
                    measured.failures.push(format!("{signals} signals of {logins} logins and logouts"));
                }
                // The first round warms up.
                if round > 0 {
                    measured.failures.extend(outcome.failures.clone());
                    cost.add(outcome, heard);
                }
            }
            costs.reverse();
        }
        costs.sort_by_key(|cost| cost.company as u8);
        measured.logins.extend(costs);
        Ok(())
    }

    /// Has the bus, and a listener, come or go.
    fn arrange(&mut self, company: Company) -> Result<()> {
        self.dismiss_listener()?;
        match (company, self.bus.is_some()) {
            (Company::Nobody, true) => self.dismiss_bus(),
            (Company::Bus | Company::Listener, false) => {
                self.bus = Some(self.machine.start_dbus());
                bus::await_owner(self.machine)?;
            }
            _ => {}
        }
        if company == Company::Listener {
            self.listener = Some(Listener::start(self.machine)?);
        }
        Ok(())
    }

    fn dismiss_listener(&mut self) -> Result<Heard> {
        self.listener.take().map_or(Ok(Heard::default()), Listener::stop)
    }

    fn dismiss_bus(&mut self) {
        let times = || self.usherd.log().matches(GONE).count();
        let before = times();
        drop(self.bus.take());
        self.machine.wait_for("usherd to notice the end of the bus", || times() > before);
    }

    fn quiet(&self, plan: &Plan, held: usize) -> Quiet {
        let wakes = || self.machine.wakes_of(self.usherd.pid());
        settle(|| vec![wakes()]);
        let (start, before) = (Instant::now(), wakes());
        std::thread::sleep(Duration::from_secs(plan.quiet));
        Quiet { held, wakes: wakes().since(&before), seconds: start.elapsed().as_secs_f64() }
    }
}

impl Cost {
    fn new(company: Company, held: usize) -> Self {
        let (open, close, both) = Default::default();
        Self { company, held, open, close, both, signals: 0 }
    }

    fn add(&mut self, outcome: load::Outcome, heard: Heard) {
        // One at a time: they are in the same order.
        let pairs = outcome.open_ns.iter().zip(&outcome.close_ns);
        self.both.extend(pairs.map(|(open, close)| open + close));
        self.open.extend(outcome.open_ns);
        self.close.extend(outcome.close_ns);
        self.signals += heard.signals;
    }
}
