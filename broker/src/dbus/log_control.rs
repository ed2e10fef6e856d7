//! org.freedesktop.LogControl1: what is logged and where (org.freedesktop.LogControl1(5)).

use usher_protocol::messages::Refusal;
use zbus::Variant;

use super::properties::Properties;
use crate::logging::{Logging, Target};

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
/// [`Refusal::InvalidParameter`]: no such level. [`Refusal::NotSupported`]: another target than the present one, or another
/// property. Then nothing has changed.
pub(crate) fn set(logging: &Logging, name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "LogLevel" => set_level(logging, value),
        "LogTarget" => keep_target(logging, value),
        _ => Err(not_supported(format!("the property {} cannot be set", shown(name)))),
    }
}

fn set_level(logging: &Logging, level: &str) -> Result<(), Refusal> {
    let level = level.parse().map_err(|error| Refusal::InvalidParameter {
        parameter: "LogLevel".to_owned(),
        message: format!("the log level '{}' {error}", shown(level)),
    })?;
    let failed = |error| Refusal::Failed { message: format!("cannot change the log level: {error}") };
    logging.set_level(level).map_err(failed)
}

fn keep_target(logging: &Logging, target: &str) -> Result<(), Refusal> {
    let present = word(logging.target());
    if target == present {
        return Ok(());
    }
    Err(not_supported(format!(
        "the log goes to '{present}' and not to '{}' until usherd is started another way",
        shown(target)
    )))
}

fn not_supported(message: String) -> Refusal {
    Refusal::NotSupported { message }
}

fn word(target: Target) -> &'static str {
    match target {
        Target::Journal => "journal",
        Target::Console => "console",
    }
}

/// What somebody has sent, short and printable enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
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
            set(logging, "LogLevel", "debug").unwrap();
            assert_eq!(heard(), [true; 4]);
            set(logging, "LogLevel", "3").unwrap();
            assert_eq!(heard(), [true, false, false, false]);
            assert_eq!(logging.value("LogLevel"), Some("err".into()));
        });
    }

    #[test]
    fn what_cannot_be_set_changes_nothing() {
        with_log("info", |logging, heard| {
            let bad = set(logging, "LogLevel", "lou\nd").unwrap_err();
            assert!(matches!(&bad, Refusal::InvalidParameter { message, .. } if message.contains("lou\\nd")));
            assert_eq!(set(logging, "LogTarget", "console"), Ok(()));
            for target in ["journal", "kmsg", "auto", "null", ""] {
                let error = set(logging, "LogTarget", target).unwrap_err();
                assert!(matches!(&error, Refusal::NotSupported { message } if message.contains("'console'")));
            }
            let other = set(logging, "SyslogIdentifier", "x").unwrap_err();
            assert!(matches!(other, Refusal::NotSupported { .. }));
            assert_eq!(heard(), [true, true, true, false]);
            assert_eq!(logging.value("LogLevel"), Some("info".into()));
            assert_eq!(logging.value("LogTarget"), Some("console".into()));
        });
    }
}
