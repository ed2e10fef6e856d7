//! Random histories: whatever happens in whatever order, what always holds holds (see `world/check.rs`). More of them:
//! `PROPTEST_CASES=100000 cargo test --release -p usher-model histories`. What fails is printed as steps, which go into
//! `regressions.rs`.

use proptest::prelude::*;

use super::steps::{Machine, Step, machine, racing, step};

/// Lives through a history, and checks at its end that nothing is left.
pub(super) fn lives(machine: Machine, steps: Vec<Step>) {
    let mut world = machine.boot();
    for step in steps {
        world.happens(step);
    }
    world.ends();
}

/// How many: the rarest bugs so far took tens of thousands of histories to show; these few take seconds, every time.
pub(super) fn cases() -> u32 {
    if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 1500 }
}

/// What fails becomes a regression in words, not a seed: seeds mean something else once there is a new step.
fn config() -> ProptestConfig {
    ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// As the real edges do it: what is known at once comes back at once.
    #[test]
    fn results_at_once(machine in machine(Just(false)), steps in prop::collection::vec(step(), 1..60)) {
        lives(machine, steps);
    }

    /// The model is right even where every result takes its time.
    #[test]
    fn results_later(machine in machine(Just(true)), steps in prop::collection::vec(step(), 1..60)) {
        lives(machine, steps);
    }

    /// Logins race logouts of the same user, whose things go at once: no login is told of a directory that goes before its
    /// session does, or of a manager that is being stopped (`world/promises.rs`).
    #[test]
    fn logins_race_logouts(machine in machine(any::<bool>()), steps in prop::collection::vec(racing(), 1..60)) {
        let mut world = Machine { lingering: false, ..machine }.boot();
        world.keeps_nobody_after_logout();
        for step in steps {
            world.happens(step);
        }
        world.ends();
    }
}
