//! usher.conf and, where there is none, logind.conf: which files are read, in which order, and what they say.
//!
//! A mistake in a file never stops the broker: it is reported with file, line and key, and the value from before
//! stays. Reading is pure over [`Files`]; the settings themselves are in [`Settings`].

mod choice;
mod definition;
mod files;
mod kinds;
mod nesting;
mod resources;
mod services;
mod settings;
mod specifiers;
mod syntax;
pub mod unit;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use choice::{Choice, Choices};
pub use definition::{Definition, Readiness, Stop, filled, parse as parse_definition};
pub use files::{Files, FilesBelow, SystemFiles};
pub use kinds::{Kind, kinds};
pub use resources::{Ceiling, Resources};
pub use settings::{LingerStart, Manager, ManagerOf, Settings, Whose};
pub use specifiers::{READY_FD, Subject};
pub use values::Amount;

use crate::installed;

use settings::Applied;
use syntax::Line;
use usher_model::ServiceName;

/// What the configuration files say.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The settings, defaults included.
    pub settings: Settings,
    /// Whose manager is which.
    pub choices: Choices,
    /// The files that were read, in order.
    pub sources: Vec<PathBuf>,
    /// Mistakes, for the administrator.
    pub warnings: Vec<Warning>,
    /// Settings that logind would heed and usher does not yet, for whoever wonders.
    pub without_effect: Vec<Warning>,
    /// Whether there are mistakes in what is said of PAM services: then it is not to take the place of what holds already.
    pub services_in_doubt: bool,
}

/// Something about one place in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The key, or nothing.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

/// A family of configuration files: one main file, the first of several places, and drop-ins from all of them.
struct Family {
    name: &'static str,
    roots: Vec<PathBuf>,
}

/// The name of usher's own main file.
const USHER: &str = "usher.conf";

/// The administrator's, then the distribution's.
fn usher() -> Family {
    Family { name: USHER, roots: vec![installed::etc(""), installed::lib("")] }
}

/// One of systemd's families.
fn systemd(name: &'static str) -> Family {
    let roots = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    Family { name, roots: roots.map(PathBuf::from).into() }
}

/// Reads the configuration: usher's own files if there is any, else logind's, so that an administrator's
/// KillUserProcesses=yes keeps its meaning (DESIGN.md section 8).
pub fn load(files: &dyn Files) -> Loaded {
    let mut loaded = Loaded::default();
    if !load_family(files, &usher(), &mut loaded) {
        load_family(files, &systemd("logind.conf"), &mut loaded);
    }
    nesting::check(files, &mut loaded);
    loaded.choices = Choices::of(files, &loaded.settings, &mut loaded.warnings);
    loaded
}

/// Reads one family's main file and drop-ins. `false` if there is none, readable or not.
fn load_family(files: &dyn Files, family: &Family, loaded: &mut Loaded) -> bool {
    let paths = paths(files, family, &mut loaded.warnings);
    for path in &paths {
        match files.read(path) {
            Ok(text) => {
                let services = family.name == USHER;
                apply_file(path, &text, services, loaded);
                loaded.sources.push(path.clone());
            }
            Err(error) => loaded.warnings.push(about_file(path, format!("cannot be read: {error}"))),
        }
    }
    !paths.is_empty()
}

/// The files of a family, in the order in which they count.
fn paths(files: &dyn Files, family: &Family, warnings: &mut Vec<Warning>) -> Vec<PathBuf> {
    let mains: Vec<_> = family.roots.iter().map(|root| root.join(family.name)).collect();
    let main = mains.into_iter().find(|path| files.exists(path));
    main.into_iter().chain(drop_ins(files, family, warnings)).collect()
}

/// The drop-ins of all roots, sorted by name; a name hides the same one in later roots.
fn drop_ins(files: &dyn Files, family: &Family, warnings: &mut Vec<Warning>) -> Vec<PathBuf> {
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for root in &family.roots {
        let directory = root.join(format!("{}.d", family.name));
        match files.list(&directory) {
            Ok(names) => {
                for name in names.into_iter().filter(is_drop_in) {
                    let path = directory.join(&name);
                    found.entry(name).or_insert(path);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warnings.push(about_file(&directory, format!("cannot be listed: {error}"))),
        }
    }
    found.into_values().collect()
}

fn is_drop_in(name: &OsString) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".conf") && !name.starts_with(b".")
}

fn about_file(path: &Path, message: String) -> Warning {
    Warning { file: path.to_owned(), line: 0, key: String::new(), message }
}

/// Carries out what one file says.
fn apply_file(path: &Path, text: &str, services: bool, loaded: &mut Loaded) {
    let about = |line, key: &str, message: &str| Warning {
        file: path.to_owned(),
        line,
        key: shown(key),
        message: message.to_owned(),
    };
    let mut section = Section::Missing;
    for line in syntax::lines(text) {
        match line {
            Line::Section { number, name } => {
                section = Section::from_name(&name, services);
                let what_is_wrong = match &section {
                    Section::Unknown => "is unknown and ignored",
                    Section::Services(Err(why)) => {
                        loaded.services_in_doubt = true;
                        why
                    }
                    _ => continue,
                };
                let message = format!("section [{}] {}", shown(&name), shown(what_is_wrong));
                loaded.warnings.push(about(number, "", &message));
            }
            Line::Junk { number } => {
                loaded.warnings.push(about(number, "", "neither a [Section] nor a Key=Value line; ignored"));
            }
            Line::Assignment { number, key, value } => match &section {
                Section::Ignored | Section::Unknown | Section::Services(Err(_)) => {}
                Section::Services(Ok(names)) => {
                    let message = match services::apply(&mut loaded.settings.services, names, &key, &value) {
                        Ok(true) => continue,
                        Ok(false) => {
                            "no key of a [Service] section: expected Class, Manager, Cgroup, Nested or \
                                      Seat; ignored"
                                .to_owned()
                        }
                        Err(expected) => {
                            format!("'{}' is refused: {expected}; nothing changed", shown(&value))
                        }
                    };
                    loaded.services_in_doubt = true;
                    loaded.warnings.push(about(number, &key, &message));
                }
                Section::Missing => {
                    loaded.warnings.push(about(number, &key, "outside of a section; put [Login] before it"));
                }
                Section::Login => match settings::apply(&mut loaded.settings, &key, &value) {
                    Ok(Applied::Effective) => {}
                    Ok(Applied::WithoutEffect) => {
                        loaded.without_effect.push(about(number, &key, "known, but without effect here"));
                    }
                    Ok(Applied::UnknownKey) => {
                        loaded.warnings.push(about(number, &key, "unknown key; ignored"));
                    }
                    Err(expected) => {
                        let message = format!("'{}' is refused: {expected}; nothing changed", shown(&value));
                        loaded.warnings.push(about(number, &key, &message));
                    }
                },
            },
        }
    }
}

enum Section {
    /// Before the first section.
    Missing,
    /// `[Login]`
    Login,
    /// `[Sleep]`, which elogind puts into the same file, and `[X-…]`, which are other programs' business.
    Ignored,
    /// `[Service NAME …]`: of those; or why it names none. Only in usher's own files.
    Services(Result<Vec<ServiceName>, String>),
    /// Any other.
    Unknown,
}

impl Section {
    fn from_name(name: &str, services: bool) -> Self {
        let head = name
            .strip_prefix("Service")
            .filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if let Some(head) = head.filter(|_| services) {
            return Self::Services(services::names(head));
        }
        match name {
            "Login" => Self::Login,
            "Sleep" => Self::Ignored,
            other if other.starts_with("X-") => Self::Ignored,
            _ => Self::Unknown,
        }
    }
}

/// A piece of a file as it may stand in a log line.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
