//! Where log lines go: to syslog, if that is wanted; to the journal, where there is one and nobody watches standard
//! error; else to standard error. A panic is a line in the log and the end: a broker that limps on would do more harm
//! than one that starts anew from its files.

mod syslog;

use std::io::IsTerminal;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

const JOURNAL: &str = "/run/systemd/journal/socket";

/// Starts logging, to syslog or wherever that is best. `USHERD_LOG` chooses what is logged: a level, or levels of parts of
/// the program with commas between them (`info,usher_broker::dbus=debug`, the syntax of tracing-subscriber's `Targets`);
/// `info` if it is not set or is none.
pub(crate) fn start(to_syslog: bool) {
    let wish =
        std::env::var("USHERD_LOG").ok().filter(|text| !text.is_empty()).and_then(|text| text.parse().ok());
    let filter = wish.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let (filter, logging) = changeable(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let watched = std::io::stderr().is_terminal();
    let syslog = if to_syslog { syslog::Syslog::new().ok() } else { None };
    let target = match (syslog, tracing_journald::layer()) {
        (Some(syslog), _) => {
            let lines = tracing_subscriber::fmt::layer().with_writer(syslog).with_target(false);
            registry.with(lines.without_time().with_ansi(false)).init();
            Target::Syslog
        }
        (None, Ok(journal)) if !watched && Path::new(JOURNAL).exists() && is_journal_stream() => {
            registry.with(journal).init();
            Target::Journal
        }
        _ => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
            // Whoever keeps the lines stamps them, too; a person at a terminal wants the time.
            if watched {
                registry.with(lines).init();
            } else {
                registry.with(lines.without_time().with_ansi(false)).init();
            }
            Target::Console
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("usherd has a bug and ends, to be started again: {panic}");
        std::process::abort();
    }));
    // There is one log, and it is started once.
    let _ = CURRENT.set(Logging { target, ..logging });
}

static CURRENT: OnceLock<Logging> = OnceLock::new();

/// The process's log, as soon as it is started.
pub(crate) fn current() -> Option<&'static Logging> {
    CURRENT.get()
}

/// Whether standard error is the journal (systemd.exec(5), `$JOURNAL_STREAM`): only then nobody misses the lines there.
fn is_journal_stream() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// What is logged, and where: the first can be changed.
#[derive(Debug, Clone)]
pub(crate) struct Logging {
    filter: reload::Handle<Targets, Registry>,
    level: Arc<AtomicU8>,
    target: Target,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Journal,
    Syslog,
    /// Standard error.
    Console,
}

fn changeable(filter: Targets) -> (reload::Layer<Targets, Registry>, Logging) {
    let level = Level::of(Layer::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE));
    let (layer, filter) = reload::Layer::new(filter);
    (layer, Logging { filter, level: Arc::new(level.0.into()), target: Target::Console })
}

impl Logging {
    /// The least urgent lines that are logged.
    pub(crate) fn level(&self) -> Level {
        Level(self.level.load(Ordering::Relaxed))
    }

    /// Logs lines from now on that are at least so urgent, whatever `USHERD_LOG` says.
    ///
    /// # Errors
    /// There is no log any more.
    pub(crate) fn set_level(&self, level: Level) -> Result<(), reload::Error> {
        self.filter.reload(Targets::new().with_default(level.filter()))?;
        self.level.store(level.0, Ordering::Relaxed);
        Ok(())
    }

    /// Where log lines go.
    pub(crate) fn target(&self) -> Target {
        self.target
    }
}

/// How urgent a line is: a priority of syslog(3), 0 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level(u8);

impl Level {
    /// Their names, the most urgent first.
    const NAMES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

    /// The level's name.
    pub(crate) fn as_str(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("debug")
    }

    /// The level that comes closest to one of the log's own.
    fn of(filter: LevelFilter) -> Self {
        match filter {
            LevelFilter::OFF => Self(0),
            LevelFilter::ERROR => Self(3),
            LevelFilter::WARN => Self(4),
            LevelFilter::INFO => Self(6),
            _ => Self(7),
        }
    }

    /// The log has fewer levels than syslog. What syslog divides up further, such as everything from a failed call to a
    /// bug that ends usherd, is logged at any of those levels.
    fn filter(self) -> LevelFilter {
        match self.0 {
            0..=3 => LevelFilter::ERROR,
            4 => LevelFilter::WARN,
            5 | 6 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }
    }
}

/// A text that is no level.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of emerg, alert, crit, err, warning, notice, info, debug and 0 to 7")]
pub(crate) struct BadLevel;

/// A name, or a number as systemd takes it, too.
impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(text: &str) -> Result<Self, BadLevel> {
        let is_called_so = |level: &Self| level.as_str() == text || level.0.to_string() == text;
        (0..8).map(Self).find(is_called_so).ok_or(BadLevel)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Whether lines of each level are logged, from the same places in the program each time: tracing remembers of
    /// each place whether anybody wants to hear from it.
    fn heard(lines: &Lines) -> [bool; 4] {
        tracing::error!("said at error");
        tracing::warn!("said at warn");
        tracing::info!("said at info");
        tracing::debug!("said at debug");
        let text = std::mem::take(&mut *lines.0.lock().unwrap());
        let text = String::from_utf8(text).unwrap();
        ["error", "warn", "info", "debug"].map(|level| text.contains(&format!("said at {level}")))
    }

    /// Runs something with a log of its own, that starts with this filter.
    pub(crate) fn with_log(filter: &str, run: impl FnOnce(&Logging, &dyn Fn() -> [bool; 4])) {
        let (filter, logging) = changeable(filter.parse().unwrap());
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        tracing::subscriber::with_default(subscriber, || run(&logging, &|| heard(&lines)));
    }

    #[test]
    fn what_is_set_is_what_is_logged() {
        with_log("info", |logging, heard| {
            assert_eq!(heard(), [true, true, true, false]);
            for (level, expected) in [
                ("debug", [true; 4]),
                ("emerg", [true, false, false, false]),
                ("err", [true, false, false, false]),
                ("warning", [true, true, false, false]),
                ("notice", [true, true, true, false]),
                ("info", [true, true, true, false]),
                ("debug", [true; 4]),
            ] {
                logging.set_level(level.parse().unwrap()).unwrap();
                assert_eq!(heard(), expected, "{level}");
                assert_eq!(logging.level().as_str(), level);
            }
        });
    }

    #[test]
    fn the_environment_s_filter_has_a_level_and_ends_when_one_is_set() {
        for (filter, level) in
            [("off", "emerg"), ("error", "err"), ("warn", "warning"), ("info,usher_model=trace", "debug")]
        {
            with_log(filter, |logging, _| assert_eq!(logging.level().as_str(), level, "{filter}"));
        }
        with_log("off,usher_broker=debug", |logging, heard| {
            assert_eq!(heard(), [true; 4]);
            logging.set_level(Level(4)).unwrap();
            assert_eq!(heard(), [true, true, false, false]);
        });
    }

    #[test]
    fn the_names_of_levels() {
        for (number, name) in Level::NAMES.iter().enumerate() {
            assert_eq!(name.parse::<Level>().unwrap().as_str(), *name);
            assert_eq!(number.to_string().parse::<Level>().unwrap().as_str(), *name);
        }
        for bad in ["", "8", "-1", "07", "Info", "warn", "error", "trace", "info "] {
            assert_eq!(bad.parse::<Level>(), Err(BadLevel), "{bad}");
        }
    }
}
