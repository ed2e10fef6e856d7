//! The tests: what needs no machine as the calling user, what needs one as root.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::{cargo, dist, packages, root};

/// Options of `cargo xtask test`.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only this tier
    #[arg(long)]
    tier: Option<Tier>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// Model, edges, protocol, command line: everything in one process
    Unit,
    /// The broker's edges against the real kernel, each test program in a machine in namespaces; runs as root
    Kernel,
    /// Whole machines in namespaces with real PAM applications; runs as root
    E2e,
    /// Debian systems with sysvinit, OpenRC and runit, booted with the Debian package; runs as root, and needs Debian's
    /// archive once
    Boot,
    /// The real systemd-logind in a container that is built for it: whether it does what usherd is compared with, and usherd
    /// in its place; only when asked for, runs as root. With UPDATE_GOLDENS=1 what it does is written down
    Oracle,
}

struct Verdict {
    tier: Tier,
    passed: bool,
    time: Duration,
}

/// Runs every tier, even after a failure, and sums up.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let tiers: Vec<Tier> = [Tier::Unit, Tier::Kernel, Tier::E2e, Tier::Boot]
        .into_iter()
        .filter(|tier| options.tier.is_none_or(|only| only == *tier))
        // It downloads a distribution, and it is not usher that it tests.
        .chain(options.tier.filter(|only| *only == Tier::Oracle))
        .collect();
    packages::ensure()?;
    if tiers.iter().any(|tier| *tier != Tier::Unit) {
        root::ask("tests in machines in namespaces need it")?;
    }
    cargo::build()?;
    if tiers.contains(&Tier::E2e) {
        cargo::build_crash_points()?;
    }
    if tiers.contains(&Tier::Boot) {
        dist::package_for_tests()?;
    }
    let mut verdicts = Vec::new();
    for tier in tiers {
        println!("\n==== {}", name(tier));
        let start = Instant::now();
        let passed = run_tier(tier, options.filter.as_deref())?;
        verdicts.push(Verdict { tier, passed, time: start.elapsed() });
    }
    println!();
    for Verdict { tier, passed, time } in &verdicts {
        println!(
            "{:11} {:6} {:.1} s",
            name(*tier),
            if *passed { "ok" } else { "FAILED" },
            time.as_secs_f64()
        );
    }
    Ok(if verdicts.iter().all(|verdict| verdict.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Unit => "unit",
        Tier::Kernel => "kernel",
        Tier::E2e => "end to end",
        Tier::Boot => "boot",
        Tier::Oracle => "oracle",
    }
}

fn run_tier(tier: Tier, filter: Option<&str>) -> Result<bool> {
    let packages: &[&str] = match tier {
        Tier::Unit => &["--workspace", "--exclude", "usher-tests"],
        // The tests of the edges, which are only there with this feature.
        Tier::Kernel => &["--package", "usher-broker", "--features", "kernel-tests", "--test", "kernel_*"],
        Tier::E2e => &["--package", "usher-tests"],
        Tier::Boot => {
            &["--package", "usher-tests", "--features", "boot", "--test", "boot_*", "--test", "migrate_*"]
        }
        Tier::Oracle => &[
            "--package",
            "usher-tests",
            "--features",
            "oracle",
            "--test",
            "oracle_*",
            "--test",
            "init_systemd",
        ],
    };
    let mut command = cargo::command(&["test", "--no-fail-fast"]);
    command.args(packages).args(filter);
    match tier {
        Tier::Unit => {}
        Tier::Kernel => cargo::run_in_machine(&mut command)?,
        Tier::E2e | Tier::Boot | Tier::Oracle => cargo::run_as_root(&mut command)?,
    }
    match cargo::succeed(&mut command) {
        Ok(()) => Ok(true),
        Err(error) => {
            eprintln!("{error:#}");
            Ok(false)
        }
    }
}
