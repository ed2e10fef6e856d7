//! `cargo xtask bench`: what a login waits for in pam_open_session and pam_close_session, through usher and through its peers,
//! side by side ([`peers`]): in the same run, by the same program, in turn. And of usher alone: what it adds to the kernel and
//! to bare user managers ([`alone`]), and what the bus costs ([`bus`]).
//!
//! `usher-pam-load` measures as a PAM application, and `usher-bus-load` as a client of the bus, both in the place where the
//! broker is ([`broker`]); this module says what is measured and how often ([`plan`]), sums up ([`stats`]), prints
//! ([`report`]), and writes and draws for the documentation ([`docs`]).

mod alone;
mod backend;
mod broker;
mod bus;
mod docs;
mod first;
mod floor;
mod module;
mod peers;
mod plan;
mod quoted;
mod report;
mod results;
mod stats;
mod usherd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::{cargo, packages, root};
use broker::Name;
use results::Results;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer rounds and fewer sessions, usher alone unless peers are named, less than a minute: for a glance, not for comparisons
    #[arg(long)]
    quick: bool,
    /// The peers to measure beside usher [default: elogind,logind]
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "alone")]
    peers: Option<Vec<Peer>>,
    /// Measure no peer
    #[arg(long)]
    alone: bool,
    /// Write docs/bench.md and the pictures in docs/bench
    #[arg(long)]
    write_docs: bool,
    /// Measure nothing: take what a run before has written
    #[arg(long, value_name = "JSON-FILE")]
    from: Option<PathBuf>,
    /// Built already, with optimization (used by cargo xtask itself, behind sudo)
    #[arg(long, hide = true)]
    prepared: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Debian's elogind, in a container
    Elogind,
    /// Debian's systemd-logind, in a container with systemd
    Logind,
    /// None of them
    None,
}

impl Options {
    fn peers(&self) -> Vec<Peer> {
        match &self.peers {
            Some(peers) => peers.clone(),
            None if self.alone || self.quick => vec![Peer::None],
            None => vec![Peer::Elogind, Peer::Logind],
        }
    }
}

/// Builds for release, then measures as root.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.prepared {
        return measure(options);
    }
    if let Some(file) = &options.from {
        return show(file, options);
    }
    packages::ensure()?;
    cargo::build_release()?;
    root::ask("machines in namespaces can be made by root only")?;
    let json = json()?;
    let directory = json.parent().context("the target directory is none")?;
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    // Made here, as whoever calls; root only fills it.
    fs::write(&json, "").with_context(|| format!("write {}", json.display()))?;
    let peers: Vec<_> = options.peers().iter().filter_map(ValueEnum::to_possible_value).collect();
    let peers = peers.iter().map(|peer| peer.get_name()).collect::<Vec<_>>().join(",");
    // A program finds the others in its own directory: the release build of this one finds release builds.
    let program = cargo::target_dir()?.join("release/xtask");
    let program = program.to_str().context("the path of the target directory is not UTF-8")?;
    // Ahead of whatever else the computer does: brokers, buses and those who log in inherit it alike.
    let mut arguments = vec!["-n", "-20", program, "bench", "--prepared", "--peers", &peers];
    arguments.extend(options.quick.then_some("--quick"));
    let code = root::rerun(Path::new("nice"), &arguments)?;
    if options.write_docs {
        docs::write(&read(&json)?)?;
    }
    Ok(code)
}

fn measure(options: &Options) -> Result<ExitCode> {
    let mut brokers = vec![Name::Usher];
    brokers.extend(options.peers().iter().filter_map(|peer| match peer {
        Peer::Elogind => Some(Name::Elogind),
        Peer::Logind => Some(Name::Logind),
        Peer::None => None,
    }));
    let results = results::measure(if options.quick { &plan::QUICK } else { &plan::FULL }, &brokers)?;
    report::print(&results);
    let json = json()?;
    let text = serde_json::to_string_pretty(&results).context("write the results as JSON")?;
    fs::write(&json, text + "\n").with_context(|| format!("write {}", json.display()))?;
    println!("\nAll of it: {}", json.display());
    Ok(end(&results))
}

/// The tables of another run.
fn show(file: &Path, options: &Options) -> Result<ExitCode> {
    let results = read(file)?;
    report::print(&results);
    if options.write_docs {
        docs::write(&results)?;
    }
    Ok(end(&results))
}

fn end(results: &Results) -> ExitCode {
    if results.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn json() -> Result<PathBuf> {
    Ok(cargo::target_dir()?.join("bench/usher.json"))
}

fn read(file: &Path) -> Result<Results> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    ensure!(!text.is_empty(), "{} is empty: the run that was to fill it has failed", file.display());
    serde_json::from_str(&text).with_context(|| format!("understand {}", file.display()))
}
