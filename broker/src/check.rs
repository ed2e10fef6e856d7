//! `usherd --check`: what the configuration says, told to an administrator before usherd is started or told to read it
//! again. The same reading as usherd's own.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, FilesBelow, Loaded};

/// Reads the configuration of the machine with that root. Files and notes go to standard output, mistakes to standard
/// error. Fails if there is a mistake.
pub(crate) fn run(root: PathBuf) -> ExitCode {
    let loaded = config::load(&FilesBelow(root));
    let (notes, mistakes) = report(&loaded);
    // With nobody to read it, the exit code still says what was found.
    let _ = io::stdout().write_all(notes.as_bytes());
    let _ = io::stderr().write_all(mistakes.as_bytes());
    if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What to tell: what was read, and what is wrong.
fn report(loaded: &Loaded) -> (String, String) {
    let mut notes = String::new();
    let mut mistakes = String::new();
    // Writing to a String cannot fail.
    for path in &loaded.sources {
        let _ = writeln!(notes, "{}: read", path.display());
    }
    if loaded.sources.is_empty() {
        let _ = writeln!(notes, "no configuration file: every setting is at its default");
    }
    for note in &loaded.without_effect {
        let _ = writeln!(notes, "{note}");
    }
    for warning in &loaded.warnings {
        let _ = writeln!(mistakes, "{warning}");
    }
    (notes, mistakes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checked(text: Option<&str>) -> (String, String) {
        let root = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            fs::create_dir_all(root.path().join("etc/usher")).unwrap();
            fs::write(root.path().join("etc/usher/usher.conf"), text).unwrap();
        }
        report(&config::load(&FilesBelow(root.path().to_owned())))
    }

    #[test]
    fn mistakes_and_notes_have_file_line_and_key() {
        let (notes, mistakes) =
            checked(Some("[Login]\nRemoveIPC=no\nHandleLidSwitch=lock\nSessionsMax=many\n"));
        assert_eq!(
            notes,
            "/etc/usher/usher.conf: read\n\
             /etc/usher/usher.conf:3: HandleLidSwitch: known, but without effect here\n"
        );
        assert_eq!(
            mistakes,
            "/etc/usher/usher.conf:4: SessionsMax: 'many' is refused: expected a number; nothing changed\n"
        );
    }

    #[test]
    fn nothing_at_all_is_no_mistake() {
        let (notes, mistakes) = checked(None);
        assert_eq!((notes.lines().count(), mistakes.as_str()), (1, ""), "{notes}");
    }
}
