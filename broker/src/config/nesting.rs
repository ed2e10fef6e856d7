//! Budgets for stopping nest: a unit has less time than the user manager that waits for it, or the manager is killed while
//! the unit is still within its own time. What the units have is in systemd's user.conf (systemd-user.conf(5)).

use std::time::Duration;

use super::syntax::{self, Line};
use super::{Files, Loaded, Manager, Warning, paths, systemd, values};
use crate::installed;

/// The key that is too small.
const KEY: &str = "ManagerStopTimeoutSec";

/// systemd's DefaultTimeoutStopSec where no file sets it.
const DEFAULT_UNIT_STOP: Duration = Duration::from_secs(90);

/// Warns of a manager that has no more time to stop than its units have.
pub(super) fn check(files: &dyn Files, loaded: &mut Loaded) {
    if loaded.settings.manager != Manager::Named("systemd".to_owned()) {
        return;
    }
    let manager = loaded.settings.manager_stop_timeout;
    let unit = unit_stop_timeout(files);
    if unit.is_some_and(|unit| unit < manager) {
        return;
    }
    let unit = unit.map_or("for ever".to_owned(), |unit| format!("{} s", unit.as_secs_f64()));
    let message = format!(
        "{} s are not more than a unit of systemd --user may take ({unit}, DefaultTimeoutStopSec= in user.conf), \
         so units may be killed in the middle of stopping; raise this, or lower that",
        manager.as_secs_f64()
    );
    let file = loaded.sources.last().cloned().unwrap_or_else(|| installed::etc("usher.conf"));
    loaded.warnings.push(Warning { file, line: 0, key: KEY.to_owned(), message });
}

/// How long a unit may take to stop that says nothing itself; `None`: for ever. What cannot be read or understood is
/// systemd's to complain of.
fn unit_stop_timeout(files: &dyn Files) -> Option<Duration> {
    let mut timeout = Some(DEFAULT_UNIT_STOP);
    for path in paths(files, &systemd("user.conf"), &mut Vec::new()) {
        let mut in_section = false;
        for line in syntax::lines(&files.read(&path).unwrap_or_default()) {
            match line {
                Line::Section { name, .. } => in_section = name == "Manager",
                Line::Assignment { key, value, .. } if in_section && key == "DefaultTimeoutStopSec" => {
                    // systemd-system.conf(5): nothing and 0 stand for the default and for ever.
                    timeout = match values::span(&value) {
                        _ if value.is_empty() => Some(DEFAULT_UNIT_STOP),
                        Ok(span) => span.filter(|span| !span.is_zero()),
                        Err(_) => timeout,
                    };
                }
                Line::Assignment { .. } | Line::Junk { .. } => {}
            }
        }
    }
    timeout
}
