//! How usherd hears that a manager is ready that does not speak sd_notify(3): through a FIFO of usherd's, the manager's
//! descriptor 3. It is open for reading as well, so that a manager that says it while usherd is being restarted is not
//! killed by SIGPIPE.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::prctl;
use nix::unistd::{ForkResult, getpid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::cli::Arguments;
use crate::failure::{Failure, Phase};
use crate::raw;

/// The number that usherd has put into the manager's arguments.
const FD: i32 = 3;
/// How often a file is looked for, at first and in the end.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// When a manager is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadyBy {
    /// When it says so by sd_notify(3)
    Notify,
    /// When it writes a newline to descriptor 3
    Fd,
    /// When a file appears
    File,
    /// When its program is run
    Exec,
}

/// The way to usherd.
#[derive(Debug)]
pub(crate) struct Ready {
    fifo: OwnedFd,
}

/// Opens the way, before anything else gets its number.
pub(crate) fn open(fifo: &Path) -> Result<Ready, Failure> {
    let failed = |cause: String| Failure {
        phase: Phase::Readiness,
        what: format!("cannot open {}: {cause}", fifo.display()),
        advice: "usherd makes this for each manager that it starts: has something removed it?",
    };
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(fifo);
    let fifo: OwnedFd = opened.map_err(|e| failed(e.to_string()))?.into();
    match fifo.as_raw_fd() {
        FD => Ok(Ready { fifo }),
        other => Err(failed(format!("it became descriptor {other} instead of {FD}"))),
    }
}

impl Ready {
    /// Says that the manager is ready.
    pub(crate) fn say(self) {
        let _ = std::fs::File::from(self.fifo).write_all(b"\n");
    }

    /// Hands the descriptor on to the program that this process becomes.
    pub(crate) fn hand_on(self) -> Result<(), Failure> {
        let handed = rustix::io::fcntl_setfd(&self.fifo, rustix::io::FdFlags::empty());
        // Open until exec, and after.
        std::mem::forget(self.fifo);
        handed.map_err(|e| Failure {
            phase: Phase::Readiness,
            what: format!("cannot hand on the readiness descriptor: {e}"),
            advice: "this is a fault of usher or of the kernel",
        })
    }

    /// Has a process look for the file, with the user's rights, and say it. That one is nobody's child: a manager need
    /// not know of it.
    pub(crate) fn say_when_there(self, file: &Path) -> Result<(), Failure> {
        let failed = |cause: String| Failure {
            phase: Phase::Readiness,
            what: format!("cannot start a process that looks for {}: {cause}", file.display()),
            advice: "is there a limit on processes (pids.max of the user's cgroup, RLIMIT_NPROC)?",
        };
        let manager = Pid::from_raw(getpid().as_raw())
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
            .map_err(|e| failed(e.to_string()))?;
        match raw::fork().map_err(|e| failed(e.to_string()))? {
            ForkResult::Parent { child } => {
                let _ = nix::sys::wait::waitpid(child, None);
                Ok(())
            }
            ForkResult::Child => {
                if matches!(raw::fork(), Ok(ForkResult::Child)) {
                    let _ = prctl::set_name(c"(usher-ready)");
                    raw::set_command_line(b"(usher-ready)");
                    if wait_for(file, &manager) {
                        self.say();
                    }
                }
                std::process::exit(0)
            }
        }
    }
}

/// Waits for the file. `false` if the manager has gone before.
fn wait_for(file: &Path, manager: &OwnedFd) -> bool {
    let mut pause = FIRST_PAUSE;
    while file.symlink_metadata().is_err() {
        let mut polled = [PollFd::new(manager, PollFlags::IN)];
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
        if poll(&mut polled, Some(&time)).is_ok_and(|ready| ready > 0) {
            return false;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
    true
}

/// Stands in for a manager that somebody else runs: says when it is ready, and stays until the user goes.
pub(crate) fn stand_in(arguments: &Arguments, ready: Option<Ready>) -> Failure {
    let _ = prctl::set_name(c"(usher-stand-in)");
    raw::default_signals();
    let said = match (ready, &arguments.ready_file) {
        (Some(ready), Some(file)) => ready.say_when_there(file),
        (Some(ready), None) => {
            ready.say();
            Ok(())
        }
        (None, _) => Ok(()),
    };
    match said {
        // Any signal ends it.
        Ok(()) => loop {
            nix::unistd::pause();
        },
        Err(failure) => failure,
    }
}
