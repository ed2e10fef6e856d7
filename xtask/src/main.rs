//! `cargo xtask`: the front door. Every command does its own set-up: it says which Debian packages are missing and why,
//! installs them, builds, and asks for root where namespaces need it. Nothing of what it shows touches the host.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod ci;
mod demo;
mod dist;
mod fuzz;
mod generate;
mod install;
mod packages;
mod picture;
mod root;
mod shell;
mod soak;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Build, try out, test and measure usher.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show the main job in a machine of its own: logins, runtime directory, user manager, linger, logout
    Demo(Prepared),
    /// Leave you as root in such a machine, with usherd and sshd running
    Shell(Prepared),
    /// Run the tests of every tier
    Test(test::Options),
    /// Measure logins through usher, elogind and logind side by side, beside the kernel's own share and the bare user manager
    Bench(bench::Options),
    /// Feed every reader of other people's bytes with millions of odd ones, for some seconds each
    Fuzz(fuzz::Options),
    /// Let storms loose on usherd for some minutes: crashes, thousands of logins, bad managers
    Soak(soak::Options),
    /// Build for release and install: programs, PAM module, configuration, what the bus, polkit and the init read
    Install(install::Options),
    /// Remove what `install` with the same options has installed
    Uninstall(install::Options),
    /// Make a Debian package and an archive of the sources, in target/dist
    Dist(dist::Options),
    /// Write manual pages and completions anew, from what the code says
    Generate(generate::Options),
    /// Draw what a terminal has shown (standard input) as an SVG
    Picture(picture::Options),
    /// What continuous integration runs: format, lints, documentation, dependencies, tests, a little fuzzing
    Ci,
    /// Install the Debian packages that the other commands need, and nothing else
    Setup,
}

/// Tasks in a machine run twice: as the caller to install and build, then as root.
#[derive(clap::Args)]
struct Prepared {
    /// Packages and programs are there already (used by cargo xtask itself, behind sudo)
    #[arg(long, hide = true)]
    prepared: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Demo(prepared) => in_machine("demo", &prepared, demo::run),
        Task::Shell(prepared) => in_machine("shell", &prepared, shell::run),
        Task::Bench(options) => bench::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Install(options) => install::install(&options),
        Task::Uninstall(options) => install::uninstall(&options),
        Task::Dist(options) => dist::run(&options),
        Task::Generate(options) => generate::run(&options),
        Task::Picture(options) => picture::run(&options),
        Task::Ci => ci::run(),
        Task::Setup => packages::ensure().map(|()| ExitCode::SUCCESS),
    }
}

fn in_machine(name: &str, prepared: &Prepared, task: fn() -> Result<ExitCode>) -> Result<ExitCode> {
    if !prepared.prepared {
        // The name in the file system, before the build below puts another file there.
        let program = std::env::current_exe()?;
        packages::ensure()?;
        cargo::build()?;
        if !root::are_we() {
            root::ask("a machine in namespaces can be made by root only")?;
            return root::rerun(&program, &[name, "--prepared"]);
        }
    }
    task()
}
