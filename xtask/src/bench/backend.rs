//! The user managers that are measured, and how each is started without usher: as its shipped definition says.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// A user manager.
#[derive(Debug)]
pub(super) struct Backend {
    /// What `Manager=` calls it.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) title: &'static str,
    /// What its process becomes, as in /proc/PID/comm.
    pub(super) program: &'static str,
    /// The directory of its services, below a home, if it makes that at its first start or does not start without it.
    pub(super) services: Option<&'static str>,
    /// A file there without which it does not start, and its text.
    pub(super) boot: Option<(&'static str, &'static str)>,
    definition: &'static str,
}

macro_rules! backend {
    ($name:literal, $title:literal, $program:literal, $services:expr, $boot:expr) => {
        Backend {
            name: $name,
            title: $title,
            program: $program,
            services: $services,
            boot: $boot,
            definition: include_str!(concat!("../../../packaging/managers/", $name, ".conf")),
        }
    };
}

/// The one that a machine has whose usher.conf names none.
pub(super) const DEFAULT: Backend = backend!("systemd", "systemd --user", "systemd", None, None);
pub(super) const OTHERS: [Backend; 3] = [
    backend!("runit", "runsvdir", "runsvdir", Some(".config/service"), None),
    backend!("s6", "s6-svscan", "s6-svscan", Some(".config/s6/service"), None),
    backend!("dinit", "dinit", "dinit", Some(".config/dinit.d"), Some(("boot", "type = internal\n"))),
];

/// What of a definition matters until the manager is ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    start: Vec<&'static str>,
    /// As usher-pam-load takes it.
    pub(super) readiness: &'static str,
    /// A signal's name.
    pub(super) stop: &'static str,
    pub(super) boot_marker: bool,
}

impl Backend {
    /// Its definition. Whatever is not understood here is an error: it would be measured differently.
    pub(super) fn definition(&self) -> Result<Definition> {
        let mut definition =
            Definition { start: Vec::new(), readiness: "notify", stop: "SIGTERM", boot_marker: false };
        for line in self.definition.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') || line == "[Manager]" {
                continue;
            }
            let (key, value) =
                line.split_once('=').with_context(|| format!("{}.conf: understand '{line}'", self.name))?;
            match (key, value) {
                ("Start", line) => definition.start.push(line),
                ("Readiness", "notify" | "fd" | "immediate") => definition.readiness = value,
                ("Stop", signal) if signal.starts_with("SIG") => definition.stop = signal,
                ("SystemdBooted", "yes" | "no") => definition.boot_marker = value == "yes",
                // What is left over is killed, and there always are cgroups.
                ("StopWaitsFor" | "NeedsCgroups", _) => {}
                _ => bail!("{}.conf: the bench does not know how to do '{line}' without usher", self.name),
            }
        }
        Ok(definition)
    }

    /// Whether it is there. A definition may start a shell, which always is.
    pub(super) fn is_installed(&self) -> Result<bool> {
        let path = std::env::var_os("PATH").context("PATH is not set")?;
        let on_path = || std::env::split_paths(&path).any(|place| place.join(self.program).exists());
        let start = self.definition()?.installed();
        Ok(start.is_some_and(|start| program_of(start).ends_with(&format!("/{}", self.program)) || on_path()))
    }
}

impl Definition {
    /// The command line for this user, as a shell splits it into words; %r stays.
    pub(super) fn command_line(&self, user: &str, uid: u32) -> Result<String> {
        let line = self.installed().context("none of the programs of Start= is there")?;
        ensure!(!line.contains("%%"), "the bench does not know %% in '{line}'");
        let (home, runtime) = (format!("/home/{user}"), format!("/run/user/{uid}"));
        let uid = uid.to_string();
        let specifiers =
            [("%h", home.as_str()), ("%t", &runtime), ("%u", user), ("%U", &uid), ("%s", "/bin/bash")];
        Ok(specifiers.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value)))
    }

    /// The first of the command lines whose program is there, as usherd takes it.
    fn installed(&self) -> Option<&'static str> {
        self.start.iter().copied().find(|line| Path::new(program_of(line)).exists())
    }
}

fn program_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_that_is_measured_is_understood() {
        for backend in [&DEFAULT].into_iter().chain(&OTHERS) {
            let definition = backend.definition().unwrap_or_else(|error| panic!("{error:#}"));
            assert!(!definition.start.is_empty(), "{}", backend.name);
            assert!(backend.definition.contains(backend.program), "{}", backend.name);
            assert!(backend.definition.contains(backend.services.unwrap_or_default()), "{}", backend.name);
            assert_eq!(definition.boot_marker, backend.name == "systemd");
        }
    }

    #[test]
    fn a_command_line_is_the_users_own() {
        let definition = Definition {
            start: vec!["/no/such %u", "/bin/sh -c 'x \"$1\" %r' sh %h/a %t %U"],
            readiness: "fd",
            stop: "SIGTERM",
            boot_marker: false,
        };
        let line = definition.command_line("ann", 2001).unwrap();
        assert_eq!(line, "/bin/sh -c 'x \"$1\" %r' sh /home/ann/a /run/user/2001 2001");
    }

    #[test]
    fn what_cannot_be_done_without_usher_is_an_error() {
        let backend = |definition| Backend {
            name: "x",
            title: "x",
            program: "x",
            services: None,
            boot: None,
            definition,
        };
        for line in ["Readiness=file", "Stop=/bin/x", "Environment=A=b", "nonsense"] {
            assert!(backend(line).definition().is_err(), "{line}");
        }
    }
}
