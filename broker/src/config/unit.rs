//! Drop-ins of systemd's units for users: `user@.service.d` and `user@UID.service.d`, `user-.slice.d` and
//! `user-UID.slice.d`. An administrator has these already; what of them makes sense for a user's manager under usher is
//! heeded, and the rest is named in one warning (systemd.unit(5), systemd.exec(5)).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::resources::Resources;
use super::settings::TIMEOUT_LIMIT;
use super::specifiers::{Dialect, Subject, expand};
use super::syntax::{self, Line};
use super::values;
use super::{Files, Warning, about_file, is_drop_in, shown};

/// Where systemd looks for units, the most important first.
const ROOTS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// More than this is not named one by one.
const UNHEEDED_LIMIT: usize = 20;

/// What drop-ins say of one user's manager and slice. `None` and empty where no file says anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSettings {
    /// Environment.
    pub environment: Vec<(String, String)>,
    /// EnvironmentFile: where, and whether it may be missing.
    pub environment_files: Vec<EnvironmentFile>,
    /// UnsetEnvironment: names, or `NAME=VALUE` for only that value.
    pub unset_environment: Vec<String>,
    /// Limit*, by the kernel's name without `RLIMIT_`.
    pub limits: BTreeMap<&'static str, Limit>,
    /// Nice.
    pub nice: Option<i32>,
    /// OOMScoreAdjust.
    pub oom_score_adjust: Option<i32>,
    /// UMask.
    pub umask: Option<u32>,
    /// TimeoutStartSec.
    pub start_timeout: Option<Duration>,
    /// TimeoutStopSec.
    pub stop_timeout: Option<Duration>,
    /// What the service's cgroup may use.
    pub service: Resources,
    /// What the slice may use.
    pub slice: Resources,
    /// Settings that usher does not heed, with the file that has them first.
    pub unheeded: Vec<(PathBuf, String)>,
    /// Mistakes.
    pub warnings: Vec<Warning>,
}

/// A file with assignments of environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// An absolute path.
    pub path: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A resource limit (setrlimit(2)), in the kernel's unit; `None` is infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The soft limit.
    pub soft: Option<u64>,
    /// The hard limit.
    pub hard: Option<u64>,
}

impl UnitSettings {
    /// Everything that is not heeded, in one line; `None` if there is nothing.
    pub fn unheeded_line(&self) -> Option<String> {
        let own = self.unheeded.iter().find(|(file, _)| !file.starts_with("/usr"));
        let (first, _) = own.or(self.unheeded.first())?;
        let mut names: Vec<&str> = self.unheeded.iter().map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let more = names.len().saturating_sub(UNHEEDED_LIMIT);
        names.truncate(UNHEEDED_LIMIT);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let files: std::collections::BTreeSet<_> = self.unheeded.iter().map(|(file, _)| file).collect();
        let others = match files.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} other drop-ins"),
        };
        Some(format!("{}{others}: usher does not heed {}{more}", first.display(), names.join(", ")))
    }
}

/// Reads a user's drop-ins.
pub fn load(files: &dyn Files, subject: &Subject<'_>) -> UnitSettings {
    let mut settings = UnitSettings::default();
    let uid = subject.uid;
    let service = [format!("user@{uid}.service.d"), "user@.service.d".to_owned()];
    let slice = [format!("user-{uid}.slice.d"), "user-.slice.d".to_owned()];
    for (directories, kind) in [(service, Kind::Service), (slice, Kind::Slice)] {
        for path in drop_ins(files, &directories, &mut settings.warnings) {
            match files.read(&path) {
                Ok(text) => apply_file(&path, &text, kind, subject, &mut settings),
                Err(error) => settings.warnings.push(about_file(&path, format!("cannot be read: {error}"))),
            }
        }
    }
    settings
}

/// What a drop-in is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `user@UID.service`.
    Service,
    /// `user-UID.slice`.
    Slice,
}

/// All drop-ins by name; a name hides the same one in less important places.
fn drop_ins(files: &dyn Files, directories: &[String; 2], warnings: &mut Vec<Warning>) -> Vec<PathBuf> {
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in ROOTS.iter().flat_map(|root| directories.iter().map(move |d| Path::new(root).join(d))) {
        match files.list(&directory) {
            Ok(names) => {
                for name in names.into_iter().filter(is_drop_in) {
                    let path = directory.join(&name);
                    found.entry(name).or_insert(path);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => warnings.push(about_file(&directory, format!("cannot be listed: {error}"))),
        }
    }
    found.into_values().collect()
}

/// Carries out what one file says.
pub fn apply_file(path: &Path, text: &str, kind: Kind, subject: &Subject<'_>, settings: &mut UnitSettings) {
    let about = |number: usize, key: &str, message: String| Warning {
        file: path.to_owned(),
        line: number,
        key: shown(key),
        message,
    };
    let mut section = None;
    for line in syntax::lines(text) {
        match line {
            Line::Section { name, .. } => section = Some(name),
            Line::Junk { number } => {
                settings.warnings.push(about(
                    number,
                    "",
                    "neither a [Section] nor a Key=Value line; ignored".to_owned(),
                ));
            }
            Line::Assignment { number, key, value } => {
                let done = match (section.as_deref(), kind) {
                    (None, _) => Err("outside of a section; ignored".to_owned()),
                    (Some(name), _) if name.starts_with("X-") => Ok(true),
                    // Nothing hangs on these.
                    (Some("Unit"), _) if matches!(key.as_str(), "Description" | "Documentation") => Ok(true),
                    (Some("Service"), Kind::Service) => settings.apply_service(&key, &value, subject),
                    (Some("Slice"), Kind::Slice) => {
                        settings.slice.apply(&key, &value).map_err(|expected| refused(&value, expected))
                    }
                    (Some(_), _) => Ok(false),
                };
                match done {
                    Ok(true) => {}
                    Ok(false) => settings.unheeded.push((path.to_owned(), format!("{}=", shown(&key)))),
                    Err(message) => settings.warnings.push(about(number, &key, message)),
                }
            }
        }
    }
}

fn refused(value: &str, expected: &str) -> String {
    format!("'{}' is refused: {expected}; nothing changed", shown(value))
}

impl UnitSettings {
    /// Whether the key is heeded; `Err` for a value that is refused, and then nothing has changed.
    fn apply_service(&mut self, key: &str, value: &str, subject: &Subject<'_>) -> Result<bool, String> {
        let fail = |expected| refused(value, expected);
        let empty = value.is_empty();
        match key {
            "Environment" if empty => self.environment.clear(),
            "EnvironmentFile" if empty => self.environment_files.clear(),
            "UnsetEnvironment" if empty => self.unset_environment.clear(),
            "Environment" => {
                let words = values::words(value).map_err(fail)?;
                let pairs = words.iter().map(|word| variable(word, subject)).collect::<Result<Vec<_>, _>>();
                self.environment.extend(pairs.map_err(|why| refused(value, &why))?);
            }
            "EnvironmentFile" => {
                let (path, optional) = match value.strip_prefix('-') {
                    Some(path) => (path, true),
                    None => (value, false),
                };
                let path = put_in(path, subject).map_err(|why| refused(value, &why))?;
                if !path.starts_with('/') {
                    return Err(fail("expected an absolute path"));
                }
                self.environment_files.push(EnvironmentFile { path, optional });
            }
            "UnsetEnvironment" => {
                let words = values::words(value).map_err(fail)?;
                let is_good = |word: &String| {
                    values::is_variable(word.split_once('=').map_or(word.as_str(), |(name, _)| name))
                };
                if !words.iter().all(is_good) {
                    return Err(fail("expected names of variables"));
                }
                let words = words.iter().map(|word| put_in(word, subject)).collect::<Result<Vec<_>, _>>();
                self.unset_environment.extend(words.map_err(|why| refused(value, &why))?);
            }
            "Nice" => self.nice = within(value, -20, 19).map_err(fail)?,
            "OOMScoreAdjust" => self.oom_score_adjust = within(value, -1000, 1000).map_err(fail)?,
            "UMask" if empty => self.umask = None,
            "UMask" => {
                let octal = value.bytes().all(|b| (b'0'..=b'7').contains(&b));
                let mask = u32::from_str_radix(value, 8).ok().filter(|&mask| octal && mask <= 0o777);
                self.umask = Some(mask.ok_or_else(|| fail("expected octal digits, such as 0027"))?);
            }
            "TimeoutStartSec" => self.start_timeout = timeout(value).map_err(fail)?,
            "TimeoutStopSec" => self.stop_timeout = timeout(value).map_err(fail)?,
            "TimeoutSec" => {
                let timeout = timeout(value).map_err(fail)?;
                (self.start_timeout, self.stop_timeout) = (timeout, timeout);
            }
            // usher hands on all that it has.
            "Delegate" => {
                let handed_on = ["yes", "true", "on", "1", "cpu", "io", "memory", "pids"];
                return Ok(value.split_ascii_whitespace().all(|word| handed_on.contains(&word)));
            }
            _ => match key.strip_prefix("Limit").and_then(limit_kind) {
                Some((name, _)) if empty => drop(self.limits.remove(name)),
                Some((name, unit)) => drop(self.limits.insert(name, limit(value, unit).map_err(fail)?)),
                None => return self.service.apply(key, value).map_err(fail),
            },
        }
        Ok(true)
    }
}

fn variable(word: &str, subject: &Subject<'_>) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((name, value)) if values::is_variable(name) => Ok((name.to_owned(), put_in(value, subject)?)),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn put_in(text: &str, subject: &Subject<'_>) -> Result<String, String> {
    expand(text, subject, Dialect::Unit)
        .map_err(|unknown| format!("usher does not know {}; it knows %u %U %h %t %s %i %n", shown(&unknown)))
}

fn within(value: &str, least: i32, most: i32) -> Result<Option<i32>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or("expected a number within the kernel's range")
}

fn timeout(value: &str) -> Result<Option<Duration>, &'static str> {
    const EXPECTED: &str =
        "expected a time span of at most 1h, for a manager that never ends would keep its user for ever";
    if value.is_empty() {
        return Ok(None);
    }
    match values::bounded_span(value, TIMEOUT_LIMIT, EXPECTED)? {
        // systemd.service(5): 0 is for ever.
        Duration::ZERO => Err(EXPECTED),
        span => Ok(Some(span)),
    }
}

/// In what a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    Bytes,
    Seconds,
    Microseconds,
    Nice,
}

/// The kernel's limits by the names that follow `Limit`.
fn limit_kind(name: &str) -> Option<(&'static str, Unit)> {
    const KINDS: [(&str, Unit); 16] = [
        ("CPU", Unit::Seconds),
        ("FSIZE", Unit::Bytes),
        ("DATA", Unit::Bytes),
        ("STACK", Unit::Bytes),
        ("CORE", Unit::Bytes),
        ("RSS", Unit::Bytes),
        ("NOFILE", Unit::Count),
        ("AS", Unit::Bytes),
        ("NPROC", Unit::Count),
        ("MEMLOCK", Unit::Bytes),
        ("LOCKS", Unit::Count),
        ("SIGPENDING", Unit::Count),
        ("MSGQUEUE", Unit::Bytes),
        ("NICE", Unit::Nice),
        ("RTPRIO", Unit::Count),
        ("RTTIME", Unit::Microseconds),
    ];
    KINDS.into_iter().find(|(known, _)| *known == name)
}

/// `SOFT:HARD`, or one value for both.
fn limit(value: &str, unit: Unit) -> Result<Limit, &'static str> {
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    let limit = Limit { soft: amount(soft, unit)?, hard: amount(hard, unit)? };
    match (limit.soft, limit.hard) {
        (Some(soft), Some(hard)) if soft > hard => Err("the soft limit is above the hard one"),
        (None, Some(_)) => Err("the soft limit is above the hard one"),
        _ => Ok(limit),
    }
}

fn amount(text: &str, unit: Unit) -> Result<Option<u64>, &'static str> {
    if text == "infinity" {
        return Ok(None);
    }
    let span = |divisor: u128, default: &str| {
        // A bare number is of the kernel's own unit (systemd.exec(5)).
        let bare = text.bytes().all(|b| b.is_ascii_digit());
        let span = if bare { values::span(&format!("{text}{default}")) } else { values::span(text) };
        let span = span?.map(|span| span.as_micros().div_ceil(divisor));
        Ok(span.map(|number| u64::try_from(number).unwrap_or(u64::MAX)))
    };
    match unit {
        Unit::Count => values::number(text).map(Some),
        Unit::Bytes => values::size(text).map(Some),
        Unit::Seconds => span(1_000_000, "s"),
        Unit::Microseconds => span(1, "us"),
        Unit::Nice => {
            // With a sign it is a nice level: the kernel counts from 20 downwards (getrlimit(2)).
            const EXPECTED: &str = "expected a nice level such as -5 or +5, or a number from 1 to 40";
            let number: i64 = text.parse().map_err(|_| EXPECTED)?;
            let number = if text.starts_with(['+', '-']) { 20 - number } else { number };
            u64::try_from(number).ok().filter(|n| (1..=40).contains(n)).map(Some).ok_or(EXPECTED)
        }
    }
}

#[cfg(test)]
mod tests;
