//! The bus client of `cargo xtask bench`: runs in the machine and writes one line of JSON for what it was told to measure
//! (times in nanoseconds, CLOCK_MONOTONIC). What the numbers mean is not its business.
//!
//! - `await`: until org.freedesktop.login1 has an owner, on a bus that may not be there yet;
//! - `ask`: calls of the manager and of one session, one after the other, from the call until its answer is here;
//! - `list`: the same of ListSessions alone, which every broker knows;
//! - `time`: a command that asks the broker, from its start to its end;
//! - `revive`: from the death of a broker until one answers;
//! - `listen`: hears every signal of login1 until standard input ends, and says how many they were.
//!
//! A program of its own, so that `usher-pam-load`, which forks for every login, stays as small as what logs people in.

#![forbid(unsafe_code)]

mod ask;
mod listen;
mod owner;
mod revive;
mod time;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;
use usher_tests::load::processes;
use zbus::{Connection, DynamicType, Message};

/// What the broker is called on the bus, and where its manager is.
const LOGIN1: &str = "org.freedesktop.login1";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
/// The bus itself.
const DBUS: &str = "org.freedesktop.DBus";

/// More than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Parser)]
#[command(name = "usher-bus-load", about = "Measures org.freedesktop.login1; run by cargo xtask bench")]
enum Task {
    /// Wait until org.freedesktop.login1 has an owner
    Await,
    /// Call methods, one after the other
    Ask {
        /// How often each
        #[arg(long)]
        count: usize,
    },
    /// Call ListSessions, and nothing else
    List {
        /// How often
        #[arg(long)]
        count: usize,
    },
    /// Run a command, one time after the other
    Time {
        /// How often
        #[arg(long)]
        count: usize,
        /// The command
        #[arg(last = true, required = true, num_args = 1..)]
        command: Vec<String>,
    },
    /// Kill the broker, and wait until one answers
    Revive {
        /// The broker that is to die
        #[arg(long)]
        pid: i32,
        /// The broker to start, and its arguments; nothing if it has a supervisor
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Hear every signal of login1 until standard input ends
    Listen,
}

fn main() -> ExitCode {
    processes::apply_nice_to_session(Path::new("/proc/self"));
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-bus-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start tokio")?;
    runtime.block_on(async {
        match task {
            Task::Await => owner::wait().await,
            Task::Ask { count } => ask::measure(count).await,
            Task::List { count } => ask::list(count).await,
            Task::Time { count, command } => time::measure(count, &command),
            Task::Revive { pid, program } => revive::measure(pid, &program).await,
            Task::Listen => listen::count().await,
        }
    })
}

async fn connect() -> Result<Connection> {
    Connection::system().await.context("connect to the system bus")
}

/// Calls a method and waits for the answer.
async fn call<B: Serialize + DynamicType>(
    bus: &Connection,
    (destination, path, interface): (&str, &str, &str),
    method: &str,
    arguments: &B,
) -> Result<Message> {
    let call = bus.call_method(Some(destination), path, Some(interface), method, arguments);
    let answer = tokio::time::timeout(PATIENCE, call).await;
    answer
        .with_context(|| format!("{method}: no answer within {PATIENCE:?}"))?
        .with_context(|| method.to_owned())
}

fn print(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value).context("write JSON")?);
    Ok(())
}
