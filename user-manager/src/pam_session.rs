//! The manager's own PAM session, service `systemd-user` (contract/pam.md section 8). A helper process, called
//! `(sd-pam)` as systemd's is, keeps it open and closes it when the manager has gone: the manager itself becomes
//! another program and drops its privileges, and neither can close a session.

use std::path::Path;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{ForkResult, Pid, getpid, getppid};
use usher_pam::{Credentials, PamError, Transaction};

use crate::cli::Arguments;
use crate::environment::Environment;
use crate::failure::{Failure, Phase, warn};
use crate::{identity, raw};

const SERVICE: &str = "systemd-user";
/// Where libpam looks for a service's file (pam.d(5); the last one is openSUSE's).
const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// A session that is not open yet: PAM's modules are loaded, and none has been called.
pub(crate) struct Prepared(Transaction);

/// Loads the modules, with the environment that they get to see. `None` where the machine has no such service.
pub(crate) fn prepare(arguments: &Arguments, environment: &Environment) -> Result<Option<Prepared>, Failure> {
    if !is_configured(Path::new("/")) {
        return Ok(None);
    }
    let mut pam = Transaction::start(SERVICE, &arguments.name).map_err(failed)?;
    for (name, value) in environment.variables() {
        pam.putenv(&name.to_string_lossy(), value).map_err(failed)?;
    }
    Ok(Some(Prepared(pam)))
}

impl Prepared {
    /// Opens the session and starts the helper. Returns the environment that PAM makes of the one given.
    pub(crate) fn open(self, arguments: &Arguments) -> Result<Environment, Failure> {
        let Self(mut pam) = self;
        pam.acct_mgmt().map_err(refused)?;
        if let Err(e) = pam.setcred(Credentials::Establish) {
            warn(arguments, "continuing without PAM credentials", &e);
        }
        let is_open = pam
            .open_session()
            .inspect_err(|e| warn(arguments, "continuing without a PAM session", e))
            .is_ok();
        let environment = pam.getenvlist().map_err(failed)?;
        if is_open {
            start_helper(arguments, pam)?;
        }
        Ok(environment.into())
    }
}

/// Whether the machine has the service. Where it has not, libpam would use `other`, which refuses everything.
fn is_configured(root: &Path) -> bool {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    if DIRECTORIES.iter().any(|directory| below(directory).join(SERVICE).is_file()) {
        return true;
    }
    // pam.conf(5): read only where there is no directory.
    let old = std::fs::read_to_string(below("/etc/pam.conf")).unwrap_or_default();
    !below("/etc/pam.d").is_dir()
        && old.lines().any(|line| line.split_ascii_whitespace().next() == Some(SERVICE))
}

fn start_helper(arguments: &Arguments, pam: Transaction) -> Result<(), Failure> {
    let manager = getpid();
    // Blocked before the fork: the helper must not miss the signal that the manager's death sends.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    let blocked = signals.thread_block();
    match blocked.and_then(|()| raw::fork()) {
        Ok(ForkResult::Parent { .. }) => {
            pam.leave_to_child();
            Ok(())
        }
        Ok(ForkResult::Child) => keep_open(arguments, pam, manager, &signals),
        Err(e) => Err(Failure {
            phase: Phase::Pam,
            what: format!("cannot start the (sd-pam) helper: {e}"),
            advice: "is there a limit on processes (pids.max of the user's cgroup, RLIMIT_NPROC)?",
        }),
    }
}

/// The helper: waits for the manager's death, then closes the session.
fn keep_open(arguments: &Arguments, mut pam: Transaction, manager: Pid, signals: &SigSet) -> ! {
    // For ps(1) and top(1), which know the name from systemd.
    let _ = prctl::set_name(c"(sd-pam)");
    raw::set_command_line(b"(sd-pam)");
    // The user's from here on, so that the user's manager may kill it; modules that close as root are rare.
    if let Err(e) = identity::drop_privileges(arguments) {
        warn(arguments, "the (sd-pam) helper keeps its privileges", &e.what);
    }
    // After the change of uid, which clears it (PR_SET_PDEATHSIG(2const)).
    let watching = prctl::set_pdeathsig(Signal::SIGTERM).is_ok();
    // The manager may have died before that; and somebody else's SIGTERM is none of our business while it lives.
    while watching && getppid() == manager {
        if signals.wait().is_err() {
            break;
        }
    }
    if let Err(e) = pam.close_session() {
        warn(arguments, "closing the PAM session", &e);
    }
    if let Err(e) = pam.setcred(Credentials::Delete) {
        warn(arguments, "deleting the PAM credentials", &e);
    }
    drop(pam);
    std::process::exit(0)
}

fn failed(error: PamError) -> Failure {
    Failure {
        phase: Phase::Pam,
        what: error.to_string(),
        advice: "see the system log for the PAM module's reason, and /etc/pam.d/systemd-user",
    }
}

fn refused(error: PamError) -> Failure {
    Failure {
        phase: Phase::Pam,
        what: error.to_string(),
        advice: "the account may not be used now (expired, nologin, access rules): see the system log, and \
                 'account' in /etc/pam.d/systemd-user",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_service_counts_where_libpam_would_find_it() {
        for place in ["etc/pam.d/systemd-user", "usr/lib/pam.d/systemd-user", "usr/etc/pam.d/systemd-user"] {
            let root = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
            assert!(!is_configured(root.path()));
            let file = root.path().join(place);
            let _ = fs::create_dir_all(file.parent().unwrap_or(root.path()));
            let _ = fs::write(&file, "");
            assert!(is_configured(root.path()), "{place}");
        }
    }

    #[test]
    fn the_old_file_counts_only_without_a_directory() {
        let root = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let _ = fs::create_dir(root.path().join("etc"));
        let _ = fs::write(
            root.path().join("etc/pam.conf"),
            "# systemd-user\nother session required pam_deny.so\n",
        );
        assert!(!is_configured(root.path()));
        let _ = fs::write(root.path().join("etc/pam.conf"), "systemd-user session required pam_unix.so\n");
        assert!(is_configured(root.path()));
        let _ = fs::create_dir(root.path().join("etc/pam.d"));
        assert!(!is_configured(root.path()));
    }
}
