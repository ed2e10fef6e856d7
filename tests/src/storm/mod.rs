//! Storms: more of something than any day brings. Each function makes a machine of its own, lets the storm loose on it, and
//! checks from outside what must hold then. The tests run the short form of each, `cargo xtask soak` the long one.

mod crashes;
mod denied;
mod held;
mod managers;
mod picture;
mod plan;
mod relogin;
mod scene;
mod short;
mod stalls;
mod survived;

pub use crashes::crashes;
pub use denied::denied;
pub use held::held;
pub use managers::managers;
pub use plan::Plan;
pub use relogin::relogin;
pub use short::short_sessions;
pub use stalls::stalls;
pub use survived::Survived;

use scene::Storm;

use anyhow::{Context, Result};

use crate::{DEADLINE, Machine};

/// The first number of the people that storms are made with.
const FIRST_UID: u32 = 3000;

/// Lets a storm loose in a machine with so many people: what it does is given their names, with commas between them.
fn in_town(
    people: usize,
    config: &str,
    plan: &Plan,
    rage: impl FnOnce(&mut Storm<'_>, &str) -> Result<()>,
) -> Result<Survived> {
    let (machine, users) = town(people, config)?;
    explained(&machine, from_begin_to_end(&machine, plan, |storm| rage(storm, &users)))
}

fn from_begin_to_end(
    machine: &Machine,
    plan: &Plan,
    rage: impl FnOnce(&mut Storm<'_>) -> Result<()>,
) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    rage(&mut storm)?;
    storm.end(DEADLINE)
}

/// A failure, with everything there is to know about the machine.
fn explained(machine: &Machine, result: Result<Survived>) -> Result<Survived> {
    result.with_context(|| machine.dump())
}

/// A machine with so many people more, and their names with commas between them.
fn town(people: usize, config: &str) -> Result<(Machine, String)> {
    let names: Vec<String> = (0..people).map(|n| format!("person{n}")).collect();
    let builder = Machine::builder().config(config);
    let builder = (FIRST_UID..).zip(&names).fold(builder, |builder, (uid, name)| builder.user(name, uid));
    Ok((builder.try_boot()?, names.join(",")))
}
