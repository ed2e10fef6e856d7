//! `cargo xtask bench`: what a login waits for in pam_open_session and pam_close_session, beside what the kernel and
//! bare user managers take for the same; what usherd holds in memory; how fast it is back after `kill -9`; what all
//! that costs with a bus, and what a client of the bus waits for ([`bus`]).
//!
//! `usher-pam-load` measures, in a machine of its own, as a PAM application, and `usher-bus-load` as a client of the bus; this
//! module says what is measured and in which order ([`plan`]), sums up ([`stats`]) and prints ([`report`]). Cases that are compared take turns, so that a
//! drift of the machine meets all of them.

mod backend;
mod bare;
mod bus;
mod bus_report;
mod first;
mod plan;
mod report;
mod stats;
mod usherd;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{cargo, packages, root};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer rounds, under half a minute: for a glance, not for comparisons
    #[arg(long)]
    quick: bool,
    /// Built already, with optimization (used by cargo xtask itself, behind sudo)
    #[arg(long, hide = true)]
    prepared: bool,
}

/// Builds for release, then measures as root.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.prepared {
        return measure(options.quick);
    }
    packages::ensure()?;
    cargo::build_release()?;
    root::ask("a machine in namespaces can be made by root only")?;
    let target = cargo::target_dir()?;
    let result = target.join("bench");
    std::fs::create_dir_all(&result).with_context(|| format!("make {}", result.display()))?;
    // Made here, as whoever calls; root only fills it.
    let json = result.join("usher.json");
    std::fs::write(&json, "").with_context(|| format!("write {}", json.display()))?;
    let mut arguments = vec!["bench", "--prepared"];
    arguments.extend(options.quick.then_some("--quick"));
    // A program finds the others in its own directory: the release build of this one finds release builds.
    root::rerun(&target.join("release/xtask"), &arguments)
}

fn measure(quick: bool) -> Result<ExitCode> {
    let results = plan::run(if quick { &plan::QUICK } else { &plan::FULL })?;
    report::print(&results);
    let json = cargo::target_dir()?.join("bench/usher.json");
    let text = serde_json::to_string_pretty(&results).context("write the results as JSON")?;
    std::fs::write(&json, text + "\n").with_context(|| format!("write {}", json.display()))?;
    println!("\nAll of it: {}", json.display());
    Ok(if results.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
