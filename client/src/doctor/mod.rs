//! `usherctl doctor`: whether this machine is set up right, in plain words, and what to do where it is not.
//!
//! * [`machine`]: what is known of the machine, gathered once: [`asked`] (usherd), [`processes`], [`mounts`], [`tree`] (files).
//! * [`checks`]: one file a subject. A check is a function from that to [`finding`]s; its id stays the same for ever.
//! * [`report`]: findings into text or JSON, and the exit code.
//! * [`bounded`]: nothing here waits for anything that may hang for longer than a few seconds.
//!
//! Nothing is changed, and nothing is looked at but files, the process table and usherd's answers: no program is run.

pub mod asked;
pub mod bounded;
pub mod checks;
pub mod finding;
pub mod machine;
pub mod mounts;
pub mod processes;
pub mod report;
pub mod tree;

use std::sync::Arc;
use std::time::{Duration, Instant};

use checks::{GROUPS, Group};
use finding::Finding;
use machine::Machine;

/// How long usherd and the process table may take,
const LOOK: Duration = Duration::from_secs(15);
/// and then all checks together.
const CHECKS: Duration = Duration::from_secs(5);
/// What both have to say when that was not enough.
const HANGS: &str =
    "it did not end in time: a file system or the name service does not answer, or this machine is very busy";
const WHY_HANGS: &str =
    "look for processes in state D (ps -eo pid,stat,wchan,args) and at what getent passwd does";

/// The findings about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: &'static str,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Looks at this machine, with usherd at its socket.
pub fn examine(socket: &std::path::Path) -> Vec<Section> {
    let socket = socket.to_owned();
    match bounded::within(LOOK, move || Machine::look(&socket)) {
        Some(machine) => examine_machine(Arc::new(machine)),
        None => {
            let finding = Finding::skipped(
                "doctor.look",
                format!("The machine could not be looked at: {HANGS}."),
                WHY_HANGS,
            );
            vec![Section { title: "Doctor", findings: vec![finding] }]
        }
    }
}

/// All checks at once, each for itself, so that one that hangs keeps no other from its answer.
fn examine_machine(machine: Arc<Machine>) -> Vec<Section> {
    let deadline = Instant::now() + CHECKS;
    let pending: Vec<_> = GROUPS
        .iter()
        .map(|group| {
            let machine = machine.clone();
            (group, bounded::begin(move || (group.check)(&machine)))
        })
        .collect();
    let section = |(group, pending): (&Group, bounded::Pending<Vec<Finding>>)| {
        let hung = || vec![Finding::skipped(group.id, format!("Not checked: {HANGS}."), WHY_HANGS)];
        Section { title: group.title, findings: pending.by(deadline).unwrap_or_else(hung) }
    };
    pending.into_iter().map(section).collect()
}
