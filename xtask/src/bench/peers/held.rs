//! Sessions that stay: opening them, what one more costs meanwhile, and closing all of them at once.

use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::{Held, Logins, Outcome};

use super::{Peers, lists, memory, quiet, revived, warm};
use crate::bench::broker::{self, Broker, Name, SERVICE};
use crate::bench::plan::{Plan, say};
use crate::bench::stats::Times;

/// How many at a time.
const AT_ONCE: usize = 32;

/// How sessions were opened that stay.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) broker: Name,
    /// How many there were before.
    pub(crate) from: usize,
    /// How many there were to be.
    pub(crate) to: usize,
    pub(crate) opened: usize,
    pub(crate) failed: usize,
    /// Not over within the time that the plan gives.
    pub(crate) unfinished: usize,
    pub(crate) wall_ms: f64,
    /// The first failure's reason.
    pub(crate) reason: Option<String>,
}

/// How they were closed, all at once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub(crate) broker: Name,
    /// How many were open.
    pub(crate) open: usize,
    pub(crate) closed: usize,
    pub(crate) failed: usize,
    pub(crate) unfinished: usize,
    pub(crate) times: Times,
    pub(crate) wall_ms: f64,
    pub(crate) reason: Option<String>,
}

impl Opened {
    /// What is wrong with it, if anything is.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { to, failed, unfinished, reason, .. } = self;
        let wrong = failed + unfinished > 0;
        wrong.then(|| {
            format!(
                "opening {to}: {failed} failed, {unfinished} were too late: {}",
                reason.as_deref().unwrap_or("-")
            )
        })
    }
}

impl Closed {
    /// What is wrong with it, if anything is.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { open, failed, unfinished, reason, .. } = self;
        let wrong = failed + unfinished > 0;
        wrong.then(|| {
            format!(
                "closing {open}: {failed} failed, {unfinished} were too late: {}",
                reason.as_deref().unwrap_or("-")
            )
        })
    }
}

/// All steps of the plan, of all brokers side by side.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, brokers: &[Broker]) -> Result<()> {
    let mut held: Vec<Vec<Held>> = brokers.iter().map(|_| Vec::new()).collect();
    let mut before = 0;
    for &count in plan.held.iter() {
        say(&format!("{count} sessions held, side by side"));
        for (broker, held) in brokers.iter().zip(&mut held) {
            let result = open(peers, plan, broker, before, count).map(|more| held.push(more));
            peers.note(broker.name, &format!("opening {count} sessions"), result);
        }
        peers.each(brokers, "memory", |peers, broker| memory::measure(peers, broker, count));
        before = count;
    }
    peers.warm.extend(warm::with_held(plan, brokers, before));
    say(&format!("lists of {before} sessions, and wake-ups while nothing happens"));
    peers.each(brokers, "lists", |peers, broker| lists::measure(peers, plan, broker, before));
    quiet::measure(peers, plan, brokers, before);
    say(&format!("{before} sessions closed at once"));
    for (broker, held) in brokers.iter().zip(held) {
        let result = close(peers, broker, held);
        peers.note(broker.name, "closing", result);
    }
    say(&format!("kill -9 with {before} sessions held"));
    for broker in brokers {
        let result = open(peers, plan, broker, 0, before).and_then(|held| {
            revived::measure(peers, broker)?;
            held.close().map(drop)
        });
        peers.note(broker.name, "kill -9", result);
    }
    Ok(())
}

/// Opens sessions until there are so many.
pub(super) fn open(peers: &mut Peers, plan: &Plan, broker: &Broker, from: usize, to: usize) -> Result<Held> {
    broker.check()?;
    let users = broker::holders().join(",");
    let logins = Logins {
        service: SERVICE,
        users: &users,
        count: to - from,
        at_once: AT_ONCE,
        limit: plan.patience,
        ..Logins::default()
    };
    let held = Held::open(broker.place(), logins)?;
    let Outcome { open_ns, failures, unfinished, wall_ns, .. } = &held.opened;
    peers.opened.push(Opened {
        broker: broker.name,
        from,
        to,
        opened: open_ns.len(),
        failed: failures.len(),
        unfinished: *unfinished,
        wall_ms: *wall_ns as f64 / 1e6,
        reason: failures.first().cloned(),
    });
    Ok(held)
}

/// Closes all of them at once.
pub(super) fn close(peers: &mut Peers, broker: &Broker, held: Vec<Held>) -> Result<()> {
    let open = held.iter().map(|held| held.opened.open_ns.len()).sum();
    let start = Instant::now();
    let outcomes: Vec<Result<Outcome>> = std::thread::scope(|scope| {
        let closing: Vec<_> = held.into_iter().map(|held| scope.spawn(move || held.close())).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Outcome>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
        };
        closing.into_iter().map(join).collect()
    });
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    let mut total = Outcome::default();
    for outcome in outcomes {
        total.add(outcome?);
    }
    peers.closed.push(Closed {
        broker: broker.name,
        open,
        closed: total.close_ns.len(),
        failed: total.failures.len(),
        unfinished: total.unfinished,
        times: Times::from(total.close_ns),
        wall_ms,
        reason: total.failures.first().cloned(),
    });
    Ok(())
}
