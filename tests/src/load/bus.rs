//! The bus's share: running `usher-bus-load` in a machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::measure;
use crate::Machine;

const PROGRAM: &str = "/usr/bin/usher-bus-load";

/// What `await` says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Owned {
    /// Whether org.freedesktop.login1 has an owner.
    pub owned: bool,
}

/// How long calls took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    /// How many sessions ListSessions had, the last time.
    pub sessions: usize,
    /// By what was called: nanoseconds from the call until the answer was there.
    pub times_ns: BTreeMap<String, Vec<u64>>,
}

/// What a listener has heard.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Heard {
    /// How many signals of login1.
    pub signals: usize,
}

/// Waits until org.freedesktop.login1 has an owner.
///
/// # Errors
/// It gets none.
pub fn await_owner(machine: &Machine) -> Result<()> {
    let Owned { owned } = measure(machine, &[PROGRAM, "await"])?;
    ensure!(owned, "org.freedesktop.login1 has no owner");
    Ok(())
}

/// Calls every method so many times.
///
/// # Errors
/// One failed.
pub fn ask(machine: &Machine, count: usize) -> Result<Answers> {
    measure(machine, &[PROGRAM, "ask", "--count", &count.to_string()])
}

/// Somebody who hears every signal of login1, until dropped.
#[derive(Debug)]
pub struct Listener {
    process: Child,
    release: Option<ChildStdin>,
    words: BufReader<ChildStdout>,
}

impl Listener {
    /// Comes back when it listens.
    ///
    /// # Errors
    /// It cannot, with the reason on standard error.
    pub fn start(machine: &Machine) -> Result<Self> {
        let mut command = machine.command(&[PROGRAM, "listen"]);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start usher-bus-load")?;
        let (release, out) = (process.stdin.take(), process.stdout.take().context("it has no output")?);
        let mut listener = Self { process, release, words: BufReader::new(out) };
        listener.next()?;
        Ok(listener)
    }

    /// Ends it; what it has heard of everything that has happened before.
    ///
    /// # Errors
    /// It has failed, or the bus has gone.
    pub fn stop(mut self) -> Result<Heard> {
        drop(self.release.take());
        self.next()
    }

    fn next(&mut self) -> Result<Heard> {
        let mut line = String::new();
        let length = self.words.read_line(&mut line).context("read what usher-bus-load says")?;
        ensure!(length > 0, "usher-bus-load ended in the middle");
        serde_json::from_str(&line).context("understand what usher-bus-load says")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.release.take());
        let _ = self.process.wait();
    }
}
