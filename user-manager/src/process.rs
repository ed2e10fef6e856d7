//! What the manager's process is like: session, limits, signals, directory; and the exec.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::setsid;

use crate::cli::Arguments;
use crate::environment::Environment;
use crate::failure::{Failure, Phase, warn};
use crate::raw;

/// The hard limit on descriptors that systemd gives to user managers (user@.service, systemd.conf(5)).
const NOFILE_MAX: u64 = 524_288;
/// And the soft one.
const NOFILE_SOFT: u64 = 1024;
/// OOMScoreAdjust= of user@.service: user programs go before system services.
const OOM_SCORE_ADJUST: &str = "100";

/// Session, limits and umask. Nothing here keeps a manager from starting.
pub(crate) fn set_up(arguments: &Arguments) {
    // EPERM: usherd has made this a session leader already.
    let _ = setsid();
    umask(Mode::from_bits_truncate(0o022));
    if let Err(e) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUST) {
        warn(arguments, "cannot set the OOM score, continuing", &e);
    }
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // usherd's own soft limit is high; programs that use select(2) break beyond 1024.
        let soft = NOFILE_SOFT.min(hard);
        // Without CAP_SYS_RESOURCE, or above fs.nr_open, the hard limit stays what it is.
        if setrlimit(Resource::RLIMIT_NOFILE, soft, hard.max(NOFILE_MAX)).is_err() {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
        }
    }
}

/// Becomes the program. Returns only when that fails.
pub(crate) fn exec(arguments: &Arguments, environment: Environment) -> Failure {
    let home = &arguments.home;
    if let Err(e) = std::env::set_current_dir(home) {
        warn(arguments, &format!("cannot change to the home directory {}, using /", home.display()), &e);
        // `/` is a directory that everybody may enter.
        let _ = std::env::set_current_dir("/");
    }
    raw::default_signals();
    let (program, words) = match arguments.program.split_first() {
        Some((program, words)) => (program.clone(), words),
        None => (OsString::new(), [].as_slice()),
    };
    let environment = environment.for_manager(&arguments.notify_socket);
    let variables = environment.variables().iter().map(|(name, value)| (name, value));
    let cause = Command::new(&program).args(words).env_clear().envs(variables).exec();
    Failure {
        phase: Phase::Exec,
        what: format!("cannot execute {}: {cause}", program.display()),
        advice: "install the user manager, or choose another one in /etc/usher/usher.conf",
    }
}
