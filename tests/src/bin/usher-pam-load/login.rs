//! One login in a process of its own. Only pam_open_session and pam_close_session are timed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use usher_pam::{Item, PamError, Transaction};

/// What becomes of a login: its process writes one such line for the open, one for the close. Shorter than PIPE_BUF,
/// so that lines of many processes do not mix (pipe(7)).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// pam_open_session took so many nanoseconds.
    Opened(u64),
    /// pam_close_session took so many nanoseconds.
    Closed(u64),
    /// Something failed, and that was the end.
    Failed(String),
}

/// Logs in, and out again when `release` ends, or after the rest if there is none.
pub(crate) fn run(service: &str, user: &str, report: &File, release: Option<&PipeReader>, rest: Duration) {
    if let Err(error) = try_to_run(service, user, report, release, rest) {
        tell(report, &Step::Failed(error.to_string().chars().take(300).collect()));
    }
}

fn try_to_run(
    service: &str,
    user: &str,
    report: &File,
    release: Option<&PipeReader>,
    rest: Duration,
) -> Result<(), PamError> {
    let mut pam = Transaction::start(service, user)?;
    pam.set_item(Item::Tty, OsStr::new("bench"))?;
    let start = Instant::now();
    pam.open_session()?;
    let opened = start.elapsed();
    // The module's word, not libpam's: without usherd the login goes on, and nothing would have been measured.
    let has_session = pam.getenvlist()?.iter().any(|(name, _)| name == "XDG_SESSION_ID");
    if let Some(mut release) = release {
        tell(report, &opened_or_not(service, has_session, nanos(opened)));
        // The one who holds the other end writes nothing: this returns when it is closed.
        let _ = release.read(&mut [0]);
    }
    std::thread::sleep(rest);
    let start = Instant::now();
    pam.close_session()?;
    let closed = start.elapsed();
    if release.is_none() {
        tell(report, &opened_or_not(service, has_session, nanos(opened)));
    }
    tell(report, &Step::Closed(nanos(closed)));
    Ok(())
}

fn opened_or_not(service: &str, has_session: bool, opened: u64) -> Step {
    if has_session || service == PERMIT {
        Step::Opened(opened)
    } else {
        Step::Failed("pam_open_session succeeded, but there is no XDG_SESSION_ID: see the syslog".to_owned())
    }
}

/// The service that opens no session: what the harness itself costs.
const PERMIT: &str = "permit-bench";

fn tell(mut report: &File, step: &Step) {
    let mut line = serde_json::to_vec(step).unwrap_or_default();
    line.push(b'\n');
    // Without a reader there is nobody to tell.
    let _ = report.write_all(&line);
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
