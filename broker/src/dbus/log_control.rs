//! org.freedesktop.LogControl1: what is logged and where (org.freedesktop.LogControl1(5)).

use zbus::{OwnedVariant, Variant};

use super::call::printable;
use super::failure::Failure;
use super::properties::Properties;
use crate::logging::{self, Logging, Target};

/// The log that usherd writes.
pub(super) struct LogControl;

impl Properties for LogControl {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        logging::current()?.value(name)
    }
}

impl Properties for Logging {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        Some(match name {
            "LogLevel" => self.level().as_str().into(),
            "LogTarget" => word(self.target()).into(),
            "SyslogIdentifier" => "usherd".into(),
            _ => return None,
        })
    }
}

/// Sets one of the writable properties. Who may has been checked.
///
/// # Errors
/// `InvalidArgs`: no text, or no such level. `NotSupported`: another target than the present one, or another property.
/// Then nothing has changed.
pub(super) fn set(name: &str, value: OwnedVariant) -> Result<(), Failure> {
    let log = logging::current().ok_or_else(|| Failure::not_supported("usherd does not write a log"))?;
    let signature = value.value_signature().to_string();
    let no_text = |_| {
        Failure::invalid(format!(
            "Incorrect parameters for property '{name}', expected 's', got '{signature}'."
        ))
    };
    set_in(log, name, &String::try_from(value).map_err(no_text)?)
}

fn set_in(log: &Logging, name: &str, value: &str) -> Result<(), Failure> {
    match name {
        "LogLevel" => set_level(log, value),
        "LogTarget" => keep_target(log, value),
        _ => Err(Failure::not_supported(format!("Property '{}' cannot be set.", printable(name)))),
    }
}

fn set_level(log: &Logging, level: &str) -> Result<(), Failure> {
    let level = level
        .parse()
        .map_err(|error| Failure::invalid(format!("Invalid log level: '{}' {error}", printable(level))))?;
    let failed = |error| Failure::standard("Failed", format!("cannot change the log level: {error}"));
    log.set_level(level).map_err(failed)
}

fn keep_target(log: &Logging, target: &str) -> Result<(), Failure> {
    let present = word(log.target());
    if target == present {
        return Ok(());
    }
    Err(Failure::not_supported(format!(
        "the log goes to '{present}', not to '{}', until usherd is started another way",
        printable(target)
    )))
}

fn word(target: Target) -> &'static str {
    match target {
        Target::Journal => "journal",
        Target::Syslog => "syslog",
        Target::Console => "console",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbus::interfaces::LOG_CONTROL;
    use crate::dbus::properties;
    use crate::logging::tests::with_log;

    #[test]
    fn every_property_has_a_value_of_its_type() {
        with_log("info", |logging, _| {
            let values = properties::all(&LOG_CONTROL, logging).0;
            let expected: [(_, Variant<'_>); 3] = [
                ("LogLevel", "info".into()),
                ("LogTarget", "console".into()),
                ("SyslogIdentifier", "usherd".into()),
            ];
            assert_eq!(values, expected);
            assert_eq!(logging.value("LogColour"), None);
        });
    }

    #[test]
    fn setting_the_level_changes_what_is_logged() {
        with_log("info", |logging, heard| {
            assert_eq!(heard(), [true, true, true, false]);
            set_in(logging, "LogLevel", "debug").unwrap();
            assert_eq!(heard(), [true; 4]);
            set_in(logging, "LogLevel", "3").unwrap();
            assert_eq!(heard(), [true, false, false, false]);
            assert_eq!(logging.value("LogLevel"), Some("err".into()));
        });
    }

    #[test]
    fn what_cannot_be_set_changes_nothing() {
        with_log("info", |logging, heard| {
            let bad = set_in(logging, "LogLevel", "loud").unwrap_err();
            assert_eq!(bad.name, "org.freedesktop.DBus.Error.InvalidArgs");
            assert!(bad.message.contains("'loud'") && bad.message.contains("warning"), "{bad:?}");
            assert_eq!(set_in(logging, "LogTarget", "console"), Ok(()));
            for (name, value) in [
                ("LogTarget", "journal"),
                ("LogTarget", "null"),
                ("LogTarget", ""),
                ("SyslogIdentifier", "x"),
            ] {
                let error = set_in(logging, name, value).unwrap_err();
                assert_eq!(error.name, "org.freedesktop.DBus.Error.NotSupported", "{name} {value}");
            }
            assert_eq!(heard(), [true, true, true, false]);
            assert_eq!(logging.value("LogLevel"), Some("info".into()));
            assert_eq!(logging.value("LogTarget"), Some("console".into()));
        });
    }
}
