//! The life cycle of sessions, users and their managers: a state machine that takes events and gives effects. No
//! I/O, no clock, no randomness: [`Model::handle`] is told the time and what happened, and says what is to be done.
//! One task owns it.
//!
//! # A session
//!
//! | phase | means | ends with |
//! |---|---|---|
//! | queued | its user's runtime directory is being made, or the last one is still being removed | `RuntimeDirCreated` → placing; or running, where it gets no cgroup; its user goes → removed |
//! | placing | its cgroup is being made and its leader put there; already on file, so that a crash loses nothing, and announced to followers | `ScopeCreated` → running, with or without a cgroup; leader gone, logged out or terminated → closing |
//! | running | open | leader gone, logged out or terminated, its FIFO closed, 20 s after its release → closing |
//! | closing | over, but something may be left of it | `may_gc` → removed |
//!
//! A session may go (`Session::may_gc`) when it is closing, its leader is gone or has handed it back, and its cgroup
//! is gone. The cgroup goes when no process is left in it; until then the session stays `closing` and pins its user,
//! as logind's does. A leader that logs the user out but lives on is put back into the cgroup it came from, and
//! so is another process of the PAM application that has closed the session, with root's right or by the token. A session
//! of a class that keeps nobody (a manager's) is removed with its user, whatever its phase.
//!
//! | cgroup | means | ends with |
//! |---|---|---|
//! | none | none yet, none any more, or none at all: the session's class or its service's policy has none, there is no cgroup tree, or it could not be made | placing → making, or adopted |
//! | making | asked for; a logout waits for the answer | `ScopeCreated` → live, or none |
//! | live | it is there | the session has ended → reaping |
//! | reaping | being removed | `ScopeReaped`: gone → none; busy or failed → watched |
//! | watched | processes are left in it; KillUserProcesses and a termination tell them to go | `ScopeEmptied`, or `ScopeRetry` after a failure → live, and reaping again; adopted: → none |
//! | adopted | another daemon's, where the leader was found (Cgroup=adopt): nobody is moved or killed there but the leader, and that only by a termination | the session has ended → watched; → none, if it was terminated or another session has adopted the same one |
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
//! | manager starting or ready | nothing; stop it, if only sessions with Manager=none are left (after UserStopDelaySec) | stop it |
//! | manager stopping | wait, then start it anew | wait |
//! | manager in back-off or failed | wait for the timer, or for a login | off |
//! | tearing down | wait, then make everything anew | wait, then remove the user |
//!
//! So a login that arrives while the same user is going finds its runtime directory kept if teardown has not begun,
//! and waits for a new one if it has; it never gets one that is about to vanish. Asking a manager to stop cannot be
//! taken back: the login waits, within its budget, for the next one. A session of class `manager` that arrives then
//! keeps nobody and is refused.
//!
//! | runtime directory | means | ends with |
//! |---|---|---|
//! | absent | none | kept → creating |
//! | creating | asked for; a user who goes meanwhile is torn down after the answer | `RuntimeDirCreated` → present, or failed |
//! | present | made by usher, or found in good order | torn down, whatever came of that → absent |
//! | failed | it cannot be made: sessions go on without one, the manager is failed, too | a login or a linger flag → absent; torn down → absent |
//!
//! # A manager
//!
//! At most one a user. Whoever waits for one (a login, for at most ManagerReadyWaitSec) is answered when it is ready, and as soon as
//! it is plain that it will not be.
//!
//! | manager | means | ends with |
//! |---|---|---|
//! | off | none runs | wanted → starting; wanted, but the runtime directory has failed → failed |
//! | starting | started, and let go on once it is on file; not ready | `ManagerReady` → ready; it cannot be started, or `ManagerGone` → back-off; ManagerStartTimeoutSec → stopping, then failed; one that an earlier broker has started is taken for ready after ManagerReadyWaitSec; its user goes → stopping |
//! | ready | | `ManagerGone`, unasked → back-off; its user goes → stopping |
//! | stopping | asked to stop, and killed after ManagerStopTimeoutSec | `ManagerGone` → off; → failed, if it was being stopped for being late and nobody has logged in since |
//! | back-off | it has died, for the first to fourth time in a row; the wait begins with 100 ms and is doubled each time. A minute of being ready ends the row | its time → starting; its user goes → off |
//! | failed | given up: dead five times in a row, or too late | a login or a linger flag → off, and starting again; its user goes → off |
//!
//! # Deadlines
//!
//! | timer | is set | is cleared | when it passes |
//! |---|---|---|---|
//! | `UserStop` | the last session that pins a user has gone: UserStopDelaySec | a login, a termination | nothing keeps the user, unless it lingers |
//! | `ManagerIdle` | the last session has gone that kept the manager, while others with Manager=none keep the user: UserStopDelaySec | a login that keeps it, a termination, the last session | the manager is stopped, unless the user lingers |
//! | `Manager` | starting, stopping, back-off, see above | any other state | see above |
//! | `ReadyWait` | a login, or a session that becomes a complete one, is told to wait for the manager: ManagerReadyWaitSec | its last answer | it is answered as things are |
//! | `Release` | a session's end is announced from within it: 20 s | the session is closing | it is logged out, though its leader lives |
//! | `ScopeKill` | processes of a session are told to go: SessionStopTimeoutSec | the session is removed | they are killed |
//! | `ScopeRetry` | a cgroup could not be removed: 1 s, doubled each time up to 64 s | the session is removed | it is tried again |
//! | `LingerRetry` | a lingering user's name could not be looked up: 1 s, then 2 s; longer for a user who does not exist or has no home directory yet, see `lookup` | a login, the flag is set or cleared, a termination | it is looked up again |
//! | `SaveRetry` | a file could not be written: 2 s | never | it is written again, as things are then |
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
//! 8. Followers hear of everything that changes: of a user before the first session, of a session before anything about it, of
//!    the end after everything else; and what they have heard is what there is.
//! 9. At most one program controls a session, and a session that is active is the seat's active one or has no seat.
//! 10. A login that was told of a runtime directory has that very one until its session has ended; a manager that was ready
//!     then
//!     is not asked to stop before.
//!
//! `tests/world/check.rs` and `tests/world/promises.rs` are this list as code; `tests/histories.rs` checks it after every step of
//! random histories, `tests/crashes.rs` with a crash after every single effect. `tests/scenarios` tells the rules one by
//! one; `tests/tables.rs` holds the tables to the code's states.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod change;
mod control;
mod display;
mod effect;
mod event;
mod grace;
mod hints;
mod linger;
mod login;
mod logout;
mod lookup;
mod manager;
mod model;
mod policy;
pub mod record;
mod release;
mod restore;
mod route;
mod runtime;
mod seat;
mod service;
mod session;
mod sessions;
mod settings;
mod switch;
mod tell;
#[cfg(test)]
mod tests;
mod timer;
mod unsaved;
mod upgrade;
mod user;
mod view;

pub use change::{Change, Idleness, SeatProperty, SessionProperty, UserProperty};
pub use effect::{Answer, Effect, MoveOut, News, Severity};
pub use event::{
    Account, BusName, Event, Generation, LookupFailure, Now, Open, Reaped, RequestId, StateFile, SwitchTo,
};
pub use model::Model;
pub use policy::{Action, Authority, Verdict, check as check_access, judge};
pub use restore::{Found, FoundSession, FoundUser};
pub use service::{CgroupUse, ClassRule, MANAGER_SERVICE, ManagerUse, Nested, Rules, ServiceName, Services};
pub use settings::{RuntimeForm, SECOND, Settings};
pub use view::Listed;
