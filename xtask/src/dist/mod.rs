//! `cargo xtask dist`: what a release consists of, in target/dist: a Debian package, the sources, and their checksums.
//! The same sources give the same bytes: times are SOURCE_DATE_EPOCH, or else that of the last commit.

mod control;
mod deb;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::install::layout::tree;
use crate::install::{manifest, table};
use crate::{cargo, install};

/// Options of `cargo xtask dist`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Take programs from this directory and build nothing
    #[arg(long, value_name = "DIRECTORY")]
    bin_dir: Option<PathBuf>,
    /// Where the results go [default: target/dist]
    #[arg(long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,
    /// Where PAM looks for modules [default: where this machine's pam_unix.so is]
    #[arg(long, value_name = "DIRECTORY")]
    pamdir: Option<PathBuf>,
}

/// Makes everything.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let layout = deb::layout(options.pamdir.clone())?;
    let programs = match &options.bin_dir {
        Some(directory) => directory.clone(),
        None => install::build(&layout)?,
    };
    let output = match &options.output {
        Some(directory) => std::path::absolute(directory).context("--output")?,
        None => cargo::target_dir()?.join("dist"),
    };
    fs::create_dir_all(&output).with_context(|| format!("make {}", output.display()))?;
    let epoch = epoch()?;
    let mut made = vec![deb::make(&layout, &programs, &output, epoch)?];
    match archive(&output, epoch) {
        Ok(path) => made.push(path),
        Err(error) => println!("No archive of the sources: {error:#}"),
    }
    let mut sums = String::new();
    for path in &made {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().display();
        sums += &format!("{}  {name}\n", manifest::digest(&bytes));
        println!("{}", path.display());
    }
    let path = output.join("SHA256SUMS");
    fs::write(&path, sums).with_context(|| format!("write {}", path.display()))?;
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Only the Debian package, in target/boot, for tests that install it: of the programs that were built for tests, without
/// what is in them for debuggers, which would have to be compressed.
pub(crate) fn package_for_tests() -> Result<()> {
    println!("Making a Debian package for the tests …");
    let program = std::env::current_exe().context("find the running program")?;
    let built = program.parent().context("the running program is in no directory")?;
    let boot = cargo::target_dir()?.join("boot");
    let programs = boot.join("programs");
    if boot.exists() {
        fs::remove_dir_all(&boot).with_context(|| format!("remove {}", boot.display()))?;
    }
    fs::create_dir_all(&programs).with_context(|| format!("make {}", programs.display()))?;
    for name in table::programs() {
        output(Command::new("strip").arg("-o").args([programs.join(name), built.join(name)]))?;
    }
    deb::make(&deb::layout(None)?, &programs, &boot, epoch()?)?;
    Ok(())
}

/// The version of the workspace, which is this program's, too.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The time that everything is said to be from, in seconds.
fn epoch() -> Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH={text}: expected seconds since 1970"));
    }
    let text = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(tree()))
        .context("when was the last commit? Outside of a git repository, set SOURCE_DATE_EPOCH")?;
    text.trim().parse().with_context(|| format!("read the time of the last commit, {text:?}"))
}

/// The sources as they are committed.
fn archive(directory: &Path, epoch: u64) -> Result<PathBuf> {
    let name = format!("usher-{VERSION}");
    let tar = directory.join(format!("{name}.tar"));
    let changes = output(Command::new("git").args(["status", "--porcelain"]).current_dir(tree()))?;
    if !changes.is_empty() {
        println!(
            "The archive of the sources is that of the last commit: what was changed since is not in it."
        );
    }
    let mut git = Command::new("git");
    git.args(["archive", "--format=tar"]).arg(format!("--prefix={name}/")).arg(format!("--mtime=@{epoch}"));
    output(git.arg("-o").arg(&tar).arg("HEAD").current_dir(tree()))?;
    output(Command::new("gzip").args(["--no-name", "--best", "--force"]).arg(&tar))?;
    Ok(directory.join(format!("{name}.tar.gz")))
}

/// Runs a command to success; what it wrote.
fn output(command: &mut Command) -> Result<String> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let words = words.join(OsStr::new(" ")).display().to_string();
    let output = command.output().with_context(|| format!("run `{words}`"))?;
    if !output.status.success() {
        bail!("`{words}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what `{words}` wrote"))
}
