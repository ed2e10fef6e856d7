//! `usher-pam-setup`: puts pam_usher.so into the PAM stack that a machine's logins share, and takes it out again.
//!
//! A mistake in that stack keeps everybody out, so: the new file is tried by a session of its own before it is the
//! file, and again when it is; it gets its name by rename(2), so that there is the old or the new one whole at any
//! moment; a copy of the old one is kept.
//!
//! Top down: `install`, `remove` and `status` are the commands; `change` is one file's
//! way from old to new, by means of `store` (files) and `trial` (libpam); `debian` is pam-auth-update's.

#![forbid(unsafe_code)]

mod change;
mod debian;
mod install;
mod remove;
mod status;
mod store;
mod trial;

use std::process::ExitCode;

use clap::Parser;
use usher_pam_setup::cli::{Args, Command};

fn main() -> ExitCode {
    // clap ends with 2 when the command line makes no sense.
    let args = Args::parse();
    let done = match &args.command {
        Command::Status { json } => status::run(&args.common, *json),
        Command::Install { change, replace } => install::run(&args.common, change, *replace),
        Command::Remove { change } => remove::run(&args.common, change),
        Command::Trial { service } => trial::child(service),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-pam-setup: {error:#}");
            ExitCode::FAILURE
        }
    }
}
