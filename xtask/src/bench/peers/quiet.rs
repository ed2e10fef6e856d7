//! While nothing happens, nothing is to wake anybody.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use usher_tests::Wakes;
use usher_tests::load::processes::Process;

use super::Peers;
use crate::bench::broker::{Broker, Name};
use crate::bench::plan::Plan;

/// So long nothing may have happened before the watch begins: the rest of what went before is not what wakes
/// anybody. Threads that did something for logins have to have ended; memory goes back a second and a half after the last of it.
const SETTLED: Duration = Duration::from_secs(3);
/// At most so long that is waited for. A thread that never ends is watched, too.
const PATIENCE: Duration = Duration::from_secs(15);

/// A process while nothing happened.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Quiet {
    pub(crate) broker: Name,
    pub(crate) held: usize,
    pub(crate) process: String,
    /// How often its threads were woken.
    pub(crate) wakes: u64,
    pub(crate) seconds: f64,
}

impl Quiet {
    /// What comes to a minute.
    pub(crate) fn per_minute(&self) -> f64 {
        self.wakes as f64 * 60.0 / self.seconds
    }
}

/// Waits until nothing has been woken for a while.
pub(in crate::bench) fn settle(wakes: impl Fn() -> Vec<Wakes>) {
    let (start, mut since, mut before) = (Instant::now(), Instant::now(), wakes());
    let settling = |wakes: &[Wakes]| wakes.iter().any(|wakes| wakes.threads() > 1);
    while (since.elapsed() < SETTLED || settling(&before)) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
        let now = wakes();
        if now != before {
            (since, before) = (Instant::now(), now);
        }
    }
}

/// Watches all brokers at the same time.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, brokers: &[Broker], held: usize) {
    let daemons: Vec<(Name, Process)> =
        brokers.iter().filter_map(|broker| Some((broker.name, broker.daemon()?))).collect();
    let wakes = || daemons.iter().map(|(_, process)| process.wakes()).collect::<Vec<Wakes>>();
    settle(wakes);
    let (start, before) = (Instant::now(), wakes());
    std::thread::sleep(Duration::from_secs(plan.quiet));
    let seconds = start.elapsed().as_secs_f64();
    for (((name, process), before), after) in daemons.iter().zip(before).zip(wakes()) {
        let wakes = after.since(&before);
        peers.quiet.push(Quiet { broker: *name, held, process: process.name.clone(), wakes, seconds });
    }
}
