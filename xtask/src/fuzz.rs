//! Fuzzing: each target for some seconds, from its seeds and from all that has been found before. What is found is kept in
//! `fuzz/found`, where the ordinary tests try it again with every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cargo, packages};

/// Installed where no cargo-fuzz is present.
const CARGO_FUZZ: &str = "0.13.2";
/// No request, state file or configuration that is interesting is longer.
const MAX_LENGTH: u32 = 4096;
/// An input that takes longer is a finding.
const SLOWEST: u32 = 5;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long for each target
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Only this target (see fuzz/README.md)
    target: Option<String>,
}

impl Options {
    /// What continuous integration has time for.
    pub(crate) fn short() -> Self {
        Self { seconds: 5, target: None }
    }
}

/// Builds all targets and runs them one after the other, all of them whatever one finds.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let targets = targets(options.target.as_deref())?;
    packages::ensure()?;
    ensure_cargo_fuzz()?;
    println!("Building the fuzz targets (the first time takes a few minutes) …");
    let mut build = fuzz("build", &[]);
    cargo::succeed(&mut build)?;
    let mut failed = Vec::new();
    for target in &targets {
        println!("\n==== {target}, {} s", options.seconds);
        if !fuzz_one(target, options.seconds)? {
            failed.push(target.as_str());
        }
    }
    println!();
    for target in &targets {
        println!("{target:15} {}", if failed.contains(&target.as_str()) { "FAILED" } else { "ok" });
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of the targets, or the one that was asked for.
fn targets(only: Option<&str>) -> Result<Vec<String>> {
    let entries = fs::read_dir(root().join("fuzz_targets")).context("list fuzz/fuzz_targets")?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<_> = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    all.sort();
    match only {
        None => Ok(all),
        Some(name) if all.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!("there is no target '{name}', but there are: {}", all.join(" ")),
    }
}

fn ensure_cargo_fuzz() -> Result<()> {
    let mut version = cargo::command(&["fuzz", "--version"]);
    let there =
        version.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if there {
        return Ok(());
    }
    println!(
        "cargo-fuzz is missing and will be installed from crates.io: it builds and runs the fuzz targets"
    );
    cargo::run(&["install", "--locked", "--version", CARGO_FUZZ, "cargo-fuzz"]).context("install cargo-fuzz")
}

/// Without a sanitizer the stable toolchain will do. What is fuzzed has no unsafe code that one could find anything in.
fn fuzz(verb: &str, words: &[&str]) -> Command {
    let mut command = cargo::command(&["fuzz", verb, "--sanitizer", "none"]);
    command.args(words).current_dir(root());
    command
}

/// Runs one target. What it finds is kept.
fn fuzz_one(target: &str, seconds: u32) -> Result<bool> {
    // The first directory is where new inputs go.
    let directories = ["corpus", "seeds", "found"].map(|kind| root().join(kind).join(target));
    let artifacts = root().join("artifacts").join(target);
    for directory in directories.iter().take(1).chain([&artifacts]) {
        fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    }
    let before = files(&artifacts);
    let mut command = fuzz("run", &[target]);
    command.args(directories.iter().filter(|directory| directory.exists()));
    command.arg("--").arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={MAX_LENGTH}"));
    command.arg(format!("-timeout={SLOWEST}")).arg("-verbosity=0").arg("-print_final_stats=1");
    let status = command.status().context("run cargo fuzz")?;
    for path in files(&artifacts).into_iter().filter(|path| !before.contains(path)) {
        keep(target, &path)?;
    }
    Ok(status.success())
}

/// Puts an input that a target failed on where it is tried again from now on.
fn keep(target: &str, path: &Path) -> Result<()> {
    let directory = root().join("found").join(target);
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let kept = directory.join(path.file_name().context("a file has a name")?);
    fs::copy(path, &kept).with_context(|| format!("copy {}", path.display()))?;
    println!(
        "FOUND: {}\nIt is a regression case from now on: give it a name that says what is wrong, mend that, commit both.",
        kept.display()
    );
    Ok(())
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fuzz")
}
