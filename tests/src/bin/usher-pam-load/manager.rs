//! User managers of the smallest kind: good ones and bad ones.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

/// Longer than any storm.
const LONG: Duration = Duration::from_secs(3600);

/// What to be like.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to be like
    #[arg(long, value_enum, default_value_t = Manner::Good)]
    manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Manner {
    /// Says READY=1 and stays until it is told to go
    Good,
    /// One of the others, another one each time
    Any,
    /// Ends at once
    Fails,
    /// Says READY=1 and ends soon
    Dies,
    /// Never says anything
    Silent,
    /// Says READY=1 and does not go when it is told to
    Stubborn,
    /// Talks and talks, and says READY=1 at last
    Floods,
}

/// Is one.
pub(crate) fn be(options: &Options) -> Result<()> {
    let all = [Manner::Good, Manner::Fails, Manner::Dies, Manner::Silent, Manner::Stubborn, Manner::Floods];
    let manner = match options.manner {
        Manner::Any => all[std::process::id() as usize % all.len()],
        one => one,
    };
    match manner {
        Manner::Good | Manner::Any => say("READY=1")?,
        Manner::Fails => anyhow::bail!("it was to fail"),
        Manner::Dies => {
            say("READY=1")?;
            std::thread::sleep(Duration::from_millis(50));
            return Ok(());
        }
        Manner::Silent => {}
        Manner::Stubborn => {
            let mut terminate = SigSet::empty();
            terminate.add(Signal::SIGTERM);
            terminate.thread_block().context("block SIGTERM")?;
            say("READY=1")?;
        }
        Manner::Floods => {
            for n in 0..2000 {
                say(&format!("STATUS=still starting {n}"))?;
            }
            say("READY=1")?;
        }
    }
    std::thread::sleep(LONG);
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let path = std::env::var_os("NOTIFY_SOCKET").context("NOTIFY_SOCKET is not set")?;
    let socket = UnixDatagram::unbound().context("make a socket")?;
    // Nobody listens any more once it has been said that it is ready.
    let _ = socket.send_to(text.as_bytes(), path);
    Ok(())
}
