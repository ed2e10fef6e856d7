//! First logins and last logouts of users.

use serde::{Deserialize, Serialize};
use usher_tests::load;

use super::Peers;
use crate::bench::broker::{self, Broker, Name, SERVICE};
use crate::bench::plan::Plan;
use crate::bench::stats::Times;

/// First logins through one broker, and what follows the last logout.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) broker: Name,
    /// pam_open_session.
    pub(crate) open: Times,
    /// From the return of pam_close_session until runtime directory and slice are gone.
    pub(crate) gone: Times,
    /// How many users something was left of.
    pub(crate) left: usize,
    pub(crate) failures: Vec<String>,
}

/// One user of each broker after the other. The first round warms the caches and is not counted.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, brokers: &[Broker]) {
    let empty = |broker: &Broker| First {
        broker: broker.name,
        open: Times::default(),
        gone: Times::default(),
        left: 0,
        failures: Vec::new(),
    };
    let mut firsts: Vec<First> = brokers.iter().map(empty).collect();
    for number in 0..=plan.first {
        for (broker, first) in brokers.iter().zip(&mut firsts) {
            let watched = broker.watched(number);
            let visit = load::visit(
                broker.place(),
                SERVICE,
                &broker::first(number),
                &watched.each_ref().map(String::as_str),
            );
            match visit {
                Ok(visit) if number > 0 => first.add(visit),
                Ok(_) => {}
                Err(error) => first.failures.push(format!("a first login: {error:#}")),
            }
        }
    }
    peers.first = firsts;
}

impl First {
    fn add(&mut self, visit: load::Visit) {
        if visit.failures.is_empty() {
            self.open.extend([visit.open_ns]);
            self.left += usize::from(visit.gone_ns.is_none());
            self.gone.extend(visit.gone_ns);
        }
        self.failures.extend(visit.failures);
    }
}
