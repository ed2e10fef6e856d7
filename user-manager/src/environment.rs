//! The manager's environment: what is known beforehand, what PAM makes of it, and what only the manager itself is to see.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::cli::Arguments;

/// systemd's own for user managers, and the directories of machines whose /usr is not merged.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the machine's language stands: locale.conf(5), and Debian's older place.
const LOCALE_FILES: [&str; 2] = ["/etc/locale.conf", "/etc/default/locale"];
/// Variables that speak of another process than the manager; a PAM module may have copied them from our own environment.
const NOT_OURS: [&str; 6] =
    ["MANAGERPID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Variables in the order they were set; a later value replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// The environment that PAM modules get to see.
    pub(crate) fn prepare(arguments: &Arguments) -> Self {
        let mut environment = Self::default();
        environment.set("PATH", PATH);
        let language = LOCALE_FILES.iter().find_map(|path| language(&std::fs::read_to_string(path).ok()?));
        if let Some(language) = language {
            environment.set("LANG", language);
        }
        environment.set("USER", &arguments.name);
        environment.set("LOGNAME", &arguments.name);
        environment.set("HOME", &arguments.home);
        environment.set("SHELL", &arguments.shell);
        environment.set("XDG_RUNTIME_DIR", &arguments.runtime_dir);
        environment
    }

    /// The environment to exec with.
    pub(crate) fn for_manager(mut self, notify_socket: &Path) -> Self {
        self.0.retain(|(name, _)| !NOT_OURS.iter().any(|&other| name == other));
        self.set("NOTIFY_SOCKET", notify_socket);
        self
    }

    fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.into(), value.as_ref().into()));
    }

    /// The variables.
    pub(crate) fn variables(&self) -> &[(OsString, OsString)] {
        &self.0
    }
}

impl From<Vec<(OsString, OsString)>> for Environment {
    fn from(variables: Vec<(OsString, OsString)>) -> Self {
        Self(variables)
    }
}

/// LANG in a file of shell-like assignments. A value that is no locale's name is none.
fn language(file: &str) -> Option<String> {
    let value = file.lines().rev().find_map(|line| line.trim().strip_prefix("LANG="))?.trim();
    let bare = ['"', '\''].iter().find_map(|&q| value.strip_prefix(q)?.strip_suffix(q)).unwrap_or(value);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@');
    (!bare.is_empty() && bare.len() < 128 && bare.bytes().all(fits)).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_read_as_a_shell_would() {
        assert_eq!(language("LANG=de_DE.UTF-8\n").as_deref(), Some("de_DE.UTF-8"));
        assert_eq!(language("#LANG=a\nLC_ALL=b\n LANG=\"C.UTF-8\" \n").as_deref(), Some("C.UTF-8"));
        assert_eq!(language("LANG=a\nLANG='b@euro'\n").as_deref(), Some("b@euro"));
        for none in ["", "LANG=", "LANG=\"\"", "LANG=$(reboot)", "LANG=\"a", "LANGUAGE=de"] {
            assert_eq!(language(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_manager_is_told_nothing_of_other_processes() {
        let variables = [("MANAGERPID", "1"), ("HOME", "/a"), ("NOTIFY_SOCKET", "/old"), ("LISTEN_FDS", "1")];
        let environment = Environment::from(variables.map(|(n, v)| (n.into(), v.into())).to_vec());
        let expected = [("HOME", "/a"), ("NOTIFY_SOCKET", "/run/usher/notify/7")];
        let ready = environment.for_manager(Path::new("/run/usher/notify/7"));
        assert_eq!(ready.variables(), expected.map(|(n, v)| (OsString::from(n), OsString::from(v))));
    }
}
