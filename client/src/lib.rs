//! usherctl, the command line of usher, and `loginctl` where it is called by that name: loginctl's verbs, options,
//! columns, texts and exit codes (contract/loginctl.md) over usherd's own socket, with no D-Bus in between.
//!
//! * [`cli`]: the arguments, and the clap command for manuals and completions.
//! * [`verbs`]: one function a verb: asks the broker, chooses what to show.
//! * [`doctor`]: whether the machine is set up right; the one verb that needs no usherd.
//! * [`render`]: data into text: tables, properties, status blocks, trees, JSON. No I/O.
//! * [`broker`], [`accounts`], [`cgroup`], [`devices`], [`clock`], [`terminal`]: the edges.
//!
//! A verb collects its output in a string; [`run`] alone writes to the standard streams, so one place decides what
//! a closed pipe means and nothing from the broker, a process or the user reaches the terminal unescaped.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod broker;
pub mod cgroup;
pub mod cli;
pub mod clock;
pub mod devices;
pub mod doctor;
pub mod render;
pub mod signal;
pub mod terminal;
pub mod verbs;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::cli::Request;
use crate::render::text;

/// Runs one command line, program name included. The exit code is 0 for success and 1 for every failure
/// (contract/loginctl.md section 5); doctor has 2 besides ([`doctor::report::exit_code`]).
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut output = String::new();
    let result = cli::parse(args).and_then(|request| match request {
        Request::Print(text) => {
            output = text;
            Ok(ExitCode::SUCCESS)
        }
        Request::Run { options, verb } => verbs::run(&options, verb, &mut output),
    });
    // What was collected before a failure is shown before the failure.
    let written = write_out(&output);
    match result.and_then(|code| written.map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            let message = text::escape_lines(format!("{error:#}").trim_end());
            // With no standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
fn write_out(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(e).context("Failed to write to standard output"))
        }
        _ => Ok(()),
    }
}
