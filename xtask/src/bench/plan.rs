//! What is measured, in which order, and how often.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use usher_tests::Machine;
use usher_tests::load::{self, Held, Logins};

use super::bare::Floor;
use super::bus::{self, Bus};
use super::first::{self, First};
use super::stats::{Times, millis};
use super::usherd::{Memory, Usherd};

/// How often.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Plan {
    /// Rounds in which the compared cases take turns.
    pub(super) rounds: usize,
    /// Logins of each case in a round.
    pub(super) per_round: usize,
    /// First logins with each manager, and as many bare managers.
    pub(super) first: usize,
    /// Logins with a rest before each.
    isolated: usize,
    /// Sessions to hold: a few, then many.
    pub(super) held: [usize; 2],
    /// Calls of each method on the bus.
    pub(super) calls: usize,
    /// How long usherd is watched while nothing happens, in seconds.
    pub(super) quiet: u64,
}

pub(crate) const FULL: Plan =
    Plan { rounds: 10, per_round: 50, first: 20, isolated: 30, held: [100, 1000], calls: 200, quiet: 10 };
pub(crate) const QUICK: Plan =
    Plan { rounds: 4, per_round: 25, first: 5, isolated: 8, held: [100, 1000], calls: 50, quiet: 3 };

/// How many at a time.
const AT_ONCE: [usize; 3] = [1, 8, 32];
pub(super) const USHER: &str = "usher-bench";
const PERMIT: &str = "permit-bench";
/// Milliseconds without a login, long enough for the kernel to forget the last one: see [`Isolated`].
pub(super) const REST: u64 = 100;
/// Users of the held sessions.
pub(super) const HOLDERS: usize = 10;

/// Teardown follows the last logout at once, so that it is over before the next measurement begins.
pub(super) const CONFIG: &str = "[Login]\nUserStopDelaySec=0\n";

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) system: System,
    pub(crate) plan: Plan,
    /// By case and how many at a time; `held` sessions were open meanwhile.
    pub(crate) warm: Vec<Case>,
    /// By manager; those that are not installed, too.
    pub(crate) first: Vec<First>,
    pub(crate) isolated: Isolated,
    pub(crate) floor: BTreeMap<&'static str, Times>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) holding: Holding,
    pub(crate) revival: Revival,
    pub(crate) bus: Bus,
}

#[derive(Debug, Serialize)]
pub(crate) struct System {
    kernel: String,
    pub(crate) processors: usize,
    /// proc_loadavg(5) of the last minute before the first measurement: what else ran.
    pub(crate) load: f64,
    version: &'static str,
}

/// Logins of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) service: &'static str,
    pub(crate) at_once: usize,
    pub(crate) held: usize,
    pub(crate) open: Times,
    pub(crate) close: Times,
    pub(crate) logins_per_second: f64,
    pub(crate) failures: Vec<String>,
    #[serde(skip)]
    wall_ns: u64,
}

/// Logins and logouts each after a rest, beside the bare kernel's. Before it moves a process to another cgroup, the kernel
/// waits for an RCU grace period, unless another one was moved in the last few milliseconds: one login after the other,
/// as above, does not show that.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Isolated {
    pub(crate) open: Times,
    pub(crate) close: Times,
    pub(crate) bare_open: Times,
    pub(crate) bare_close: Times,
    pub(crate) failures: Vec<String>,
}

/// Opening the held sessions, and closing them all at once.
#[derive(Debug, Serialize)]
pub(crate) struct Holding {
    pub(crate) count: usize,
    pub(crate) open_wall_ms: f64,
    pub(crate) close: Times,
    pub(crate) close_wall_ms: f64,
    pub(crate) failures: Vec<String>,
}

/// `kill -9` with sessions held.
#[derive(Debug, Serialize)]
pub(crate) struct Revival {
    pub(crate) gone_ms: f64,
    pub(crate) serving_ms: f64,
    pub(crate) expected: usize,
    pub(crate) known: usize,
}

impl Results {
    /// Everything that went wrong.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.warm.iter().flat_map(|case| case.failures.clone()).collect();
        failures.extend(self.first.iter().flat_map(|first| first.failures.clone()));
        failures.extend(self.isolated.failures.clone());
        failures.extend(self.holding.failures.clone());
        failures.extend(self.bus.failures.clone());
        if self.revival.known != self.revival.expected {
            let Revival { known, expected, .. } = &self.revival;
            failures.push(format!("after kill -9 usherd knew {known} sessions of {expected}"));
        }
        failures
    }
}

/// Boots a machine and measures it all.
pub(crate) fn run(plan: &Plan) -> Result<Results> {
    let system = system()?;
    let machine = boot(plan)?;
    let usherd = Usherd::start(&machine)?;
    say("first logins, beside the bare `systemd --user`");
    let mut first = vec![first::of_default(plan, &machine)?];
    machine.run(&["usherctl", "enable-linger", "alice"]);
    wait_for_managers(&machine, &["alice"])?;

    let mut memory = vec![usherd.memory(0)];
    say("logins with the manager running, beside pam_permit and the bare kernel");
    let mut floor = BTreeMap::new();
    let mut warm = warm(plan, &machine, 0, &mut floor)?;
    say("the same, with a rest before each");
    let isolated = isolated(plan, &machine)?;

    let holders: Vec<String> = (0..HOLDERS).map(|n| format!("holder{n}")).collect();
    let names: Vec<&str> = holders.iter().map(String::as_str).collect();
    let [few, many] = plan.held;
    say(&format!("{few}, then {many} sessions held"));
    let users = holders.join(",");
    let hold = |count| Logins { service: USHER, users: &users, count, at_once: 32, ..Logins::default() };
    let start = Instant::now();
    let some = Held::open(&machine, hold(few))?;
    let mut open_wall = start.elapsed();
    wait_for_managers(&machine, &names)?;
    memory.push(usherd.memory(few));
    let start = Instant::now();
    let rest = Held::open(&machine, hold(many - few))?;
    open_wall += start.elapsed();
    memory.push(usherd.memory(many));
    warm.extend(self::warm(plan, &machine, many, &mut floor)?);

    say(&format!("kill -9 with {many} sessions held, then all of them closed at once"));
    let before = sessions(&machine)?;
    let revived = load::revive(&machine, usherd.pid())?;
    let mut failures: Vec<String> = some.opened.failures.clone();
    failures.extend(rest.opened.failures.clone());
    let start = Instant::now();
    let (rest, some) = (rest.close()?, some.close()?);
    let close_wall = start.elapsed();
    // What is being taken down is not what usherd holds without sessions.
    machine.wait_for("the users' managers to be gone", || {
        names.iter().all(|name| !machine.try_run(&["usherctl", "show-user", name]).ok())
    });
    let mut close = Times::default();
    for outcome in [rest, some] {
        close.extend(outcome.close_ns);
        failures.extend(outcome.failures);
    }
    memory.push(Memory::of(&machine, revived.pid, 0));
    drop(usherd);
    drop(machine);
    first.extend(first::of_others(plan)?);
    let bus = bus::run(plan)?;
    Ok(Results {
        system,
        plan: *plan,
        warm,
        first,
        isolated,
        floor,
        memory,
        holding: Holding {
            count: many,
            open_wall_ms: open_wall.as_secs_f64() * 1e3,
            close,
            close_wall_ms: close_wall.as_secs_f64() * 1e3,
            failures,
        },
        revival: Revival {
            gone_ms: millis(revived.gone_ns),
            serving_ms: millis(revived.serving_ns),
            expected: before,
            known: revived.sessions,
        },
        bus,
    })
}

pub(super) fn say(what: &str) {
    println!("Measuring: {what} …");
}

fn boot(plan: &Plan) -> Result<Machine> {
    let mut builder = Machine::builder().config(CONFIG);
    let holders = (0..HOLDERS).map(|n| format!("holder{n}"));
    let users = first::users(plan).chain(holders);
    for (uid, name) in (2000..).zip(users) {
        builder = builder.user(&name, uid);
    }
    builder.sysfs_writable().try_boot()
}

/// Both services, each number at a time, in turn, and the bare kernel once a round.
fn warm(
    plan: &Plan,
    machine: &Machine,
    held: usize,
    floor: &mut BTreeMap<&'static str, Times>,
) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = [PERMIT, USHER]
        .into_iter()
        .flat_map(|service| AT_ONCE.map(|at_once| Case::new(service, at_once, held)))
        .collect();
    for round in 0..=plan.rounds {
        for case in &mut cases {
            let logins = Logins {
                service: case.service,
                users: "alice",
                count: plan.per_round,
                at_once: case.at_once,
                ..Logins::default()
            };
            let outcome = load::cycles(machine, logins)?;
            // The first round warms up.
            if round > 0 {
                case.add(outcome);
            }
        }
        if round > 0 && held == 0 {
            add_floor(plan, machine, floor)?;
        }
    }
    Ok(cases)
}

impl Case {
    fn new(service: &'static str, at_once: usize, held: usize) -> Self {
        Self {
            service,
            at_once,
            held,
            open: Times::default(),
            close: Times::default(),
            logins_per_second: 0.0,
            failures: Vec::new(),
            wall_ns: 0,
        }
    }

    fn add(&mut self, outcome: load::Outcome) {
        self.open.extend(outcome.open_ns);
        self.close.extend(outcome.close_ns);
        self.failures.extend(outcome.failures);
        self.wall_ns += outcome.wall_ns;
        self.logins_per_second = self.close.len() as f64 / (self.wall_ns as f64 / 1e9);
    }
}

fn isolated(plan: &Plan, machine: &Machine) -> Result<Isolated> {
    let mut isolated = Isolated::default();
    for _ in 0..2 {
        let count = plan.isolated / 2;
        let logins = Logins { service: USHER, users: "alice", count, rest: REST, ..Logins::default() };
        let outcome = load::cycles(machine, logins)?;
        isolated.open.extend(outcome.open_ns);
        isolated.close.extend(outcome.close_ns);
        isolated.failures.extend(outcome.failures);
        let (count, rest) = (count.to_string(), REST.to_string());
        let words = ["usher-pam-load", "floor", "--count", &count, "--rest", &rest];
        let floor: Floor = load::measure(machine, &words)?;
        isolated.bare_open.extend(floor.open_ns);
        isolated.bare_close.extend(floor.close_ns);
    }
    Ok(isolated)
}

fn add_floor(plan: &Plan, machine: &Machine, floor: &mut BTreeMap<&'static str, Times>) -> Result<()> {
    let count = plan.per_round.to_string();
    let times: Floor = load::measure(machine, &["usher-pam-load", "floor", "--count", &count])?;
    for (name, times) in [
        ("open", times.open_ns),
        ("close", times.close_ns),
        ("round trip", times.round_trip_ns),
        ("enter cgroup", times.enter_cgroup_ns),
        ("two files", times.two_files_ns),
        ("leave cgroup", times.leave_cgroup_ns),
        ("tmpfs", times.tmpfs_ns),
    ] {
        floor.entry(name).or_default().extend(times);
    }
    Ok(())
}

/// Managers that are still starting would be measured, too.
pub(super) fn wait_for_managers(machine: &Machine, users: &[&str]) -> Result<()> {
    for user in users {
        let words = ["usherctl", "show-user", user, "-p", "Manager", "--value"];
        machine.wait_for("the user managers to be ready", || machine.try_run(&words).text() == "ready");
    }
    Ok(())
}

fn sessions(machine: &Machine) -> Result<usize> {
    let output = machine.run(&["usherctl", "list-sessions", "--no-legend"]);
    Ok(output.stdout.lines().count())
}

fn system() -> Result<System> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's version")?;
    let processors = std::thread::available_parallelism().context("count processors")?.get();
    let load = fs::read_to_string("/proc/loadavg").context("read the load average")?;
    let load =
        load.split(' ').next().and_then(|load| load.parse().ok()).context("understand the load average")?;
    Ok(System { kernel: kernel.trim().to_owned(), processors, load, version: env!("CARGO_PKG_VERSION") })
}
