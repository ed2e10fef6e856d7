//! Logins of a user who is there already: what they wait for, how many there are in a second, and what they cost.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::processes::Process;
use usher_tests::load::{self, Logins, Outcome};

use super::Peers;
use crate::bench::broker::{Broker, Name, PERMIT, SERVICE, WARM};
use crate::bench::floor;
use crate::bench::plan::{AT_ONCE, Plan};
use crate::bench::stats::Times;

/// What a broker does after its answer belongs to the login, too.
const AFTERWARDS: Duration = Duration::from_millis(30);
/// In seconds: a broker that needs longer for one round of logins has failed.
const LIMIT: u64 = 30;

/// Logins of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) broker: Name,
    /// Without the broker's module: what PAM and the load program take.
    pub(crate) permit: bool,
    pub(crate) at_once: usize,
    /// So many sessions were open meanwhile, or were to be.
    pub(crate) held: usize,
    pub(crate) open: Times,
    pub(crate) close: Times,
    pub(crate) logins_per_second: f64,
    /// Processor time of the broker and those who work for it, by process, of all logins together, in milliseconds.
    pub(crate) broker_cpu_ms: BTreeMap<String, f64>,
    /// Of the processes that logged in.
    pub(crate) client_cpu_ms: f64,
    /// Logins that failed, or were not over in time.
    pub(crate) failed: usize,
    /// Why, of the first few.
    pub(crate) failures: Vec<String>,
    #[serde(skip)]
    wall_ns: u64,
}

impl Case {
    pub(super) fn new(broker: Name, permit: bool, at_once: usize, held: usize) -> Self {
        Self {
            broker,
            permit,
            at_once,
            held,
            open: Times::default(),
            close: Times::default(),
            logins_per_second: 0.0,
            broker_cpu_ms: BTreeMap::new(),
            client_cpu_ms: 0.0,
            failed: 0,
            failures: Vec::new(),
            wall_ns: 0,
        }
    }

    /// One round of it.
    pub(super) fn run(&mut self, plan: &Plan, broker: &Broker, counts: bool) -> Result<()> {
        if self.failed > 0 {
            return Ok(());
        }
        let logins = Logins {
            service: if self.permit { PERMIT } else { SERVICE },
            users: WARM,
            count: plan.per_round,
            at_once: self.at_once,
            limit: LIMIT,
            ..Logins::default()
        };
        broker.check()?;
        let processes = broker.processes()?;
        let before = processor(&processes);
        let outcome = load::cycles(broker.place(), logins)?;
        std::thread::sleep(AFTERWARDS);
        let after = processor(&processes);
        let failed = !outcome.failures.is_empty() || outcome.unfinished > 0;
        if counts || failed {
            self.add(outcome);
            if failed {
                self.failures.extend(broker.complaints());
            }
            for (name, time) in after {
                let took = time.saturating_sub(before.get(&name).copied().unwrap_or_default());
                *self.broker_cpu_ms.entry(name).or_default() += took.as_secs_f64() * 1e3;
            }
        }
        Ok(())
    }

    fn add(&mut self, outcome: Outcome) {
        self.open.extend(outcome.open_ns);
        self.close.extend(outcome.close_ns);
        self.client_cpu_ms += outcome.client_ns as f64 / 1e6;
        self.failed += outcome.failures.len() + outcome.unfinished;
        self.failures.extend(outcome.failures.into_iter().take(3));
        if outcome.unfinished > 0 {
            self.failures.push(format!("{} logins were not over within {LIMIT} s", outcome.unfinished));
        }
        self.wall_ns += outcome.wall_ns;
        self.logins_per_second = self.close.len() as f64 / (self.wall_ns as f64 / 1e9);
    }

    /// What one login and its logout take of the processors in the broker and those who work for it, in milliseconds.
    pub(crate) fn broker_cpu(&self) -> Option<f64> {
        (self.close.len() > 0).then(|| self.broker_cpu_ms.values().sum::<f64>() / self.close.len() as f64)
    }

    /// The same in the process that logs in.
    pub(crate) fn client_cpu(&self) -> Option<f64> {
        (self.close.len() > 0).then(|| self.client_cpu_ms / self.close.len() as f64)
    }
}

fn processor(processes: &[Process]) -> BTreeMap<String, Duration> {
    processes.iter().filter_map(|process| Some((process.name.clone(), process.processor().ok()?))).collect()
}

/// All brokers, with and without their module, each number at a time, in turn; and the bare kernel once a round. The first
/// round warms up.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, brokers: &[Broker]) -> Result<()> {
    let mut cases: Vec<(usize, Case)> = Vec::new();
    for at_once in AT_ONCE {
        for permit in [true, false] {
            let all = brokers.iter().enumerate();
            cases.extend(all.map(|(n, broker)| (n, Case::new(broker.name, permit, at_once, 0))));
        }
    }
    for round in 0..=plan.rounds {
        take_turns(plan, brokers, &mut cases, round > 0);
        let usher = brokers.iter().find(|broker| broker.name == Name::Usher).filter(|_| round > 0);
        if let Some(broker) = usher {
            floor::add(&mut peers.floor, floor::measure(broker.place(), plan.per_round, 0, false)?);
        }
    }
    peers.warm.extend(cases.into_iter().map(|(_, case)| case));
    Ok(())
}

/// One login at a time through every broker, with sessions held.
pub(super) fn with_held(plan: &Plan, brokers: &[Broker], held: usize) -> Vec<Case> {
    let all = brokers.iter().enumerate();
    let mut cases: Vec<(usize, Case)> =
        all.map(|(n, broker)| (n, Case::new(broker.name, false, 1, held))).collect();
    for round in 0..=plan.rounds {
        take_turns(plan, brokers, &mut cases, round > 0);
    }
    cases.into_iter().map(|(_, case)| case).collect()
}

/// One round of each.
fn take_turns(plan: &Plan, brokers: &[Broker], cases: &mut [(usize, Case)], counts: bool) {
    for (number, case) in cases {
        if let Err(error) = case.run(plan, &brokers[*number], counts) {
            case.failed += plan.per_round;
            case.failures.push(format!("{error:#}"));
        }
    }
}
