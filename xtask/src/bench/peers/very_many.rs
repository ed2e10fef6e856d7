//! Thousands of sessions, of one broker after the other: all at the same time would be more processes than a small computer
//! has numbers for.

use anyhow::Result;

use super::{Before, Peers, held, memory, warm};
use crate::bench::broker::{self, Name};
use crate::bench::plan::{Plan, say};

/// Boots the broker anew, so that nothing is left of what went before.
pub(super) fn measure(peers: &mut Peers, plan: &Plan, name: Name) -> Result<()> {
    let count = plan.very_many;
    say(&format!("{count} sessions held, {}", name.text()));
    let brokers = [name.boot(0)?];
    let [broker] = &brokers;
    let lingering: Vec<String> = broker::holders().into_iter().chain([broker::WARM.to_owned()]).collect();
    broker.linger(&lingering)?;
    let none = warm::with_held(plan, &brokers, 0);
    peers.before.extend(none.into_iter().map(|case| Before { held: count, case }));
    let opened = held::open(peers, plan, broker, 0, count)?;
    let result = memory::measure(peers, broker, count);
    peers.note(name, "memory", result);
    peers.warm.extend(warm::with_held(plan, &brokers, count));
    held::close(peers, broker, vec![opened])
}
