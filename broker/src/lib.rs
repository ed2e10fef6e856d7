//! usherd's parts. From the outside in:
//!
//! * `socket` takes varlink calls and turns them into events and questions, through `inbox`;
//! * `dbus` is org.freedesktop.login1, for everybody who speaks that; `followers` are told what changes;
//! * `opening` is what logind's CreateSession asks for, by whichever transport;
//! * `run` is the one loop that owns the model (`usher_model`);
//! * `interpret` turns the model's effects into calls on the edges: `state` (the files in /run/systemd),
//!   `leaders` (pidfds), `fifos`, `scopes` (cgroups), `manager` (user managers), `teardown`, `sys` (the kernel);
//! * `witness` keeps what there is to know of sessions, for `hooks`, which run programs, and `targets`, which follow the seat;
//! * `status` is what usherd tells of itself;
//! * `restore` finds out at start what was there before; `config` and `settings` read usher.conf;
//! * `installed` knows where usher's own files are;
//! * `daemon` puts it all together; `crash` is for tests of what a crash leaves behind.

pub mod attach;
mod belonging;
mod check;
pub mod config;
mod counter;
mod crash;
mod daemon;
mod dbus;
mod fifos;
mod followers;
mod forgotten;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gather;
mod hooks;
mod inbox;
mod installed;
mod interpret;
mod leaders;
mod linger;
mod logging;
mod lookups;
mod manager;
mod memory;
mod opening;
mod programs;
mod ready;
mod resizer;
mod restore;
mod rivals;
mod run;
mod scopes;
mod settings;
mod socket;
pub mod state;
mod status;
pub mod sys;
mod targets;
mod teardown;
mod witness;

pub use daemon::{command, main};
