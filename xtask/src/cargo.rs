//! Calling cargo, always as the calling user: `target/` never holds files of root.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::root;

/// The cargo that runs this program, in the workspace's root.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}

/// Runs cargo to success.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    succeed(&mut command(arguments))
}

/// Runs a prepared command to success.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let words = words.join(std::ffi::OsStr::new(" "));
    let status = command.status().with_context(|| format!("run `{}`", words.display()))?;
    if !status.success() {
        bail!("`{}` failed: {status}", words.display());
    }
    Ok(())
}

/// Builds every program and the PAM module.
pub(crate) fn build() -> Result<()> {
    println!("Building usher …");
    run(&["build", "--workspace"])
}

/// Builds the usherd that tests can make die at named points, beside the usual one. With the features of the whole
/// workspace, so that nothing but the broker is built a second time.
pub(crate) fn build_crash_points() -> Result<()> {
    let features = ["--features", "usher-broker/crash-points"];
    run(&[&["build", "--workspace", "--bin", "usherd-crash-points"], &features[..]].concat())
}

/// The same with optimization, for measurements.
pub(crate) fn build_release() -> Result<()> {
    println!("Building usher for release (the first time takes a few minutes) …");
    run(&["build", "--workspace", "--release"])
}

/// cargo's target directory: this program is in `target/PROFILE`.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("find the running program")?;
    let target = program.parent().and_then(|profile| profile.parent());
    Ok(target.context("the running program is in no target directory")?.to_owned())
}

/// Lets cargo start test programs, and only these, as root.
pub(crate) fn run_as_root(command: &mut Command) -> Result<()> {
    if root::are_we() { Ok(()) } else { run_through(command, as_root()) }
}

/// Lets cargo start test programs, and only these, each in a machine of its own.
pub(crate) fn run_in_machine(command: &mut Command) -> Result<()> {
    let program = std::env::current_exe().context("find this program")?;
    let runner = program.with_file_name("usher-in-machine").display().to_string();
    run_through(command, if root::are_we() { runner } else { format!("{} {runner}", as_root()) })
}

fn as_root() -> String {
    let backtrace = std::env::var("RUST_BACKTRACE").unwrap_or_else(|_| "0".to_owned());
    let update = std::env::var("UPDATE_GOLDENS").unwrap_or_else(|_| "0".to_owned());
    format!("sudo env RUST_BACKTRACE={backtrace} UPDATE_GOLDENS={update}")
}

fn run_through(command: &mut Command, runner: String) -> Result<()> {
    let variable = format!("CARGO_TARGET_{}_RUNNER", host()?.to_uppercase().replace(['-', '.'], "_"));
    command.env(variable, runner);
    Ok(())
}

/// The target triple that this toolchain builds for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("run rustc -vV")?;
    let text = String::from_utf8(output.stdout).context("read what rustc -vV wrote")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("no `host:` in what rustc -vV wrote: {text}"))
}
