//! One login in a process of its own. Only pam_open_session and pam_close_session are timed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use usher_pam::{Item, PamError, Transaction};
use usher_tests::load::{Ending, Expect, Session};

use crate::logins::Load;
use crate::raw;

/// How long a process stays that a login leaves behind.
const LEFT_BEHIND: Duration = Duration::from_millis(50);

/// What becomes of a login: its process writes one such line for the open, one for the end. Shorter than PIPE_BUF,
/// so that lines of many processes do not mix (pipe(7)).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// pam_open_session took so many nanoseconds, and there is a session.
    Opened(u64, Session),
    /// The same without a session.
    Alone(u64),
    /// pam_open_session took so many nanoseconds to say no, and that was the end.
    Denied(u64),
    /// pam_close_session took so many nanoseconds.
    Closed(u64),
    /// The process is about to exit without having closed the session.
    Died,
    /// Something failed, and that was the end.
    Failed(String),
}

/// Logs in, and out again when `release` ends, or after the rest if there is none.
pub(crate) fn run(load: &Load, number: usize, user: &str, report: &File, release: Option<&PipeReader>) {
    let login = Login { load, ending: ending(load.ending, number), user, report, release };
    if let Err(error) = login.run() {
        tell(report, &Step::Failed(error.to_string().chars().take(300).collect()));
    }
}

struct Login<'a> {
    load: &'a Load,
    ending: Ending,
    user: &'a str,
    report: &'a File,
    release: Option<&'a PipeReader>,
}

impl Login<'_> {
    fn run(&self) -> Result<(), PamError> {
        // As login(1), sshd(8) and every other program does that lets people in. The first question of a process to the name
        // service takes several times as long as the next, which is the module's.
        let _ = nix::unistd::User::from_name(self.user);
        let mut pam = Transaction::start(&self.load.service, self.user)?;
        pam.set_item(Item::Tty, OsStr::new("bench"))?;
        let start = Instant::now();
        let outcome = pam.open_session();
        let took = nanos(start.elapsed());
        if self.load.expect == Expect::Denial {
            let denied = match outcome {
                Err(_) => Step::Denied(took),
                Ok(()) => Step::Failed("pam_open_session was to be refused and was not".to_owned()),
            };
            tell(self.report, &denied);
            return Ok(());
        }
        outcome?;
        // The module's word, not libpam's: without usherd the login goes on, and nothing would have been measured.
        let environment = pam.getenvlist()?;
        let session = environment.iter().find(|(name, _)| name == "XDG_SESSION_ID").map(|(_, id)| id);
        let opened = self.opened(took, session.and_then(|id| id.to_str()));
        // Who measures short logins wants nothing to happen between open and close.
        let Some(mut release) = self.release else {
            std::thread::sleep(Duration::from_millis(self.load.rest));
            return self.end(pam, Some(opened));
        };
        tell(self.report, &opened);
        // The one who holds the other end writes nothing: this returns when it is closed.
        let _ = release.read(&mut [0]);
        std::thread::sleep(Duration::from_millis(self.load.rest));
        self.end(pam, None)
    }

    fn opened(&self, took: u64, session: Option<&str>) -> Step {
        let leader = std::process::id();
        match session {
            Some(id) => Step::Opened(took, Session { id: id.to_owned(), leader }),
            None if self.load.service == PERMIT => Step::Opened(took, Session { id: String::new(), leader }),
            None if self.load.expect == Expect::MaybeSession => Step::Alone(took),
            None => Step::Failed(
                "pam_open_session succeeded, but there is no XDG_SESSION_ID: see the syslog".to_owned(),
            ),
        }
    }

    fn end(&self, mut pam: Transaction, to_tell_first: Option<Step>) -> Result<(), PamError> {
        let tell_first = || to_tell_first.iter().for_each(|step| tell(self.report, step));
        if self.ending == Ending::Die {
            tell_first();
            tell(self.report, &Step::Died);
            // Without pam_end(3), too, as a program that crashes.
            raw::exit();
        }
        if self.ending == Ending::Leave {
            // Where it cannot be made, the session just ends a little sooner.
            let _ = raw::child(|| std::thread::sleep(LEFT_BEHIND));
        }
        let start = Instant::now();
        pam.close_session()?;
        let took = nanos(start.elapsed());
        tell_first();
        tell(self.report, &Step::Closed(took));
        Ok(())
    }
}

fn ending(ending: Ending, number: usize) -> Ending {
    match (ending, number % 4) {
        (Ending::Mixed, 1) => Ending::Die,
        (Ending::Mixed, 3) => Ending::Leave,
        (Ending::Mixed, _) => Ending::Close,
        (ending, _) => ending,
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
