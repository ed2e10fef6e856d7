//! A user who comes and goes, until nothing is left of it.

use std::ffi::OsStr;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::wait::waitpid;
use serde::{Deserialize, Serialize};
use usher_pam::{Item, Transaction};
use usher_tests::load::Visit;

use crate::login::nanos;
use crate::{logins, raw};

/// The kernel is to have forgotten the last login, as it has when somebody logs in.
const REST: Duration = Duration::from_millis(100);
/// So long is waited for what is to go: more than the stop delay of any broker that is told to have none.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_micros(100);

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The PAM service
    #[arg(long)]
    service: String,
    /// The user
    #[arg(long)]
    user: String,
    /// What is to be gone afterwards
    #[arg(last = true)]
    watched: Vec<PathBuf>,
}

/// What the process that logs in has to say.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// pam_open_session took so long.
    Open(u64),
    Failed(String),
}

/// Measures once.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let (mut reader, writer) = std::io::pipe().context("make a pipe")?;
    std::thread::sleep(REST);
    let child = raw::child(|| {
        let word = match come_and_go(options) {
            Ok(open) => Word::Open(open),
            Err(error) => Word::Failed(format!("{error:#}")),
        };
        let _ = serde_json::to_vec(&word).map(|bytes| (&writer).write_all(&bytes));
    })?;
    drop::<PipeWriter>(writer);
    // The process says it when it has closed the session, and ends at once.
    let mut text = Vec::new();
    PipeReader::read_to_end(&mut reader, &mut text).context("read what the login says")?;
    let closed = Instant::now();
    waitpid(child, None).context("wait for the login")?;
    let mut visit = Visit::default();
    match serde_json::from_slice(&text).context("the login ended without a word")? {
        Word::Open(open) => visit.open_ns = open,
        Word::Failed(why) => visit.failures.push(why),
    }
    while visit.failures.is_empty() && closed.elapsed() < PATIENCE {
        if options.watched.iter().all(|path| !path.exists()) {
            visit.gone_ns = Some(nanos(closed.elapsed()));
            break;
        }
        std::thread::sleep(PAUSE);
    }
    logins::print(&visit)
}

fn come_and_go(options: &Options) -> Result<u64> {
    let mut pam = Transaction::start(&options.service, &options.user)?;
    pam.set_item(Item::Tty, OsStr::new("bench"))?;
    let start = Instant::now();
    pam.open_session()?;
    let open = nanos(start.elapsed());
    let session = pam.getenvlist()?.iter().any(|(name, _)| name == "XDG_SESSION_ID");
    ensure!(session, "pam_open_session succeeded, but there is no XDG_SESSION_ID");
    pam.close_session()?;
    Ok(open)
}
