//! A whole machine for one test.
//!
//! [`Machine::boot`] makes, in well under 200 ms and without a container image, a machine of its own in mount, pid,
//! cgroup, ipc, uts and network namespaces: the host's programs, but its own `/etc`, `/var`, `/usr` and `/dev`, empty
//! `/run`, `/tmp` and homes, its own process table and cgroup tree, and usher's freshly built programs in the places
//! where a package puts them. Real `sshd`, `login`, `su`, `cron`, `dbus-daemon` and `systemd --user` run in it. PID 1 is
//! the small program `usher-sandbox`, not systemd. When the value is dropped, or the test process dies in any way,
//! everything in the machine is killed and nothing of it stays on the host.
//!
//! Tests wait for conditions with [`Machine::wait_for`] and never sleep; every failure prints [`Machine::dump`].
//!
//! ```no_run
//! let machine = usher_tests::Machine::boot();
//! let broker = machine.start_usherd();
//! let mut alice = machine.ssh_session("alice");
//! machine.wait_for("alice's runtime directory", || machine.mounted("/run/user/1001").is_some());
//! alice.close();
//! # drop(broker);
//! ```
//!
//! Booting needs root (namespaces, mounts, cgroups). `cargo xtask test` builds the programs and runs the tests that way.

#![forbid(unsafe_code)]

mod artefacts;
pub mod container;
mod keys;
pub mod load;
pub mod login1;
mod machine;
mod mounts;
mod oracle;
pub mod spec;
pub mod storm;
mod wait;

pub use container::{Container, Image};
pub use machine::background::Background;
pub use machine::builder::Builder;
pub use machine::command::Output;
pub use machine::pam_login::{Entered, PamLogin};
pub use machine::services::Usherd;
pub use machine::shell::Shell;
pub use machine::size::{Size, Wakes};
pub use machine::usher::{ALICE, BOB, Person, ROOT};
pub use machine::{DEADLINE, Machine};
pub use mounts::MountInfo;
pub use oracle::Oracle;
pub use wait::child as wait_child;
