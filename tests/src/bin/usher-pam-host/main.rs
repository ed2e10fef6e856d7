//! A PAM application that does what it is told, however odd: for tests of what becomes of its sessions.
//!
//! ```text
//! usher-pam-host [--count N] [--at-once N] SERVICE USER STEP...
//! ```
//!
//! A step is a word (see `steps.rs`); each says what came of it in one line on standard output, "PID STEP RESULT". With
//! `--count`, that many processes take the steps, so many at once, and the only output is how often which line (without
//! its PID) was said.

#![deny(unsafe_code)]

// The one fork(2) of the test programs.
mod crowd;
#[path = "../usher-pam-load/raw.rs"]
mod raw;
mod steps;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "usher-pam-host", about = "A PAM application that does what a test tells it to")]
struct Arguments {
    /// How many processes take the steps
    #[arg(long)]
    count: Option<usize>,
    /// How many of them at a time
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// The PAM service
    service: String,
    /// The user
    user: String,
    /// What to do
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    steps: Vec<String>,
}

fn main() -> ExitCode {
    let Arguments { count, at_once, service, user, steps } = Arguments::parse();
    let result = match count {
        None => steps::take(&service, &user, &steps, &mut std::io::stdout()),
        Some(count) => crowd::take(count, at_once, |out| steps::take(&service, &user, &steps, out)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-pam-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}
