//! Sessions that stay open.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use super::{Logins, Outcome, PROGRAM, Place};

/// Sessions that stay open; they end when the value is dropped.
#[derive(Debug)]
pub struct Held {
    process: Child,
    release: Option<ChildStdin>,
    words: BufReader<ChildStdout>,
    /// How they were opened.
    pub opened: Outcome,
}

impl Held {
    /// Opens them, and comes back when all are open, or have failed.
    ///
    /// # Errors
    /// The load program failed; failed logins are in the outcome.
    pub fn open(place: &dyn Place, logins: Logins<'_>) -> Result<Self> {
        let arguments = logins.arguments();
        let mut words = vec![PROGRAM, "hold"];
        words.extend(arguments.iter().map(String::as_str));
        let mut command = place.command(&words);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start usher-pam-load")?;
        let (release, out) = (process.stdin.take(), process.stdout.take().context("it has no output")?);
        let mut held = Self { process, release, words: BufReader::new(out), opened: Outcome::default() };
        held.opened = held.next()?;
        Ok(held)
    }

    /// Ends them, all at once.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn close(mut self) -> Result<Outcome> {
        drop(self.release.take());
        self.next()
    }

    fn next(&mut self) -> Result<Outcome> {
        let mut line = String::new();
        if self.words.read_line(&mut line).context("read what usher-pam-load says")? == 0 {
            bail!("usher-pam-load ended in the middle");
        }
        serde_json::from_str(&line).context("understand what usher-pam-load says")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        let _ = self.process.wait();
    }
}
