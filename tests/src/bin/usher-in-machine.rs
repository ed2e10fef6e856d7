//! Runs one program in a machine of its own: cargo's runner for tests that change the kernel's state (mounts, cgroups,
//! processes) and need root. `cargo xtask test` sets it; nothing of what such a test does reaches the host.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use usher_tests::Machine;

/// Where the program is in the machine.
const PLACE: &str = "/usr/bin/usher-program-under-test";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    run(&words).unwrap_or_else(|error| {
        eprintln!("usher-in-machine: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(words: &[String]) -> Result<ExitCode> {
    let (program, rest) = words.split_first().context("which program?")?;
    let program = Path::new(program).canonicalize().with_context(|| format!("find {program}"))?;
    let machine = Machine::builder().bare().program(program, PLACE).try_boot()?;
    let command: Vec<&str> = std::iter::once(PLACE).chain(rest.iter().map(String::as_str)).collect();
    let status = machine.interactive(&command).status().context("run the program in the machine")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
