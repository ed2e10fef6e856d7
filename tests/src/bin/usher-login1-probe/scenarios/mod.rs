//! The scenarios, each in a machine that nobody has logged in to yet.

mod classes;
mod control;
mod denied;
mod devices;
mod endings;
mod hints;
mod introspection;
mod killing;
mod lingering;
mod lists;
mod login;
mod lookups;
mod malformed;
mod power;
mod refused;
mod release;
mod seat;

use anyhow::{Context, Result};

use crate::world::World;

type Scenario = fn(&mut World) -> Result<()>;

/// All of them, by name.
const SCENARIOS: [(&str, Scenario); 24] = [
    ("login-first", login::first),
    ("login-second", login::second),
    ("login-refused", refused::refused),
    ("login-scope", refused::scope),
    ("login-classes", classes::classes),
    ("lists", lists::lists),
    ("lookups", lookups::lookups),
    ("lookups-outside", lookups::outside),
    ("malformed", malformed::malformed),
    ("introspection", introspection::introspection),
    ("hints", hints::hints),
    ("control", control::control),
    ("control-lost", control::lost),
    ("devices", devices::devices),
    ("killing", killing::killing),
    ("release", release::release),
    ("endings", endings::endings),
    ("closing", endings::closing),
    ("terminated", endings::terminated),
    ("lingering", lingering::lingering),
    ("seat", seat::seat),
    ("power", power::power),
    ("inhibit", power::inhibit),
    ("denied", denied::denied),
];

/// The names of all.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

/// Plays the scenario of that name.
pub(crate) fn play(name: &str) -> Result<()> {
    let scenario = SCENARIOS.iter().find(|(known, _)| *known == name);
    let (_, play) = scenario.with_context(|| format!("no scenario is called {name}"))?;
    play(&mut World::default())
}
