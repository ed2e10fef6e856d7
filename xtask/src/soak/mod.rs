//! `cargo xtask soak`: storms on usherd, one after the other, each in a machine of its own, for as long as you like. What a
//! storm does and what must hold after it is `usher_tests::storm`, whose short forms are tests; this module says which storms
//! there are and how long each may be ([`storms`]), and sums up ([`report`]).

mod report;
mod storms;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{cargo, packages, root};

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long, at least 1
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Where chance begins, to meet the same choices again; another one each time if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Built already, with optimization (used by cargo xtask itself, behind sudo)
    #[arg(long, hide = true)]
    prepared: bool,
}

/// Builds for release, then lets the storms loose as root.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(any_seed);
    if options.prepared {
        return Ok(soak(Duration::from_secs(60 * options.minutes), seed));
    }
    packages::ensure()?;
    cargo::build_release()?;
    root::ask("machines in namespaces can be made by root only")?;
    // A program finds the others in its own directory: the release build of this one finds release builds.
    let program = cargo::target_dir()?.join("release/xtask");
    let (minutes, seed) = (options.minutes.to_string(), seed.to_string());
    root::rerun(&program, &["soak", "--prepared", "--minutes", &minutes, "--seed", &seed])
        .context("run the storms")
}

fn soak(time: Duration, seed: u64) -> ExitCode {
    println!("Storms for {} minutes on the release build; --seed {seed}", time.as_secs() / 60);
    let start = Instant::now();
    let mut rounds = Vec::new();
    for (number, (storm, limit)) in storms::schedule(time, start).enumerate() {
        println!("\n{}: {} (up to {:.0?})", number + 1, storm.what, limit);
        let round = storm.run(limit, seed.wrapping_add(number as u64));
        report::print_round(&round);
        rounds.push(round);
    }
    report::print(&rounds, start.elapsed(), seed);
    if rounds.iter().all(|round| round.outcome.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn any_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| u64::from(since.subsec_nanos()))
}
