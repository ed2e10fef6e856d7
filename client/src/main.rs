//! The `usherctl` binary: hands its arguments to the library and exits with its answer.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    usher_client::run(std::env::args_os())
}
