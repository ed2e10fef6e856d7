//! In which groups somebody is: asked of the name service by a child process, which is killed if it hangs. Only where
//! `ManagerOf=` names groups, and only when a manager is to be started.

use std::io;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::process::Command;
use usher_model::Account;

/// usherd with this argument, a user's name, a gid and names of groups calls [`main`] and does nothing else.
pub(crate) const ARGUMENT: &str = "--internal-groups";

/// How long the name service may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Those of the groups that the user is a member of. May be given up.
///
/// # Errors
/// Why that is not known.
pub(super) async fn ask(account: &Account, groups: &[String]) -> Result<Vec<String>, String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(ARGUMENT).arg(account.name.as_str()).arg(account.gid.to_string()).args(groups);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let failed = |error: io::Error| format!("the groups of {} cannot be looked up: {error}", account.name);
    let output = tokio::time::timeout(LIMIT, command.output()).await;
    let output = output
        .map_err(|_| format!("the name service did not tell the groups of {} within 10 s", account.name))?
        .map_err(failed)?;
    if !output.status.success() {
        return Err(format!("the name service failed to tell the groups of {}", account.name));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(groups.iter().filter(|group| names.lines().any(|line| line == *group)).cloned().collect())
}

/// All that the child process does: prints those of the groups that the user is a member of, one a line.
pub(crate) fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let user = arguments.next().and_then(|name| std::ffi::CString::new(name).ok());
    let gid = arguments.next().and_then(|gid| gid.parse().ok()).map(nix::unistd::Gid::from_raw);
    let (Some(user), Some(gid)) = (user, gid) else { return ExitCode::FAILURE };
    let Ok(member_of) = nix::unistd::getgrouplist(&user, gid) else { return ExitCode::FAILURE };
    for name in arguments {
        match nix::unistd::Group::from_name(&name) {
            Ok(Some(group)) if member_of.contains(&group.gid) => println!("{name}"),
            Ok(_) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
    ExitCode::SUCCESS
}
