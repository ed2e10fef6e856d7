//! The configuration: whatever the files say, the settings stay within their bounds, and every complaint is one line.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use crate::config::{Files, Loaded, load};

/// The longest complaint, in bytes: a value and a key of at most 80 characters, and what was expected.
const MAX_LINE: usize = 1024;
const PAGE: u64 = 4096;

/// A main file and drop-ins, one after the other with NUL bytes between them.
struct Parts<'a> {
    directory: &'a str,
    name: &'a str,
    texts: Vec<String>,
}

impl Files for Parts<'_> {
    fn exists(&self, path: &Path) -> bool {
        path == Path::new(self.directory).join(self.name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let main = self.exists(path).then_some(0);
        let number = || path.file_stem()?.to_str()?.parse::<usize>().ok();
        let text = main.or_else(number).and_then(|number| self.texts.get(number));
        text.cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        if directory != Path::new(self.directory).join(format!("{}.d", self.name)) {
            return Err(ErrorKind::NotFound.into());
        }
        Ok((1..self.texts.len()).map(|number| format!("{number}.conf").into()).collect())
    }
}

/// usher.conf, and the same as logind.conf.
///
/// # Panics
/// What has to be true is not.
pub fn config(bytes: &[u8]) -> bool {
    let texts: Vec<_> = bytes
        .split(|byte| *byte == 0)
        .take(8)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    let parts = |directory, name| Parts { directory, name, texts: texts.clone() };
    let usher = load(&parts("/etc/usher", "usher.conf"));
    let logind = load(&parts("/etc/systemd", "logind.conf"));
    assert_eq!(usher.settings, logind.settings, "one syntax");
    assert_eq!(usher.sources.len(), texts.len());
    check(&usher, texts.iter().map(|text| text.lines().count()).max().unwrap_or_default());
    usher.settings != Loaded::default().settings
}

fn check(loaded: &Loaded, lines: usize) {
    for warning in loaded.warnings.iter().chain(&loaded.without_effect) {
        let text = warning.to_string();
        assert!(text.len() <= MAX_LINE && !text.contains(char::is_control), "{text:?}");
        assert!(warning.line <= lines, "{text}");
    }
    let settings = &loaded.settings;
    assert!(settings.manager_ready_wait <= Duration::from_secs(120), "{settings:?}");
    for time in [settings.manager_start_timeout, settings.manager_stop_timeout, settings.session_stop_timeout]
    {
        assert!(time <= Duration::from_secs(3600), "{settings:?}");
    }
    for memory in [PAGE, 1 << 30, 1 << 52] {
        let (bytes, _) = settings.runtime_directory_limits(memory, PAGE);
        assert!(bytes.is_multiple_of(PAGE) && bytes > 0, "{bytes} {settings:?}");
    }
}
