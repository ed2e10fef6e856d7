//! What continuous integration runs. The order is from fast to slow.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::{cargo, fuzz, packages, test};

/// Installed where no cargo-deny is present.
const CARGO_DENY: &str = "0.20.2";

/// Runs every check; the first that fails ends it.
pub(crate) fn run() -> Result<ExitCode> {
    packages::ensure()?;
    step("format");
    cargo::run(&["fmt", "--all", "--check"])?;
    cargo::run(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    step("lints");
    cargo::run(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])?;
    step("documentation");
    let mut doc = cargo::command(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    cargo::succeed(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    step("dependencies");
    dependencies()?;
    step("tests");
    let verdict = test::run(&test::Options::default())?;
    if verdict != ExitCode::SUCCESS {
        return Ok(verdict);
    }
    step("fuzzing");
    fuzz::run(&fuzz::Options::short())
}

fn step(name: &str) {
    println!("\n#### {name}");
}

/// Licences, bans and sources need nothing but the lock file; the advisory database is fetched from its own server.
fn dependencies() -> Result<()> {
    if !succeeds(&["deny", "--version"]) {
        println!("cargo-deny is missing and will be installed from crates.io: it checks the dependencies");
        cargo::run(&["install", "--locked", "--version", CARGO_DENY, "cargo-deny"])
            .context("install cargo-deny")?;
    }
    cargo::run(&["deny", "check", "bans", "licenses", "sources"])?;
    if !succeeds(&["deny", "fetch", "db"]) {
        println!(
            "WARNING: the advisory database (see `advisories` in deny.toml) cannot be fetched from here: \
             KNOWN VULNERABILITIES ARE NOT CHECKED in this run"
        );
        return Ok(());
    }
    cargo::run(&["deny", "check", "advisories"])
}

fn succeeds(arguments: &[&str]) -> bool {
    let mut command: Command = cargo::command(arguments);
    command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
