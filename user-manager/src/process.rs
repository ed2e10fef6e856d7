//! What the manager's process is like: session, limits, signals, directory; and the exec.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::setsid;

use crate::cli::Arguments;
use crate::environment::Environment;
use crate::failure::{Failure, Phase, warn};
use crate::raw;
use crate::readiness::{Ready, ReadyBy};

/// The hard limit on descriptors that systemd gives to user managers (user@.service, systemd.conf(5)).
const NOFILE_MAX: u64 = 524_288;
/// And the soft one.
const NOFILE_SOFT: u64 = 1024;

/// Session, limits and umask. Nothing here keeps a manager from starting.
pub(crate) fn set_up(arguments: &Arguments) {
    // EPERM: usherd has made this a session leader already.
    let _ = setsid();
    umask(Mode::from_bits_truncate(arguments.umask));
    if let Err(e) = std::fs::write("/proc/self/oom_score_adj", arguments.oom_score_adjust.to_string()) {
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
    for limit in &arguments.limit {
        limit.set(arguments);
    }
    if let Some(nice) = arguments.nice
        && let Err(e) = rustix::process::setpriority_process(None, nice)
    {
        warn(arguments, "cannot set the nice level, continuing", &e);
    }
}

/// Becomes the program. Returns only when that fails.
pub(crate) fn exec(arguments: &Arguments, environment: Environment, ready: Option<Ready>) -> Failure {
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
    if let Err(failure) = prepare_readiness(arguments, &program, ready) {
        return failure;
    }
    let environment = environment.for_manager(arguments.notify_socket.as_deref(), &arguments.unsetenv);
    let variables = environment.variables().iter().map(|(name, value)| (name, value));
    not_executed(&program, &Command::new(&program).args(words).env_clear().envs(variables).exec())
}

fn not_executed(program: &OsStr, cause: &dyn Display) -> Failure {
    Failure {
        phase: Phase::Exec,
        what: format!("cannot execute {}: {cause}", program.display()),
        advice: "install the user manager, or choose another one in /etc/usher/usher.conf",
    }
}

/// Sees to it that usherd hears when the program is ready.
fn prepare_readiness(arguments: &Arguments, program: &OsStr, ready: Option<Ready>) -> Result<(), Failure> {
    let Some(ready) = ready else { return Ok(()) };
    match (arguments.ready_by, &arguments.ready_file) {
        (ReadyBy::File, Some(file)) => {
            // Whatever an earlier manager has left there says nothing of this one.
            let _ = std::fs::remove_file(file);
            ready.say_when_there(file)
        }
        (ReadyBy::Exec, _) => {
            // Said before it is true, so it had better become true.
            rustix::fs::access(program, rustix::fs::Access::EXEC_OK)
                .map_err(|cause| not_executed(program, &cause))?;
            ready.say();
            Ok(())
        }
        (ReadyBy::Fd | ReadyBy::File | ReadyBy::Notify, _) => ready.hand_on(),
    }
}
