//! Telling whoever has started usherd that logins are served from now on: by sd_notify(3), and by a newline on a
//! descriptor, which is how s6 and dinit want to hear it. Or that there is nothing to wait for.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use sd_notify::NotifyState;
use tracing::warn;

use crate::sys;

/// The lowest number that `--ready-fd` takes: the ones below are the standard streams.
const FIRST: i32 = 3;

/// How to tell it.
#[derive(Debug)]
pub(crate) struct Ready {
    descriptor: Option<File>,
}

impl Ready {
    /// Takes the descriptor with that number, which usherd was started with. Nothing that usherd starts has it. To be
    /// called once, before usherd opens anything.
    ///
    /// # Errors
    /// It is a standard stream, or not open: whoever started usherd wanted to hear and cannot.
    pub(crate) fn new(descriptor: Option<i32>) -> Result<Self> {
        let Some(number) = descriptor else { return Ok(Self { descriptor: None }) };
        ensure!(
            number >= FIRST,
            "--ready-fd={number} is a standard stream: take {FIRST} or more, here and in the service's definition"
        );
        let taken = sys::inherited(number).with_context(|| {
            format!(
                "cannot take the descriptor of --ready-fd={number}; the service's definition has to name it, too \
                 (s6: notification-fd, dinit: ready-notification = pipefd:{number})"
            )
        })?;
        Ok(Self { descriptor: Some(taken.into()) })
    }

    /// Tells it. Nobody may be there to hear: that is no reason to end.
    pub(crate) fn tell(self) {
        if let Some(mut descriptor) = self.descriptor
            && let Err(error) = descriptor.write_all(b"\n")
        {
            warn!(%error, "cannot tell the service manager by --ready-fd that usherd is ready");
        }
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            warn!(%error, "cannot tell the service manager by sd_notify that usherd is ready");
        }
    }
}

/// Tells that usherd does not come up, and why. Who waits by sd_notify(3) need not notice an end by itself:
/// start-stop-daemon(8) does not.
pub(crate) fn tell_failure(error: &anyhow::Error) {
    let number = errno(error).unwrap_or(libc::ECANCELED);
    let why = format!("{error:#}").replace('\n', " ");
    let states = [NotifyState::Status(&why), NotifyState::Errno(number.unsigned_abs())];
    if let Err(error) = sd_notify::notify(&states) {
        warn!(%error, "cannot tell the service manager that usherd does not come up");
    }
}

/// The kernel's own number, if an error of its is the reason.
fn errno(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        let of_library = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        of_library.or_else(|| cause.downcast_ref::<rustix::io::Errno>().map(|errno| errno.raw_os_error()))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn it_is_one_newline_and_then_the_end() {
        let (mut hear, tell) = std::io::pipe().unwrap();
        let ready = Ready::new(Some(tell.into_raw_fd())).unwrap();
        ready.tell();
        let mut heard = String::new();
        hear.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "\n");
    }

    #[test]
    fn nobody_listens_any_more() {
        let (hear, tell) = std::io::pipe().unwrap();
        let ready = Ready::new(Some(tell.into_raw_fd())).unwrap();
        drop(hear);
        ready.tell();
    }

    #[test]
    fn the_kernel_s_number_is_found_below_what_was_said_about_it() {
        let missing = std::fs::metadata("/nonexistent").context("look at it").context("start").unwrap_err();
        assert_eq!(errno(&missing), Some(libc::ENOENT));
        let full = Err::<(), _>(rustix::io::Errno::NOSPC).context("write it").unwrap_err();
        assert_eq!(errno(&full), Some(libc::ENOSPC));
        assert_eq!(errno(&anyhow::anyhow!("another broker runs")), None);
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_what_to_do() {
        for (number, says) in [(0, "standard stream"), (2, "standard stream"), (-1, "standard stream")] {
            let error = format!("{:#}", Ready::new(Some(number)).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
        let error = format!("{:#}", Ready::new(Some(1_000_000)).unwrap_err());
        assert!(error.contains("cannot take the descriptor") && error.contains("notification-fd"), "{error}");
    }
}
