//! An ordinary client of org.freedesktop.login1: runs one scenario against whoever owns the name on the system bus, and
//! prints what it saw, one observation a line, with everything that differs from run to run replaced by names.
//!
//! It needs root and the users alice (1001) and bob (1002), and changes the sessions of the machine that it runs in: tests
//! run it in the container of the real logind and in a machine with usherd, and compare.
//!
//! Every bus connection is a process of its own (see [`agent`]), because who a caller is, and in which session, is a
//! property of processes.

#![forbid(unsafe_code)]

mod agent;
mod client;
mod normal;
mod render;
mod scenarios;
mod wire;
mod world;

use std::process::ExitCode;

use anyhow::{Context, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-login1-probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let word = std::env::args().nth(1).context("which scenario?")?;
    match word.as_str() {
        client::AGENT => agent::serve(),
        "--list" => {
            scenarios::names().for_each(|name| println!("{name}"));
            Ok(())
        }
        scenario => scenarios::play(scenario),
    }
}
