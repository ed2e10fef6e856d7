//! usher and its peers, side by side: the same program logs people in through each of them, in turn, so that a drift of the
//! computer meets all.

mod descriptors;
mod first;
mod held;
mod lists;
mod memory;
pub(super) mod quiet;
mod revived;
mod very_many;
mod warm;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

pub(crate) use descriptors::Descriptors;
pub(crate) use first::First;
pub(crate) use held::{Closed, Opened};
pub(crate) use lists::Lists;
pub(crate) use memory::Memory;
pub(crate) use quiet::Quiet;
pub(crate) use revived::Revived;
pub(crate) use warm::Case;

use super::broker::{self, Broker, Name};
use super::floor::Floor;
use super::plan::{Plan, say};

/// Everything that was measured side by side.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peers {
    pub(crate) present: Vec<Present>,
    pub(crate) absent: Vec<Absent>,
    pub(crate) first: Vec<First>,
    pub(crate) warm: Vec<Case>,
    pub(crate) before: Vec<Before>,
    pub(crate) floor: Floor,
    pub(crate) opened: Vec<Opened>,
    pub(crate) closed: Vec<Closed>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) quiet: Vec<Quiet>,
    pub(crate) lists: Vec<Lists>,
    pub(crate) revived: Vec<Revived>,
    pub(crate) descriptors: Option<Descriptors>,
    /// What could not be measured.
    pub(crate) notes: Vec<Note>,
}

/// Logins right before sessions were opened and held that were then measured beside them, by the same process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Before {
    /// How many were opened then.
    pub(crate) held: usize,
    pub(crate) case: Case,
}

/// A broker that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Present {
    pub(crate) broker: Name,
    pub(crate) version: String,
}

/// One that was not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) broker: Name,
    pub(crate) reason: String,
}

/// Something that a broker could not do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) broker: Name,
    pub(crate) what: String,
    pub(crate) why: String,
}

impl Peers {
    /// What went wrong with usher.
    pub(crate) fn failures(&self) -> Vec<String> {
        let usher = |name: Name| name == Name::Usher;
        let mut failures: Vec<String> = Vec::new();
        failures.extend(
            self.first.iter().filter(|first| usher(first.broker)).flat_map(|first| first.failures.clone()),
        );
        failures.extend(
            self.warm.iter().filter(|case| usher(case.broker)).flat_map(|case| case.failures.clone()),
        );
        failures.extend(self.opened.iter().filter(|opened| usher(opened.broker)).filter_map(Opened::failure));
        failures.extend(self.closed.iter().filter(|closed| usher(closed.broker)).filter_map(Closed::failure));
        failures
            .extend(self.revived.iter().filter(|revived| usher(revived.broker)).filter_map(Revived::failure));
        let notes = self.notes.iter().filter(|note| usher(note.broker));
        failures.extend(notes.map(|note| format!("{}: {}", note.what, note.why)));
        failures
    }

    /// Keeps why something could not be measured.
    fn note(&mut self, broker: Name, what: &str, result: Result<()>) {
        if let Err(error) = result {
            // The chain of causes, in one line of a table.
            let why: String = format!("{error:#}").replace('\n', " ").chars().take(300).collect();
            println!("{}, {what}: {why}", broker.text());
            self.notes.push(Note { broker, what: what.to_owned(), why });
        }
    }

    /// Does the same with every broker.
    fn each(&mut self, brokers: &[Broker], what: &str, step: impl Fn(&mut Self, &Broker) -> Result<()>) {
        for broker in brokers {
            let result = step(self, broker);
            self.note(broker.name, what, result);
        }
    }
}

/// Boots all of them and measures it all.
pub(super) fn run(plan: &Plan, names: &[Name]) -> Result<Peers> {
    let mut peers = Peers::default();
    let brokers = boot(&mut peers, plan, names)?;
    say("first logins and last logouts, side by side");
    first::measure(&mut peers, plan, &brokers);
    peers.each(&brokers, "linger", |_, broker| broker.linger(&[broker::WARM.to_owned()]));
    peers.each(&brokers, "memory", |peers, broker| memory::measure(peers, broker, 0));
    peers.each(&brokers, "linger", |_, broker| broker.linger(&broker::holders()));
    say("logins with the manager running, side by side");
    warm::measure(&mut peers, plan, &brokers)?;
    held::measure(&mut peers, plan, &brokers)?;
    drop(brokers);
    let present: Vec<Name> = peers.present.iter().map(|present| present.broker).collect();
    if plan.very_many > 0 {
        for name in &present {
            let result = very_many::measure(&mut peers, plan, *name);
            peers.note(*name, &format!("{} sessions held", plan.very_many), result);
        }
    }
    if plan.few_descriptors && present.contains(&Name::Elogind) {
        let result = descriptors::measure(&mut peers);
        peers.note(Name::Elogind, "as its init script starts it", result);
    }
    Ok(peers)
}

fn boot(peers: &mut Peers, plan: &Plan, names: &[Name]) -> Result<Vec<Broker>> {
    let mut brokers = Vec::new();
    for name in [Name::Usher, Name::Elogind, Name::Logind] {
        if !names.contains(&name) {
            let reason = "left out, as the command line says".to_owned();
            peers.absent.push(Absent { broker: name, reason });
            continue;
        }
        println!("Booting: {} …", name.text());
        match name.boot(plan.first + 1) {
            Ok(broker) => {
                peers.present.push(Present { broker: name, version: broker.version.clone() });
                brokers.push(broker);
            }
            Err(error) if name == Name::Usher => bail!("usher cannot be set up: {error:#}"),
            Err(error) => {
                let reason = format!("{error:#}");
                println!("{} cannot be set up: {reason}", name.text());
                let reason = reason.lines().next().unwrap_or_default().to_owned();
                peers.absent.push(Absent { broker: name, reason });
            }
        }
    }
    Ok(brokers)
}
