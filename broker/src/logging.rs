//! Where log lines go: the journal, where there is one and nobody watches standard error; else standard error. A panic
//! is a line in the log and the end: a broker that limps on would do more harm than one that starts anew from its
//! files.

use std::io::IsTerminal;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const JOURNAL: &str = "/run/systemd/journal/socket";

/// Starts logging. `USHERD_LOG` chooses what is logged, in tracing's filter language; `info` if it is not set.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("USHERD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let watched = std::io::stderr().is_terminal();
    match tracing_journald::layer() {
        Ok(journal) if !watched && Path::new(JOURNAL).exists() && is_journal_stream() => {
            registry.with(journal).init();
        }
        _ => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
            // Whoever keeps the lines stamps them, too; a person at a terminal wants the time.
            if watched {
                registry.with(lines).init();
            } else {
                registry.with(lines.without_time().with_ansi(false)).init();
            }
        }
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("usherd has a bug and ends, to be started again: {panic}");
        std::process::abort();
    }));
}

/// Whether standard error is the journal (systemd.exec(5), `$JOURNAL_STREAM`): only then nobody misses the lines there.
fn is_journal_stream() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}
