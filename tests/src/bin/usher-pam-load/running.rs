//! Logins that are under way.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

/// Children of this process, and a descriptor of each, by which its end is seen.
#[derive(Default)]
pub(crate) struct Running(Vec<(Pid, OwnedFd)>);

impl Running {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, pid: Pid) -> Result<()> {
        let number = rustix::process::Pid::from_raw(pid.as_raw()).context("a process without a number")?;
        self.0.push((pid, pidfd_open(number, PidfdFlags::empty()).context("open a login's process")?));
        Ok(())
    }

    /// How one of them has ended; nothing when the time was over before.
    pub(crate) fn wait_one(&mut self, deadline: Option<Instant>) -> Result<Option<WaitStatus>> {
        let mut fds: Vec<PollFd<'_>> =
            self.0.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return Ok(None),
            Some(left) => PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        poll(&mut fds, timeout).context("wait for a login")?;
        let Some(ended) = fds.iter().position(|fd| fd.any().unwrap_or(false)) else { return Ok(None) };
        let (pid, _) = self.0.swap_remove(ended);
        waitpid(pid, None).map(Some).context("wait for a login")
    }

    /// Kills those that are left, and waits for their end.
    pub(crate) fn kill_all(&mut self) {
        for (pid, _) in self.0.drain(..) {
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// Processor time of all children so far that have ended.
pub(crate) fn children_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}
