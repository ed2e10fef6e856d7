//! Running `usher-pam-load` in the machine, and what it says.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use usher_tests::Machine;

const PROGRAM: &str = "/usr/bin/usher-pam-load";

/// What became of logins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Outcome {
    pub(super) open_ns: Vec<u64>,
    pub(super) close_ns: Vec<u64>,
    pub(super) failures: Vec<String>,
    pub(super) wall_ns: u64,
}

/// What the kernel takes.
#[derive(Debug, Deserialize)]
pub(super) struct Floor {
    pub(super) open_ns: Vec<u64>,
    pub(super) close_ns: Vec<u64>,
    pub(super) round_trip_ns: Vec<u64>,
    pub(super) enter_cgroup_ns: Vec<u64>,
    pub(super) two_files_ns: Vec<u64>,
    pub(super) leave_cgroup_ns: Vec<u64>,
    pub(super) tmpfs_ns: Vec<u64>,
}

/// How long a user manager took.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) ready_ns: u64,
}

/// How a broker came back.
#[derive(Debug, Deserialize)]
pub(super) struct Revived {
    pub(super) gone_ns: u64,
    pub(super) serving_ns: u64,
    pub(super) sessions: usize,
    pub(super) pid: i32,
}

/// Logins to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logins<'a> {
    pub(super) service: &'a str,
    pub(super) users: &'a str,
    pub(super) count: usize,
    pub(super) at_once: usize,
    /// Milliseconds of rest before each login and logout.
    pub(super) rest: u64,
}

/// Logins that end at once.
pub(super) fn cycles(machine: &Machine, logins: Logins<'_>) -> Result<Outcome> {
    let arguments = logins.arguments();
    let mut words = vec![PROGRAM, "cycles"];
    words.extend(arguments.iter().map(String::as_str));
    measure(machine, &words)
}

/// Runs a command that writes one line of JSON.
pub(super) fn measure<T: DeserializeOwned>(machine: &Machine, words: &[&str]) -> Result<T> {
    let output = machine.try_run(words);
    ensure!(output.ok(), "`{}` failed: {output}", words.join(" "));
    serde_json::from_str(output.text()).with_context(|| format!("understand what {} says", words[0]))
}

impl Logins<'_> {
    fn arguments(self) -> Vec<String> {
        let Self { service, users, count, at_once, rest } = self;
        let words = [
            ("--service", service.to_owned()),
            ("--users", users.to_owned()),
            ("--count", count.to_string()),
            ("--at-once", at_once.to_string()),
            ("--rest", rest.to_string()),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// Sessions that stay open; they end when the value is dropped.
pub(super) struct Held {
    process: Child,
    release: Option<ChildStdin>,
    words: BufReader<ChildStdout>,
    pub(super) opened: Outcome,
}

impl Held {
    /// Opens them.
    pub(super) fn open(machine: &Machine, logins: Logins<'_>) -> Result<Self> {
        let arguments = logins.arguments();
        let mut words = vec![PROGRAM, "hold"];
        words.extend(arguments.iter().map(String::as_str));
        let mut command = machine.command(&words);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start usher-pam-load")?;
        let (release, out) = (process.stdin.take(), process.stdout.take().context("it has no output")?);
        let mut held = Self { process, release, words: BufReader::new(out), opened: Outcome::default() };
        held.opened = held.next()?;
        Ok(held)
    }

    /// Closes them, all at once.
    pub(super) fn close(mut self) -> Result<Outcome> {
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
