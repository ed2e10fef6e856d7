//! The measuring program of `cargo xtask bench`: runs in the machine, as a PAM application, and writes one line of JSON
//! (times in nanoseconds, CLOCK_MONOTONIC) for each thing that it was told to measure. What the numbers mean, and
//! whether they are good, is not its business.
//!
//! - `cycles`: logins that end at once, one process each, so many at a time;
//! - `hold`: logins that stay until standard input ends, then log out all at once;
//! - `floor`: the kernel operations of a login and a logout, bare;
//! - `ready`: from the spawn of a user manager until it is ready, bare;
//! - `visit`: one login of a user who was not there, until nothing is left of it;
//! - `revive`: from the death of a broker until its successor serves.
//!
//! And, for tests: `race`, logins that race logouts and look whether they keep what they were given; `light-manager`, a
//! user manager for that; `manager`, user managers of the smallest kind, good ones and bad ones.

#![deny(unsafe_code)]

mod floor;
mod login;
mod logins;
mod manager;
mod race;
mod raw;
mod ready;
mod revive;
mod running;
mod visit;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use usher_tests::load::processes;

#[derive(Debug, Parser)]
#[command(name = "usher-pam-load", about = "Measures logins; run by cargo xtask bench")]
enum Task {
    /// Open sessions and close them at once
    Cycles(logins::Load),
    /// Open sessions, hold them until standard input ends, close them all at once
    Hold(logins::Load),
    /// What the kernel takes for the operations of a login and a logout
    Floor(floor::Options),
    /// Start a user manager, wait until it is ready, end it
    Ready(ready::Options),
    /// Log in and out, and wait until nothing is left of it
    Visit(visit::Options),
    /// Kill a broker, start another one, wait until it serves
    Revive(revive::Options),
    /// Log in and out at random moments, and look whether every login keeps what it was given
    Race(race::Options),
    /// Be a user manager that has little to do
    LightManager,
    /// Be a user manager
    Manager(manager::Options),
}

fn main() -> ExitCode {
    let task = Task::parse();
    if matches!(task, Task::Cycles(_) | Task::Hold(_) | Task::Floor(_) | Task::Visit(_)) {
        processes::apply_nice_to_session(Path::new("/proc/self"));
    }
    let result = match task {
        Task::Cycles(load) => logins::cycles(&load),
        Task::Hold(load) => logins::hold(&load),
        Task::Floor(options) => floor::measure(&options),
        Task::Ready(options) => ready::measure(&options),
        Task::Visit(options) => visit::measure(&options),
        Task::Revive(options) => revive::measure(&options),
        Task::Race(options) => race::run(&options),
        Task::LightManager => race::light_manager(),
        Task::Manager(options) => manager::be(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-pam-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
