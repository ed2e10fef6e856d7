//! From `kill -9` of a broker until another one, started at once, answers.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use usher_protocol::SOCKET_PATH;
use usher_protocol::blocking::{CallError, Connection};
use usher_protocol::messages::{Call, SessionList};
use usher_tests::load::processes;

use crate::login::nanos;
use crate::logins;

const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at the socket: a supervisor's restart, not ours, is what clients wait for.
const PAUSE: Duration = Duration::from_micros(200);

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The broker that is to die
    #[arg(long)]
    pid: i32,
    /// The broker to start, and its arguments
    #[arg(last = true, required = true, num_args = 1..)]
    program: Vec<OsString>,
}

#[derive(Debug, Serialize)]
struct Revived {
    /// Until the old process was gone.
    gone_ns: u64,
    /// Until the new one answered ListSessions.
    serving_ns: u64,
    /// How many sessions it knew.
    sessions: usize,
    pid: u32,
}

/// Measures once; the new broker stays.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let (name, arguments) = options.program.split_first().context("no program is named")?;
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    processes::kill(options.pid, PATIENCE)?;
    let gone_ns = nanos(start.elapsed());
    let broker = command.spawn().with_context(|| format!("run {}", name.display()))?;
    let sessions = loop {
        match list() {
            Ok(list) => break list.sessions.len(),
            Err(error) => ensure!(start.elapsed() < PATIENCE, "no answer within {PATIENCE:?}: {error}"),
        }
        std::thread::sleep(PAUSE);
    };
    logins::print(&Revived { gone_ns, serving_ns: nanos(start.elapsed()), sessions, pid: broker.id() })
}

fn list() -> Result<SessionList, CallError> {
    let deadline = Instant::now() + PATIENCE;
    Connection::connect(Path::new(SOCKET_PATH), deadline)?.call(&Call::ListSessions, deadline)
}
