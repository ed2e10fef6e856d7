//! Waiting with a deadline, for conditions and for processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Looks at the condition every millisecond at first, later every 20 ms, until it holds; `false` at the deadline.
pub(crate) fn until(deadline: Instant, mut condition: impl FnMut() -> bool) -> bool {
    let mut pause = Duration::from_millis(1);
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(20));
    }
}

/// Waits for a child to end, without a poll loop: its pidfd becomes readable. `None` at the deadline.
///
/// # Errors
/// The kernel's.
pub fn child(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    if readable(pidfd.as_fd(), deadline)? { child.wait().map(Some) } else { Ok(None) }
}

/// Waits until a read from the descriptor would not block; `false` at the deadline.
pub(crate) fn readable(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    Ok(any_readable(&[Some(fd)], deadline)?.is_some())
}

/// Waits until a read from one of them would not block, and says from which; `None` at the deadline, or when there is
/// none to wait for.
pub(crate) fn any_readable(
    fds: &[Option<BorrowedFd<'_>>],
    deadline: Instant,
) -> io::Result<Option<Vec<bool>>> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    if polled.is_empty() {
        return Ok(None);
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(0) if Instant::now() >= deadline => return Ok(None),
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let mut answers = polled.iter().map(|fd| fd.any().unwrap_or(false));
    Ok(Some(fds.iter().map(|fd| fd.is_some() && answers.next().unwrap_or(false)).collect()))
}
