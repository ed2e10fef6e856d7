//! Being root, or asking sudo(8) for it: once, and with a reason.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

/// Whether this process is root.
pub(crate) fn are_we() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Makes sure that the next commands can be run as root; sudo remembers the password for a while.
pub(crate) fn ask(reason: &str) -> Result<()> {
    if are_we() {
        return Ok(());
    }
    let quiet =
        Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match quiet {
        Ok(status) if status.success() => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("root is needed: {reason}. There is no sudo here: run the same command as root")
        }
        Err(error) => return Err(error).context("run sudo"),
    }
    println!("Root is needed: {reason}. sudo may ask for your password.");
    let status = Command::new("sudo").arg("-v").status().context("run sudo")?;
    if !status.success() {
        bail!("root is needed: {reason}. sudo refused: run the same command as root");
    }
    Ok(())
}

/// A command that runs as root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    if are_we() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

/// Runs this program again, as root, and takes over its exit code.
pub(crate) fn rerun<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<ExitCode> {
    let status = command(program)
        .args(arguments)
        .status()
        .with_context(|| format!("run {} as root", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
