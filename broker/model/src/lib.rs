//! The life cycle of sessions, users and their managers: a state machine that takes events and gives effects. No
//! I/O, no clock, no randomness: [`Model::handle`] is told the time and what happened, and says what is to be done.
//! One task owns it.
//!
//! # A session
//!
//! | phase | means | ends with |
//! |---|---|---|
//! | queued | its user's runtime directory is being made, or the last one is still being removed | `RuntimeDirCreated` → placing |
//! | placing | its cgroup is being made and its leader put there; already on file, so that a crash loses nothing | `ScopeCreated` → running, with or without a cgroup |
//! | running | open | leader gone, logged out or terminated → closing |
//! | closing | over, but something may be left of it | `may_gc` → removed |
//!
//! A session may go (`Session::may_gc`) when it is closing, its leader is gone or has handed it back, and its cgroup
//! is gone. The cgroup goes when no process is left in it; until then the session stays `closing` and pins its user,
//! as logind's does. A leader that logs the user out but lives on is put back into the cgroup it came from.
//!
//! # A user
//!
//! A user is kept (`User::is_kept`) by a session that pins, by the linger flag, or by the stop delay after the last
//! session; nothing keeps one whom an administrator has terminated.
//!
//! | | kept | not kept |
//! |---|---|---|
//! | runtime directory absent | make it | nothing |
//! | runtime directory there | place queued sessions; start the manager if wanted | once the manager is off and no session pins: tear down |
//! | manager off | start it, if a session or linger wants it | nothing |
//! | manager starting or ready | nothing | stop it |
//! | manager stopping | wait, then start it anew | wait |
//! | manager in back-off or failed | wait for the timer, or for a login | off |
//! | tearing down | wait, then make everything anew | wait, then remove the user |
//!
//! So a login that arrives while the same user is going finds its runtime directory kept if teardown has not begun,
//! and waits for a new one if it has; it never gets one that is about to vanish. Asking a manager to stop cannot be
//! taken back: the login waits, within its budget, for the next one. A session of class `manager` that arrives then
//! keeps nobody and is refused.
//!
//! # What always holds
//!
//! 1. A runtime directory is there exactly while its user is kept, or is being made or torn down.
//! 2. At most one manager a user, over crashes and restarts, too.
//! 3. No session outlives its leader and its processes.
//! 4. After the last logout and the stop delay nothing is left: no record, file, directory, cgroup, manager, timer.
//! 5. After a restart: the same session ids, managers and directories.
//! 6. Every request gets exactly one last answer.
//! 7. Root never waits for a manager.
//!
//! `tests/world/check.rs` is this list as code; `tests/histories.rs` checks it after every step of random histories,
//! crashes at any effect included. `tests/scenarios` tells the rules one by one.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod display;
mod effect;
mod event;
mod linger;
mod login;
mod logout;
mod manager;
mod model;
mod policy;
pub mod record;
mod restore;
mod seat;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod timer;
mod unsaved;
mod user;
mod view;

pub use effect::{Answer, Effect, MoveOut, News, Severity};
pub use event::{Account, Event, Generation, LookupFailure, Now, Open, Reaped, RequestId, StateFile};
pub use model::Model;
pub use policy::{Action, check as check_access};
pub use restore::{Found, FoundSession, FoundUser};
pub use settings::{SECOND, Settings};
