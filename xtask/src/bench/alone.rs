//! What is measured of usher alone, without a bus: first logins beside the bare manager, and logins after a rest beside the
//! bare kernel.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::Machine;
use usher_tests::load::{self, Logins};

use super::first::{self, First};
use super::floor;
use super::plan::{CONFIG, Plan, REST, USHER, say, wait_for_managers};
use super::stats::Times;
use super::usherd::{self, Usherd};

/// Logins and logouts each after a rest, beside the bare kernel's. Before it moves a process to another cgroup, the kernel
/// waits for an RCU grace period, unless another one was moved in the last few milliseconds: one login after the other
/// does not show that. usherd has that expedited, so the bare kernel is measured both ways.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Isolated {
    pub(crate) open: Times,
    pub(crate) close: Times,
    pub(crate) bare_open: Times,
    pub(crate) bare_close: Times,
    pub(crate) expedited_open: Times,
    pub(crate) expedited_close: Times,
    pub(crate) failures: Vec<String>,
}

/// Everything of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alone {
    /// By manager; those that are not installed, too.
    pub(crate) first: Vec<First>,
    pub(crate) isolated: Isolated,
}

/// Boots machines and measures it.
pub(super) fn run(plan: &Plan) -> Result<Alone> {
    let mut builder = Machine::builder().config(CONFIG);
    for (uid, name) in (2000..).zip(first::users(plan)) {
        builder = builder.user(&name, uid);
    }
    let machine = builder.sysfs_writable().try_boot()?;
    let daemon = Usherd::start(&machine)?;
    say("first logins, beside the bare `systemd --user`");
    let mut first = vec![first::of_default(plan, &machine)?];
    machine.run(&["usherctl", "enable-linger", "alice"]);
    wait_for_managers(&machine, &["alice"]);
    say("logins after a rest, beside the bare kernel");
    let mut isolated = isolated(plan, &machine)?;
    drop(daemon);
    if !isolated.failures.is_empty() || first.iter().any(|first| !first.failures.is_empty()) {
        isolated.failures.extend(usherd::complaints(&machine));
    }
    drop(machine);
    first.extend(first::of_others(plan)?);
    Ok(Alone { first, isolated })
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
        let bare = floor::measure(machine, count, REST, false)?;
        isolated.bare_open.extend(bare.open_ns);
        isolated.bare_close.extend(bare.close_ns);
        let expedited = floor::measure(machine, count, REST, true)?;
        isolated.expedited_open.extend(expedited.open_ns);
        isolated.expedited_close.extend(expedited.close_ns);
    }
    Ok(isolated)
}
