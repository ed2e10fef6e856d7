//! The manager's environment: what is known beforehand, what PAM makes of it, and what only the manager itself is to see.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cli::Arguments;
use crate::failure::Failure;

/// systemd's own for user managers, and the directories of machines whose /usr is not merged.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the machine's language stands: locale.conf(5), and Debian's older place.
const LOCALE_FILES: [&str; 2] = ["/etc/locale.conf", "/etc/default/locale"];
/// Variables that speak of another process than the manager; a PAM module may have copied them from our own environment.
const NOT_OURS: [&str; 7] = [
    "NOTIFY_SOCKET",
    "MANAGERPID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Variables in the order they were set; a later value replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// The environment that PAM modules get to see.
    pub(crate) fn prepare(arguments: &Arguments) -> Result<Self, Failure> {
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
        // systemd.exec(5): what drop-ins set counts more than what goes without saying, and files more than that.
        for assignment in &arguments.setenv {
            if let Some((name, value)) = split(assignment) {
                environment.set(name, value);
            }
        }
        for file in &arguments.environment_file {
            for (name, value) in file.variables()? {
                environment.set(name, value);
            }
        }
        Ok(environment)
    }

    /// The environment to exec with.
    pub(crate) fn for_manager(mut self, notify_socket: Option<&Path>, unset: &[OsString]) -> Self {
        self.0.retain(|(name, _)| !NOT_OURS.iter().any(|&other| name == other));
        self.0.retain(|(name, value)| {
            !unset.iter().any(|unwanted| match split(unwanted) {
                Some(assignment) => assignment == (name.as_os_str(), value.as_os_str()),
                None => unwanted == name,
            })
        });
        if let Some(socket) = notify_socket {
            self.set("NOTIFY_SOCKET", socket);
        }
        self
    }

    fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let name = name.as_ref();
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

/// NAME=VALUE.
fn split(assignment: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = assignment.as_bytes();
    let at = bytes.iter().position(|&b| b == b'=')?;
    let (name, value) = bytes.split_at_checked(at)?;
    Some((OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..)?)))
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
        let silent = environment.clone().for_manager(None, &[]);
        assert_eq!(silent.variables(), [("HOME".into(), "/a".into())]);
        let ready = environment.for_manager(Some(Path::new("/run/usher/notify/7")), &[]);
        assert_eq!(ready.variables(), expected.map(|(n, v)| (OsString::from(n), OsString::from(v))));
    }

    #[test]
    fn what_is_unset_is_not_there() {
        let variables = [("A", "1"), ("B", "2"), ("C", "3")];
        let environment = Environment::from(variables.map(|(n, v)| (n.into(), v.into())).to_vec());
        let unset = ["A", "B=3", "C=3", "D"].map(OsString::from);
        assert_eq!(environment.for_manager(None, &unset).variables(), [("B".into(), "2".into())]);
    }
}
