//! usher-user-manager: the process that *becomes* a user's service manager. usherd starts it as root, once a user; the pid
//! stays the same to the end, so that usherd's pidfd, the cgroup and the manager's notifications all mean one process.
//!
//! Once usherd has put it on file ([`go_ahead`]), in this order, each step with its own exit code ([`failure`]):
//! 1. into the manager's cgroup ([`cgroup`]);
//! 2. where PID 1 is not systemd: a mount namespace in which systemd believes it is ([`boot_marker`]);
//! 3. session leader, resource limits, umask, groups ([`process`], [`identity`]), before PAM, whose modules may change them;
//! 4. a PAM session of its own, kept open by a helper process ([`pam_session`]);
//! 5. away with root ([`identity`]), and exec ([`process`]).
//!
//! It may wait for a slow name service or PAM module: that is what it is for. usherd never does.

#![deny(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod boot_marker;
mod cgroup;
mod cli;
mod environment;
mod failure;
mod go_ahead;
mod identity;
mod mount_table;
mod pam_session;
mod process;
mod raw;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Arguments;
use crate::environment::Environment;
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.await_go_ahead && !go_ahead::came() {
        return ExitCode::FAILURE;
    }
    // Only failures return.
    let failure = become_manager(&arguments);
    failure::print(&arguments, &failure);
    ExitCode::from(failure.phase.exit_code())
}

fn become_manager(arguments: &Arguments) -> Failure {
    let prepared = (|| {
        if let Some(cgroup) = &arguments.cgroup {
            cgroup::join(cgroup)?;
        }
        if arguments.private_boot_marker {
            boot_marker::make(&arguments.runtime_dir)?;
        }
        process::set_up(arguments);
        identity::take_groups(arguments)?;
        let environment = pam_session::open(arguments, Environment::prepare(arguments))?;
        identity::drop_privileges(arguments)?;
        Ok(environment)
    })();
    match prepared {
        Ok(environment) => process::exec(arguments, environment),
        Err(failure) => failure,
    }
}
