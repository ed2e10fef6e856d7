//! The broker dies after every single effect, one after the other, and the next one goes on from what was on file by then:
//! whatever had been acknowledged is the same (`world/promises.rs`), what always holds holds, and in the end nothing is left.

use proptest::prelude::*;
use usher_protocol::session::SessionClass::{self, *};
use usher_protocol::session::SessionType;

use super::histories::cases;
use super::steps::Step::{self, *};
use super::steps::{Machine, machine, step_of_a_life};
use super::world::{Failures, Temper};
use crate::event::SwitchTo;
use crate::settings::SECOND;

/// Each random history here is lived through once for every effect it has, up to a hundred.
const RUNS_A_HISTORY: u32 = 75;

/// Lives through a history whose broker dies after its first so many effects, and the next one after its own so many.
/// How many effects there were: in all, or, with one crash, in the restart.
fn interrupted(machine: Machine, steps: &[Step], first: Option<usize>, second: Option<usize>) -> usize {
    let mut world = machine.boot();
    let of_boot = world.effects;
    (world.dies_after, world.dies_again_after) = (first, second);
    for step in steps {
        world.happens(step.clone());
    }
    let crashes = [first, second].iter().flatten().count();
    assert_eq!(world.crashes, crashes, "there is no such effect");
    let effects = if crashes == 0 { world.effects - of_boot } else { world.effects_of_start };
    world.ends();
    effects
}

/// A crash after every effect; if wanted, another one after each of the restart's.
fn everywhere(machine: Machine, steps: &[Step], twice: bool) {
    for first in 0..interrupted(machine, steps, None, None) {
        let of_restart = interrupted(machine, steps, Some(first), None);
        for second in (0..of_restart).filter(|_| twice) {
            interrupted(machine, steps, Some(first), Some(second));
        }
    }
}

fn open(user: u8, class: SessionClass) -> Step {
    Open { user, other_name: false, class, vt: None, more: true }
}

fn login(user: u8) -> Step {
    open(user, User)
}

fn linger(flag: bool) -> Step {
    Linger { user: 1, other_name: false, flag }
}

const CLOSE: Step = Close { session: 0, by: 0 };
const EXIT: Step = Exit { process: 0 };
const A_MINUTE: Step = Wait { time: 60 * SECOND };
const EVERYTHING: Step = Wait { time: 400 * SECOND };

/// What people and their machines do, a line each.
fn stories() -> Vec<Vec<Step>> {
    let on_vt = |vt| Open { user: 1, other_name: false, class: User, vt: Some(vt), more: true };
    let fail = |failures| Fail(failures);
    let usual = Failures::default();
    vec![
        vec![login(1), Settle, CLOSE, Settle, A_MINUTE],
        vec![login(1), Settle, EXIT, Settle, A_MINUTE],
        vec![login(1), login(1), login(2), Settle, CLOSE, login(0), Settle, EXIT, A_MINUTE],
        vec![on_vt(1), Settle, Vt { number: 2 }, on_vt(2), Settle, CLOSE, Vt { number: 1 }, Settle, A_MINUTE],
        // Back at once, at each stage of going.
        vec![login(1), Settle, CLOSE, Settle, login(1), Settle],
        vec![login(1), Settle, CLOSE, Settle, Deadline, login(1), Settle],
        vec![login(1), Settle, CLOSE, Settle, Deadline, Go { choices: [0, 0, 0] }, login(1), Settle],
        // Something is left behind, heeds a signal or does not.
        vec![login(1), Settle, Fork { session: 0, stubborn: false }, CLOSE, Settle, EXIT, EXIT, A_MINUTE],
        vec![
            login(1),
            Settle,
            Fork { session: 0, stubborn: true },
            TerminateSession { session: 0 },
            EVERYTHING,
        ],
        vec![linger(true), Settle, login(1), Settle, CLOSE, A_MINUTE, linger(false), A_MINUTE],
        vec![linger(true), login(1), Settle, TerminateUser { user: 1 }, Settle, login(1), Settle],
        // Managers that are late, hang, die, are missing.
        vec![
            Temper(Temper::Slow),
            login(1),
            A_MINUTE,
            SaysReady { user: 1, earlier: false },
            CLOSE,
            EVERYTHING,
        ],
        vec![Temper(Temper::Hung), login(1), EVERYTHING, CLOSE, EVERYTHING],
        vec![Temper(Temper::Stubborn), login(1), Settle, CLOSE, EVERYTHING],
        vec![Temper(Temper::Dying), login(1), A_MINUTE, Temper(Temper::Good), login(1), Settle],
        vec![Temper(Temper::Missing), login(1), A_MINUTE],
        vec![login(1), Settle, Exit { process: 1 }, A_MINUTE, Exit { process: 1 }, Settle],
        // A manager's own session, by itself and inside.
        vec![login(1), Settle, OpenBy { process: 1, user: 1, retry: false }, Settle, CLOSE, A_MINUTE],
        vec![open(1, Manager), Settle, CLOSE, A_MINUTE],
        vec![open(1, BackgroundLight), Settle, login(1), Settle, CLOSE, CLOSE, A_MINUTE],
        // What is asked for through the bus.
        vec![login(1), Settle, Fifo { session: 0 }, Release { session: 0 }, EXIT, A_MINUTE],
        vec![login(1), Settle, Fifo { session: 0 }, LetGo { fifo: 0 }, Settle, EXIT, A_MINUTE],
        vec![login(1), Settle, Fifo { session: 0 }, TerminateUser { user: 1 }, Settle],
        vec![login(1), Settle, Release { session: 0 }, A_MINUTE],
        vec![open(1, UserIncomplete), Settle, Complete { session: 0, by: 0 }, Settle, CLOSE, A_MINUTE],
        vec![
            on_vt(1),
            on_vt(2),
            Settle,
            Activate { session: 1, by: 0 },
            Settle,
            IdleHint { session: 1, idle: true, by: 0 },
            LockedHint { session: 0, locked: true, by: 0 },
            Lock { session: None, lock: true, by: 0 },
            Switch { to: SwitchTo::Next, by: 0 },
            Settle,
            TerminateSeat { by: 0 },
            A_MINUTE,
        ],
        vec![
            login(1),
            Settle,
            TakeControl { session: 0, program: 1, force: false, by: 0 },
            SetType { session: 0, program: 1, kind: SessionType::X11 },
            SetDisplay { session: 0, program: 1, number: 1 },
            SetTty { session: 0, program: 1, number: 1 },
            TakeControl { session: 0, program: 2, force: true, by: 0 },
            ProgramGone { program: 2 },
        ],
        // Edges that fail.
        vec![
            fail(Failures { scope: true, ..usual }),
            login(1),
            Settle,
            fail(usual),
            login(1),
            CLOSE,
            A_MINUTE,
        ],
        vec![
            fail(Failures { runtime_dir: true, ..usual }),
            login(1),
            Settle,
            fail(usual),
            login(1),
            A_MINUTE,
        ],
        vec![
            login(1),
            Settle,
            fail(Failures { reap: true, ..usual }),
            CLOSE,
            A_MINUTE,
            fail(usual),
            A_MINUTE,
        ],
        vec![
            fail(Failures { linger: true, ..usual }),
            linger(true),
            Settle,
            fail(usual),
            linger(true),
            Settle,
        ],
        vec![fail(Failures { files: true, ..usual }), login(1), Settle, fail(usual), login(1), A_MINUTE],
        vec![login(1), Settle, fail(Failures { files: true, ..usual }), CLOSE, Settle, fail(usual), A_MINUTE],
    ]
}

fn machines() -> impl Iterator<Item = Machine> {
    let machine = Machine { delayed: false, lingering: false, cgroups: true, managers: true, vts: true };
    let plain = Machine { cgroups: false, vts: false, ..machine };
    [machine, Machine { delayed: true, ..machine }, plain].into_iter()
}

#[test]
fn after_every_effect_of_what_people_do() {
    for machine in machines() {
        for story in stories() {
            everywhere(machine, &story, false);
        }
    }
}

#[test]
fn after_every_effect_and_every_effect_of_the_restart() {
    for story in stories() {
        for machine in machines().take(1) {
            everywhere(machine, &story, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases().div_ceil(RUNS_A_HISTORY),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn after_every_effect_of_random_histories(
        machine in machine(any::<bool>()),
        steps in prop::collection::vec(step_of_a_life(), 1..40),
    ) {
        everywhere(machine, &steps, false);
    }
}
