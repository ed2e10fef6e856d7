//! What a kind of user manager is, as data: `NAME.conf` in /etc/usher/managers, else in /usr/lib/usher/managers, else the
//! same text as the latter is shipped with. Shipped definitions and an administrator's are written alike.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::specifiers::{ANYBODY, Dialect, Subject, expand};
use super::syntax::{self, Line};
use super::values::{self, Expected};
use super::{Files, Warning, about_file, shown};
use crate::installed;

/// Where definitions are looked for: the administrator's, then what is installed.
fn directories() -> [PathBuf; 2] {
    [installed::etc("managers"), installed::lib("managers")]
}

/// What is shipped: as good as the file, where that is missing.
const SHIPPED: [(&str, &str); 6] = [
    ("systemd", include_str!("../../../packaging/managers/systemd.conf")),
    ("dinit", include_str!("../../../packaging/managers/dinit.conf")),
    ("runit", include_str!("../../../packaging/managers/runit.conf")),
    ("s6", include_str!("../../../packaging/managers/s6.conf")),
    ("openrc", include_str!("../../../packaging/managers/openrc.conf")),
    ("none", include_str!("../../../packaging/managers/none.conf")),
];

/// A kind of user manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Start: programs with their arguments; the first one that is installed is run. None: there is no manager.
    pub start: Vec<Vec<String>>,
    /// Readiness.
    pub readiness: Readiness,
    /// Stop.
    pub stop: Stop,
    /// StopWaitsFor=all: what is left when the manager has ended has the rest of its time.
    pub waits_for_all: bool,
    /// Supervise=external: somebody else runs it.
    pub external: bool,
    /// Environment: names and values.
    pub environment: Vec<(String, String)>,
    /// SystemdBooted: it refuses to run where `/run/systemd/system` does not exist.
    pub boot_marker: bool,
    /// NeedsCgroups: it cannot run without a cgroup2 tree.
    pub needs_cgroups: bool,
}

/// How a manager says that it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// sd_notify(3).
    Notify,
    /// A newline on a descriptor of which `%r` is the number.
    Fd,
    /// This file appears.
    File(String),
    /// As soon as its program is run.
    Immediate,
}

/// How a manager is asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// By a signal.
    Signal(i32),
    /// By a command, run as the user, with the manager's number in `$MAINPID`.
    Command(Vec<String>),
}

impl Definition {
    /// A command that says by sd_notify(3) that it is ready, and stops at SIGTERM.
    pub fn of_command(command: Vec<String>) -> Self {
        Self { start: vec![command], readiness: Readiness::Notify, ..Self::default() }
    }
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            start: Vec::new(),
            readiness: Readiness::Notify,
            stop: Stop::Signal(rustix::process::Signal::TERM.as_raw()),
            waits_for_all: false,
            external: false,
            environment: Vec::new(),
            boot_marker: false,
            needs_cgroups: false,
        }
    }
}

/// A text of a definition with everything put in that differs from user to user.
pub fn filled(text: &str, subject: &Subject<'_>) -> String {
    // Reading the definition has tried it.
    expand(text, subject, Dialect::Definition).unwrap_or_default()
}

/// Whether a definition may have this name, which becomes a file's.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 64 && name.chars().all(fits)
}

/// The names of all definitions that there are.
pub(super) fn names(files: &dyn Files) -> BTreeSet<String> {
    let directories = directories();
    let listed = directories.iter().flat_map(|directory| files.list(directory).unwrap_or_default());
    let named = listed.filter_map(|file| file.to_str()?.strip_suffix(".conf").map(str::to_owned));
    let shipped = SHIPPED.iter().map(|(name, _)| (*name).to_owned());
    named.filter(|name| is_name(name)).chain(shipped).collect()
}

/// Reads the definition of that name.
///
/// # Errors
/// What is wrong with it, or that there is none. Unknown keys are only warned of.
pub(super) fn load(files: &dyn Files, name: &str, warnings: &mut Vec<Warning>) -> Result<Definition, String> {
    let file = format!("{name}.conf");
    let directories = directories();
    let paths = directories.each_ref().map(|directory| directory.join(&file));
    if let Some(path) = paths.iter().find(|path| files.exists(path)) {
        return match files.read(path) {
            Ok(text) => parse(path, &text, warnings),
            Err(error) => {
                let warning = about_file(path, format!("cannot be read: {error}"));
                warnings.push(warning.clone());
                Err(warning.to_string())
            }
        };
    }
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => parse(&paths[1], text, warnings),
        None => {
            let [own, shipped] = directories;
            Err(format!("there is no {file} in {} or {}", own.display(), shipped.display()))
        }
    }
}

/// The same from a text.
///
/// # Errors
/// The first mistake; all of them are among the warnings.
pub fn parse(path: &Path, text: &str, warnings: &mut Vec<Warning>) -> Result<Definition, String> {
    let mut draft = Draft::default();
    let mut mistake = None;
    let mut section = None;
    for line in syntax::lines(text) {
        let (number, key, found) = match line {
            Line::Section { number, name } => {
                let known = name == "Manager" || name.starts_with("X-");
                let found = match known {
                    true => Ok(true),
                    false => Err(format!("section [{}] is unknown, expected [Manager]", shown(&name))),
                };
                section = Some(name);
                (number, String::new(), found)
            }
            Line::Junk { number } => {
                (number, String::new(), Err("neither a [Section] nor a Key=Value line".to_owned()))
            }
            Line::Assignment { number, key, value } => match section.as_deref() {
                Some("Manager") => {
                    let found = draft
                        .apply(&key, &value)
                        .map_err(|expected| format!("'{}' is refused: {expected}", shown(&value)));
                    (number, key, found)
                }
                Some(_) => (number, key, Ok(true)),
                None => (number, key, Err("outside of a section; put [Manager] before it".to_owned())),
            },
        };
        let about = |message| Warning { file: path.to_owned(), line: number, key: shown(&key), message };
        match found {
            Ok(true) => {}
            Ok(false) => warnings.push(about("unknown key; ignored".to_owned())),
            Err(message) => {
                let warning = about(message);
                mistake = mistake.or_else(|| Some(warning.to_string()));
                warnings.push(warning);
            }
        }
    }
    if let Some(mistake) = mistake {
        return Err(mistake);
    }
    draft.finished().map_err(|(key, message)| {
        let warning = Warning { file: path.to_owned(), line: 0, key: key.to_owned(), message };
        let text = warning.to_string();
        warnings.push(warning);
        text
    })
}

/// A definition of which not everything is known yet.
#[derive(Debug, Default)]
struct Draft {
    definition: Definition,
    by_file: bool,
    file: Option<String>,
}

impl Draft {
    /// Carries out one assignment; whether the key is known.
    fn apply(&mut self, key: &str, value: &str) -> Result<bool, Expected> {
        let to = &mut self.definition;
        match key.to_ascii_lowercase().replace('-', "").as_str() {
            "start" if value.is_empty() => to.start.clear(),
            "start" => to.start.push(command(value)?),
            "readiness" => {
                self.by_file = value == "file";
                to.readiness = match value {
                    "notify" => Readiness::Notify,
                    "fd" => Readiness::Fd,
                    "file" | "immediate" => Readiness::Immediate,
                    _ => return Err("expected notify, fd, file or immediate"),
                };
            }
            "readyfile" => self.file = Some(below_runtime_dir(value)?),
            "stop" => to.stop = stop(value)?,
            "stopwaitsfor" => {
                to.waits_for_all = match value {
                    "main" => false,
                    "all" => true,
                    _ => return Err("expected main or all"),
                };
            }
            "supervise" => {
                to.external = match value {
                    "self" => false,
                    "external" => true,
                    _ => return Err("expected self or external"),
                };
            }
            "environment" if value.is_empty() => to.environment.clear(),
            "environment" => {
                for word in values::words(value)? {
                    let (name, text) = word.split_once('=').ok_or("expected NAME=VALUE")?;
                    if !values::is_variable(name) {
                        return Err("expected NAME=VALUE with a name of letters, digits and _");
                    }
                    to.environment.push((name.to_owned(), checked(text)?));
                }
            }
            "systemdbooted" => to.boot_marker = values::boolean(value)?,
            "needscgroups" => to.needs_cgroups = values::boolean(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What only the whole shows. `Err`: the key and what is wrong.
    fn finished(mut self) -> Result<Definition, (&'static str, String)> {
        if self.by_file {
            let file = self.file.ok_or(("ReadyFile", "Readiness=file needs a ReadyFile=".to_owned()))?;
            self.definition.readiness = Readiness::File(file);
        } else if self.file.is_some() {
            return Err(("ReadyFile", "means nothing without Readiness=file".to_owned()));
        }
        let definition = self.definition;
        if definition.external && matches!(definition.readiness, Readiness::Notify | Readiness::Fd) {
            let message = "with Supervise=external nothing is started that could say so: expected Readiness=file or \
                           Readiness=immediate";
            return Err(("Readiness", message.to_owned()));
        }
        if definition.external && !definition.start.is_empty() {
            return Err(("Start", "Supervise=external starts nothing".to_owned()));
        }
        Ok(definition)
    }
}

fn command(value: &str) -> Result<Vec<String>, Expected> {
    let words = values::words(value)?;
    if !words.first().is_some_and(|program| program.starts_with('/')) {
        return Err("expected a command that starts with an absolute path");
    }
    words.iter().map(|word| checked(word)).collect()
}

/// A text whose specifiers all exist.
fn checked(text: &str) -> Result<String, Expected> {
    match expand(text, &ANYBODY, Dialect::Definition) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("of specifiers there are %u %U %h %t %s %r, and %% for a per cent sign"),
    }
}

/// A user's manager has no business to be waited for in other places, and those may hang.
fn below_runtime_dir(value: &str) -> Result<String, Expected> {
    const EXPECTED: Expected = "expected a path below %t, such as %t/dinitctl";
    let inner = value.strip_prefix("%t/").ok_or(EXPECTED)?;
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    if inner.split('/').all(plain) { checked(value) } else { Err(EXPECTED) }
}

fn stop(value: &str) -> Result<Stop, Expected> {
    if value.starts_with('/') {
        return Ok(Stop::Command(command(value)?));
    }
    let name = value.strip_prefix("SIG").unwrap_or(value);
    let signal = SIGNALS.iter().find(|(known, _)| *known == name);
    let (_, signal) =
        signal.ok_or("expected a signal such as SIGTERM, or a command with an absolute path")?;
    Ok(Stop::Signal(signal.as_raw()))
}

/// Signals that somebody may take for a wish to stop.
const SIGNALS: [(&str, rustix::process::Signal); 10] = {
    use rustix::process::Signal;
    [
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("ABRT", Signal::ABORT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("ALRM", Signal::ALARM),
        ("PWR", Signal::POWER),
        ("KILL", Signal::KILL),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Result<Definition, String>, Vec<Warning>) {
        let mut warnings = Vec::new();
        let definition = parse(Path::new("/etc/usher/managers/x.conf"), text, &mut warnings);
        (definition, warnings)
    }

    #[test]
    fn what_is_shipped_is_right() {
        for (name, text) in SHIPPED {
            let (definition, warnings) = read(text);
            assert_eq!(warnings, [], "{name}");
            let definition = definition.unwrap();
            assert_eq!(definition.start.is_empty(), name == "none", "{name}");
        }
        let systemd = read(SHIPPED[0].1).0.unwrap();
        assert!(systemd.boot_marker && systemd.needs_cgroups && systemd.readiness == Readiness::Notify);
    }

    #[test]
    fn every_key_counts() {
        let text = "[Manager]\nStart=/bin/a -d %r '%h/b c'\nStart=/bin/b\nReadiness=file\nready-file=%t/x/y\n\
                    Stop=/bin/c $MAINPID\nStopWaitsFor=all\nEnvironment=A=1 'B=2 %U'\nEnvironment=C=\n";
        let expected = Definition {
            start: vec![
                vec!["/bin/a".into(), "-d".into(), "%r".into(), "%h/b c".into()],
                vec!["/bin/b".into()],
            ],
            readiness: Readiness::File("%t/x/y".into()),
            stop: Stop::Command(vec!["/bin/c".into(), "$MAINPID".into()]),
            waits_for_all: true,
            environment: [("A", "1"), ("B", "2 %U"), ("C", "")].map(|(n, v)| (n.into(), v.into())).to_vec(),
            ..Definition::default()
        };
        assert_eq!(read(text), (Ok(expected), vec![]));
        let external = read("[Manager]\nSupervise=external\nReadiness=immediate\nStop=HUP\n").0.unwrap();
        assert!(external.external && external.stop == Stop::Signal(1));
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        for (text, line) in [
            ("Start=dinit", "x.conf:2: Start: 'dinit' is refused: expected a command that starts with"),
            ("Start=/bin/a %x", "x.conf:2: Start: '/bin/a %x' is refused: of specifiers there are"),
            ("Start=/bin/a 'b", "x.conf:2: Start: '/bin/a 'b' is refused: a quotation mark"),
            ("Readiness=soon", "x.conf:2: Readiness: 'soon' is refused: expected notify, fd"),
            ("Readiness=file", "x.conf: ReadyFile: Readiness=file needs a ReadyFile="),
            ("ReadyFile=%t/a", "x.conf: ReadyFile: means nothing without"),
            ("ReadyFile=%t/../a", "x.conf:2: ReadyFile: '%t/../a' is refused: expected a path below %t"),
            ("ReadyFile=/tmp/a", "x.conf:2: ReadyFile: '/tmp/a' is refused: expected a path below %t"),
            ("Stop=SIGFOO", "x.conf:2: Stop: 'SIGFOO' is refused: expected a signal"),
            ("Supervise=external", "x.conf: Readiness: with Supervise=external nothing is started"),
            ("Supervise=external\nReadiness=immediate\nStart=/a", "x.conf: Start: Supervise=external starts"),
            ("Environment=1A=x", "x.conf:2: Environment: '1A=x' is refused: expected NAME=VALUE"),
            ("what", "x.conf:2: neither a [Section]"),
            ("[Service]", "x.conf:2: section [Service] is unknown"),
        ] {
            let (definition, warnings) = read(&format!("[Manager]\n{text}\n"));
            let error = definition.unwrap_err();
            assert!(error.starts_with(&format!("/etc/usher/managers/{line}")), "{error}");
            assert_eq!(warnings.first().map(ToString::to_string), Some(error));
        }
        let (definition, warnings) = read("[Manager]\nColour=red\n[X-Other]\nA=1\n");
        assert!(definition.is_ok());
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn names_are_no_paths() {
        assert!(is_name("dinit") && is_name("s6-rc_2.x"));
        for bad in ["", "a/b", "..", ".x", "a b", "\u{e4}", "@wheel", "-x"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\[Manager\\]\n([A-Za-z]{0,12}=?.{0,20}\n){0,10}") {
            let _ = read(&text);
        }
    }
}
