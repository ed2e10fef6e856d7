//! usher-user-manager: the process that *becomes* a user's service manager. usherd starts it as root, once a user; the pid
//! stays the same to the end, so that usherd's pidfd, the cgroup and the manager's notifications all mean one process.
//!
//! In this order, each step with its own exit code ([`failure`]):
//! 1. into the manager's cgroup ([`cgroup`]);
//! 2. where PID 1 is not systemd: a mount namespace in which systemd believes it is ([`boot_marker`]);
//! 3. session leader, resource limits, umask, groups ([`process`], [`identity`]), before PAM, whose modules may change them;
//! 4. a PAM session of its own, kept open by a helper process ([`pam_session`]);
//! 5. away with root ([`identity`]), and exec ([`process`]).
//!
//! What outlasts this process, or is seen by anybody else, is done only once usherd has put it on file ([`go_ahead`]): that is
//! where PAM's modules begin to be called. What comes before goes with the process, and need not wait for usherd.
//!
//! A manager that somebody else runs gets a stand-in instead of steps 4 and 5's exec ([`readiness`]).
//!
//! It may wait for a slow name service or PAM module: that is what it is for. usherd never does.

#![deny(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod boot_marker;
mod cgroup;
mod cli;
mod environment;
mod failure;
mod given;
mod go_ahead;
mod identity;
mod mount_table;
mod pam_session;
mod process;
mod raw;
mod readiness;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Arguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::readiness::Ready;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ready = match arguments.ready_fifo.as_deref().map(readiness::open).transpose() {
        Ok(ready) => ready,
        Err(failure) => return ended(&arguments, &failure),
    };
    // Only failures return.
    let failure = become_manager(&arguments, ready);
    ended(&arguments, &failure)
}

fn ended(arguments: &Arguments, failure: &Failure) -> ExitCode {
    failure::print(arguments, failure);
    ExitCode::from(failure.phase.exit_code())
}

fn become_manager(arguments: &Arguments, ready: Option<Ready>) -> Failure {
    let prepared = (|| {
        if let Some(cgroup) = &arguments.cgroup {
            cgroup::join(cgroup)?;
        }
        if arguments.private_boot_marker {
            boot_marker::make(&arguments.runtime_dir)?;
        }
        process::set_up(arguments);
        identity::take_groups(arguments)?;
        let environment = Environment::prepare(arguments)?;
        let session = match arguments.no_session || arguments.external {
            true => None,
            false => pam_session::prepare(arguments, &environment)?,
        };
        if arguments.await_go_ahead {
            go_ahead::wait();
        }
        let environment = match session {
            Some(session) => session.open(arguments)?,
            None => environment,
        };
        identity::drop_privileges(arguments)?;
        Ok(environment)
    })();
    match prepared {
        Ok(_) if arguments.external => readiness::stand_in(arguments, ready),
        Ok(environment) => process::exec(arguments, environment, ready),
        Err(failure) => failure,
    }
}
