//! The bus's share: running `usher-bus-load` in a machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Place, measure};

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

/// How a broker came back, as the bus sees it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Revived {
    /// Nanoseconds from `kill -9` until ListSessions was answered.
    pub serving_ns: u64,
    /// How many sessions it knew.
    pub sessions: usize,
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
pub fn await_owner(place: &dyn Place) -> Result<()> {
    let Owned { owned } = measure(place, &[PROGRAM, "await"])?;
    ensure!(owned, "org.freedesktop.login1 has no owner");
    Ok(())
}

/// Calls every method so many times.
///
/// # Errors
/// One failed.
pub fn ask(place: &dyn Place, count: usize) -> Result<Answers> {
    measure(place, &[PROGRAM, "ask", "--count", &count.to_string()])
}

/// Calls ListSessions so many times, and nothing else: brokers of other makes do not know every method.
///
/// # Errors
/// It failed.
pub fn list(place: &dyn Place, count: usize) -> Result<Answers> {
    measure(place, &[PROGRAM, "list", "--count", &count.to_string()])
}

/// Runs a command so many times, one after the other: nanoseconds from its start until it has ended, each.
///
/// # Errors
/// It failed once.
pub fn time(place: &dyn Place, count: usize, command: &[&str]) -> Result<Vec<u64>> {
    let count = count.to_string();
    let words = [&[PROGRAM, "time", "--count", &count, "--"], command].concat();
    measure(place, &words)
}

/// Kills the owner of org.freedesktop.login1 as a crash would, starts another one at once if a program is named (otherwise
/// somebody else has to), and waits until one answers ListSessions.
///
/// # Errors
/// None does, within 20 seconds.
pub fn revive(place: &dyn Place, pid: i32, program: &[&str]) -> Result<Revived> {
    let pid = pid.to_string();
    measure(place, &[&[PROGRAM, "revive", "--pid", &pid, "--"], program].concat())
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
    pub fn start(place: &dyn Place) -> Result<Self> {
        let mut command = place.command(&[PROGRAM, "listen"]);
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
