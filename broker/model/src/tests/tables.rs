//! The tables on the crate's front page name every state and every deadline that there is, and no other.

use std::collections::BTreeSet;

use usher_protocol::ids::SessionId;

use crate::event::Generation;
use crate::manager::{Manager, Run};
use crate::record::{RuntimeDir, RuntimeKind};
use crate::runtime::Runtime;
use crate::session::{Phase, Scope};
use crate::tests::world::{name, uid};
use crate::timer::Timer;

/// The first cells of the table whose head begins with that word.
fn rows(head: &str) -> BTreeSet<String> {
    let page = include_str!("../lib.rs").lines().filter_map(|line| line.strip_prefix("//!"));
    let cells = page.map(|line| line.trim().strip_prefix("| ").and_then(|row| row.split(" |").next()));
    let table: Vec<_> = cells.skip_while(|cell| *cell != Some(head)).skip(2).map_while(|cell| cell).collect();
    let plain = |cell: &&str| cell.to_lowercase().replace(['`', '-'], "");
    let rows: BTreeSet<_> = table.iter().map(plain).collect();
    assert_eq!(rows.len(), table.len(), "a row is there twice: {table:?}");
    rows
}

/// The variants' names. Each list is made by a chain that goes on as long as there is a next one, so that a new variant does
/// not compile before it stands here.
fn names<T: std::fmt::Debug>(first: T, next: impl Fn(&T) -> Option<T>) -> BTreeSet<String> {
    let all = std::iter::successors(Some(first), |state| next(state));
    let word =
        |state: T| format!("{state:?}").split([' ', '(', '{']).next().unwrap_or_default().to_lowercase();
    all.map(word).collect()
}

#[test]
fn every_phase_of_a_session() {
    let phases = names(Phase::Queued, |phase| match phase {
        Phase::Queued => Some(Phase::Placing),
        Phase::Placing => Some(Phase::Running),
        Phase::Running => Some(Phase::Closing),
        Phase::Closing => None,
    });
    assert_eq!(rows("phase"), phases);
}

#[test]
fn every_state_of_a_cgroup() {
    let scopes = names(Scope::None, |scope| match scope {
        Scope::None => Some(Scope::Making),
        Scope::Making => Some(Scope::Live),
        Scope::Live => Some(Scope::Reaping),
        Scope::Reaping => Some(Scope::Watched),
        Scope::Watched => Some(Scope::Adopted),
        Scope::Adopted => None,
    });
    assert_eq!(rows("cgroup"), scopes);
}

#[test]
fn every_state_of_a_runtime_directory() {
    let states = names(Runtime::Absent, |runtime| match runtime {
        Runtime::Absent => Some(Runtime::Creating),
        Runtime::Creating => Some(Runtime::Present(RuntimeDir { kind: RuntimeKind::Mount, mount: None })),
        Runtime::Present(_) => Some(Runtime::Failed(String::new())),
        Runtime::Failed(_) => None,
    });
    assert_eq!(rows("runtime directory"), states);
}

#[test]
fn every_state_of_a_manager() {
    let run = Run { generation: Generation(1), main: None, adopted: false, failures: 0 };
    let why = String::new;
    let states = names(Manager::Off, |manager| match manager {
        Manager::Off => Some(Manager::Starting { run }),
        Manager::Starting { .. } => Some(Manager::Ready { run, since: 0 }),
        Manager::Ready { .. } => Some(Manager::Stopping { run, failure: None }),
        Manager::Stopping { .. } => Some(Manager::Backoff { failures: 1, why: why() }),
        Manager::Backoff { .. } => Some(Manager::Failed { why: why() }),
        Manager::Failed { .. } => None,
    });
    assert_eq!(rows("manager"), states);
}

#[test]
fn every_deadline() {
    let (user, session) = (uid(1000), || SessionId::from(1));
    let timers = names(Timer::UserStop(user), |timer| match timer {
        Timer::UserStop(_) => Some(Timer::ManagerIdle(user)),
        Timer::ManagerIdle(_) => Some(Timer::Manager(user)),
        Timer::Manager(_) => Some(Timer::ReadyWait(session())),
        Timer::ReadyWait(_) => Some(Timer::Release(session())),
        Timer::Release(_) => Some(Timer::ScopeKill(session())),
        Timer::ScopeKill(_) => Some(Timer::ScopeRetry(session())),
        Timer::ScopeRetry(_) => Some(Timer::LingerRetry(name(user))),
        Timer::LingerRetry(_) => Some(Timer::SaveRetry),
        Timer::SaveRetry => None,
    });
    assert_eq!(rows("timer"), timers);
}
