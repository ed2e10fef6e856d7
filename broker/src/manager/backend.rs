//! What runs as a user's manager, and the command line that makes a process become it.

use std::path::{Path, PathBuf};
use std::process::Command;

use usher_model::Account;

use crate::config::Manager;

/// Becomes the manager: joins the cgroup, opens the PAM session, drops privileges, executes the program.
pub(super) const LAUNCHER: &str = "/usr/lib/usher/usher-user-manager";
/// Where distributions keep systemd.
const SYSTEMD: &[&str] = &["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// A program and what it needs.
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    /// systemd refuses to run where `/run/systemd/system` does not exist; nobody else may see it
    /// (DESIGN.md section 4).
    boot_marker: bool,
}

/// The program of a backend. Without cgroups systemd ends with a bare exit status; better to say why it cannot run.
pub(super) fn program(backend: &Manager, has_cgroups: bool) -> Result<Program, String> {
    match backend {
        Manager::None => Err("no user manager is configured (Manager=none)".to_owned()),
        Manager::Systemd if !has_cgroups => Err("systemd --user needs a cgroup2 tree that usherd may write to, and \
             there is none; give the container one, or set Manager= in /etc/usher/usher.conf to none or to another \
             manager"
            .to_owned()),
        Manager::Systemd => {
            let path = SYSTEMD.iter().map(Path::new).find(|path| path.exists()).ok_or_else(|| {
                format!(
                    "there is no {}: install systemd, or set Manager= in /etc/usher/usher.conf",
                    SYSTEMD[0]
                )
            })?;
            Ok(Program { path: path.to_owned(), arguments: vec!["--user".to_owned()], boot_marker: true })
        }
        Manager::Command(words) => {
            let (path, arguments) = words.split_first().ok_or("Manager= names no program")?;
            Ok(Program { path: path.into(), arguments: arguments.to_vec(), boot_marker: false })
        }
    }
}

/// The command that becomes that program for a user.
pub(super) fn command(
    account: &Account,
    program: &Program,
    cgroup: Option<&Path>,
    notify_socket: &Path,
) -> Command {
    let mut command = Command::new(LAUNCHER);
    command
        .arg("--uid")
        .arg(account.uid.to_string())
        .arg("--gid")
        .arg(account.gid.to_string())
        .arg("--name")
        .arg(account.name.as_str())
        .arg("--home")
        .arg(&account.home)
        .arg("--shell")
        .arg(&account.shell)
        .arg("--runtime-dir")
        .arg(account.uid.runtime_path())
        .arg("--notify-socket")
        .arg(notify_socket);
    if let Some(cgroup) = cgroup {
        command.arg("--cgroup").arg(cgroup);
    }
    if program.boot_marker {
        command.arg("--private-boot-marker");
    }
    command.arg("--await-go-ahead");
    command.arg("--").arg(&program.path).args(&program.arguments);
    // usherd's own environment is the init system's business, not the users'.
    command.env_clear();
    command
}
