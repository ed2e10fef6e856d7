//! Drop-ins of systemd's units for users, and definitions of managers: whatever they say, what comes of it is fit for the
//! kernel and for a command line, and every complaint is one line.

use std::path::Path;

use crate::config::unit::{Kind, UnitSettings, apply_file};
use crate::config::{Subject, Warning, filled, parse_definition};

/// The longest complaint, in bytes.
const MAX_LINE: usize = 4096;

const SUBJECT: Subject<'static> =
    Subject { user: "u", uid: 1000, home: "/h", runtime_dir: "/run/user/1000", shell: "/bin/sh" };

/// The same text as a service's drop-in, as a slice's, and as a definition.
///
/// # Panics
/// What has to be true is not.
pub fn units(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut settings = UnitSettings::default();
    for kind in [Kind::Service, Kind::Slice] {
        apply_file(Path::new("/etc/x.conf"), &text, kind, &SUBJECT, &mut settings);
    }
    check_settings(&settings, text.lines().count());
    let mut warnings = Vec::new();
    let definition = parse_definition(Path::new("/etc/y.conf"), &text, &mut warnings);
    check_warnings(&warnings, text.lines().count());
    match &definition {
        Ok(definition) => {
            for words in &definition.start {
                assert!(words.first().is_some_and(|program| program.starts_with('/')), "{words:?}");
                let _: Vec<_> = words.iter().map(|word| filled(word, &SUBJECT)).collect();
            }
        }
        Err(_) => assert!(!warnings.is_empty(), "an error that nobody is told"),
    }
    let said = UnitSettings { warnings: Vec::new(), unheeded: Vec::new(), ..settings };
    said != UnitSettings::default()
        || definition.is_ok_and(|definition| !definition.start.is_empty() || definition.external)
}

fn check_settings(settings: &UnitSettings, lines: usize) {
    check_warnings(&settings.warnings, lines);
    if let Some(line) = settings.unheeded_line() {
        assert!(line.len() <= MAX_LINE && !line.contains(char::is_control), "{line:?}");
    }
    for (name, _) in &settings.environment {
        assert!(!name.is_empty() && !name.contains(['=', '\0', '\n']), "{name:?}");
    }
    for limit in settings.limits.values() {
        assert!(limit.soft.unwrap_or(u64::MAX) <= limit.hard.unwrap_or(u64::MAX), "{limit:?}");
    }
    assert!(settings.nice.is_none_or(|nice| (-20..20).contains(&nice)));
    assert!(settings.oom_score_adjust.is_none_or(|adjust| (-1000..=1000).contains(&adjust)));
    assert!(settings.umask.is_none_or(|mask| mask <= 0o777));
    for time in [settings.start_timeout, settings.stop_timeout].into_iter().flatten() {
        assert!(!time.is_zero() && time.as_secs() <= 3600, "{time:?}");
    }
}

fn check_warnings(warnings: &[Warning], lines: usize) {
    for warning in warnings {
        let text = warning.to_string();
        assert!(text.len() <= MAX_LINE && !text.contains(char::is_control), "{text:?}");
        assert!(warning.line <= lines, "{text}");
    }
}
