//! Many logins in a machine or a container: running `usher-pam-load` there, and what it says of them.

pub mod bus;
mod held;
mod outcome;
mod place;
pub mod processes;
mod visit;

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use held::Held;
pub use outcome::{Outcome, Session};
pub use place::Place;
pub use visit::{Visit, visit};

const PROGRAM: &str = "/usr/bin/usher-pam-load";

/// Logins to make: one process each, which opens a PAM session and ends it.
#[derive(Debug, Clone, Copy)]
pub struct Logins<'a> {
    /// The PAM service.
    pub service: &'a str,
    /// Names of the users, in turn, with commas between them.
    pub users: &'a str,
    /// How many logins.
    pub count: usize,
    /// How many at a time.
    pub at_once: usize,
    /// Milliseconds of rest before each login and logout.
    pub rest: u64,
    /// Seconds after which no login is begun, and those that are under way are killed; without end if 0. The same time again
    /// for the logouts of those that were held.
    pub limit: u64,
    /// How they end.
    pub ending: Ending,
    /// What else is to be expected of them.
    pub expect: Expect,
}

impl Default for Logins<'_> {
    fn default() -> Self {
        Self {
            service: "usher-bench",
            users: "alice",
            count: 1,
            at_once: 1,
            rest: 0,
            limit: 0,
            ending: Ending::Close,
            expect: Expect::Session,
        }
    }
}

/// How a login ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ending {
    /// With pam_close_session.
    Close,
    /// Its process exits without a word.
    Die,
    /// With pam_close_session, but a process of it stays for a moment.
    Leave,
    /// Half of them as [`Ending::Close`], the others as the other two.
    Mixed,
}

/// What a login comes to, if all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Expect {
    /// A session.
    Session,
    /// A session, or a login without one while usherd is away.
    MaybeSession,
    /// A refusal: another module of the PAM stack lets nobody in.
    Denial,
}

/// How a broker came back.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Revived {
    /// Nanoseconds from `kill -9` until the old process was gone.
    pub gone_ns: u64,
    /// Until the new one answered a question.
    pub serving_ns: u64,
    /// How many sessions it knew.
    pub sessions: usize,
    /// The new one.
    pub pid: i32,
}

/// Makes logins that end at once.
///
/// # Errors
/// The program itself failed; failed logins are in the outcome.
pub fn cycles(place: &dyn Place, logins: Logins<'_>) -> Result<Outcome> {
    let arguments = logins.arguments();
    let mut words = vec![PROGRAM, "cycles"];
    words.extend(arguments.iter().map(String::as_str));
    measure(place, &words)
}

/// Kills usherd as a crash would, and starts another one at once; it stays. What it logs, nobody hears.
///
/// # Errors
/// It does not come back.
pub fn revive(place: &dyn Place, pid: i32) -> Result<Revived> {
    measure(place, &[PROGRAM, "revive", "--pid", &pid.to_string(), "--", "/usr/sbin/usherd"])
}

/// Runs a command that writes one line of JSON, however long it takes: the load program gives up by itself when nothing
/// goes on any more.
///
/// # Errors
/// The command failed, or wrote something else.
pub fn measure<T: DeserializeOwned>(place: &dyn Place, words: &[&str]) -> Result<T> {
    let mut command = place.command(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("run `{}`", words.join(" ")))?;
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "`{}` failed: {}\n{text}{error}", words.join(" "), output.status);
    serde_json::from_str(&text).with_context(|| format!("understand what {} says: {text}", words[0]))
}

impl Logins<'_> {
    fn arguments(self) -> Vec<String> {
        let Self { service, users, count, at_once, rest, limit, ending, expect } = self;
        let words = [
            ("--service", service.to_owned()),
            ("--users", users.to_owned()),
            ("--count", count.to_string()),
            ("--at-once", at_once.to_string()),
            ("--rest", rest.to_string()),
            ("--limit", limit.to_string()),
            ("--ending", word(ending)),
            ("--expect", word(expect)),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
