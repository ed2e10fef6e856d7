//! Telling a user's manager to start and stop units: systemctl(1), with the user's rights and nobody else's.

use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use usher_model::Account;

use crate::programs::{self, Outcome};

/// systemctl only leaves word, and does not wait for what comes of it.
const LIMIT: Duration = Duration::from_secs(10);
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Where units of all users are, systemd.unit(5): the first of a name counts.
const UNITS: [&str; 5] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
];

/// What is to be done with units.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Start,
    Stop,
}

/// Whether there is such a unit, and nobody has masked it.
pub(super) fn is_installed(unit: &str) -> bool {
    let first =
        UNITS.iter().map(|place| Path::new(place).join(unit)).find(|path| path.symlink_metadata().is_ok());
    first.is_some_and(|path| path.canonicalize().is_ok_and(|real| real != Path::new("/dev/null")))
}

/// Leaves word with the user's manager. A manager that is not systemd is not talked to.
///
/// # Errors
/// The manager has not taken it, and why.
pub(super) async fn run(account: &Account, verb: Verb, units: &[&str]) -> Result<(), String> {
    let runtime_dir = account.uid.runtime_path();
    // Where systemd listens to its own user, with or without a bus.
    let socket = Path::new(&runtime_dir).join("systemd/private");
    if !socket.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        return Ok(());
    }
    let verb = match verb {
        Verb::Start => "start",
        Verb::Stop => "stop",
    };
    let mut command = Command::new("systemctl");
    command
        .args(["--user", "--no-block", "--no-ask-password", "--quiet", verb, "--"])
        .args(units)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", &account.home)
        .env("USER", account.name.as_str())
        .env("LOGNAME", account.name.as_str())
        .env("XDG_RUNTIME_DIR", &runtime_dir)
        .current_dir("/")
        // That takes all other groups away, too.
        .uid(account.uid.get())
        .gid(account.gid);
    let what = format!("systemctl --user {verb} {}", units.join(" "));
    let mut said = Vec::new();
    match programs::run(command, LIMIT, |line| said.push(line)).await {
        Ok(Outcome::Ended(status)) if status.success() => Ok(()),
        Ok(Outcome::Ended(status)) => Err(format!("{what}: {status}: {}", said.join("; "))),
        Ok(Outcome::Killed | Outcome::Stuck) => {
            Err(format!("{what} has not ended within {} s and is killed", LIMIT.as_secs()))
        }
        Err(error) => Err(format!("cannot run {what}: {error}")),
    }
}
