//! Where things go: prefix, configuration, PAM modules, and which init the machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::table::Place;

/// An init that usher has a definition for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Init {
    Openrc,
    Runit,
    S6,
    Dinit,
    Sysvinit,
    Systemd,
}

impl Init {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Openrc, Self::Runit, Self::S6, Self::Dinit, Self::Sysvinit, Self::Systemd];

    /// The one that runs on the machine with that root; `None` where it is no known one, as in a container or a staging
    /// directory.
    pub(crate) fn of_machine(root: &Path) -> Option<Self> {
        let there = |path: &str| root.join(path).exists();
        if there("run/systemd/system") {
            return Some(Self::Systemd);
        }
        if there("run/openrc/softlevel") {
            return Some(Self::Openrc);
        }
        let comm = fs::read_to_string(root.join("proc/1/comm")).unwrap_or_default();
        match comm.trim_end() {
            "runit" | "runit-init" => Some(Self::Runit),
            "s6-svscan" => Some(Self::S6),
            "dinit" => Some(Self::Dinit),
            "init" if there("etc/inittab") => Some(Self::Sysvinit),
            _ => None,
        }
    }
}

/// Where an installation puts what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) prefix: PathBuf,
    pub(crate) sysconfdir: PathBuf,
    pub(crate) pamdir: PathBuf,
    pub(crate) inits: Vec<Init>,
}

impl Layout {
    /// Checks what was asked for and finds out what was not.
    ///
    /// # Errors
    /// A directory is not an absolute path, or nobody knows where PAM looks for modules.
    pub(crate) fn new(
        prefix: PathBuf,
        sysconfdir: Option<PathBuf>,
        pamdir: Option<PathBuf>,
        inits: Vec<Init>,
    ) -> Result<Self> {
        let sysconfdir = sysconfdir.unwrap_or_else(|| "/etc".into());
        let pamdir = pamdir.map_or_else(pam_module_directory, Ok)?;
        for (option, path) in [("--prefix", &prefix), ("--sysconfdir", &sysconfdir), ("--pamdir", &pamdir)] {
            let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
            if !path.is_absolute() || !plain {
                bail!("{option} {}: expected an absolute path without `..`", path.display());
            }
        }
        Ok(Self { prefix, sysconfdir, pamdir, inits })
    }

    /// The directory that stands for a place. Other programs look for some files in fixed places only: in /usr for
    /// packages, in /etc or /usr/local for everybody else.
    pub(crate) fn place(&self, place: Place) -> PathBuf {
        let packaged = self.prefix == Path::new("/usr");
        match place {
            Place::Prefix => self.prefix.clone(),
            Place::Etc => self.sysconfdir.clone(),
            Place::PamModules => self.pamdir.clone(),
            Place::BusPolicy if packaged => "/usr/share/dbus-1/system.d".into(),
            Place::BusPolicy => self.sysconfdir.join("dbus-1/system.d"),
            Place::BusServices if packaged => "/usr/share/dbus-1/system-services".into(),
            Place::BusServices => "/usr/local/share/dbus-1/system-services".into(),
            Place::PolkitActions => "/usr/share/polkit-1/actions".into(),
            Place::UserUnits if packaged => "/usr/lib/systemd/user".into(),
            Place::UserUnits => "/usr/local/lib/systemd/user".into(),
            Place::SystemUnits if packaged => "/usr/lib/systemd/system".into(),
            Place::SystemUnits => "/usr/local/lib/systemd/system".into(),
            Place::PamProfiles => "/usr/share/pam-configs".into(),
        }
    }
}

/// Where this machine's PAM looks for modules: where pam_unix.so is, which no PAM is without.
fn pam_module_directory() -> Result<PathBuf> {
    let multiarch = Command::new("gcc").arg("-print-multiarch").output().ok();
    let multiarch = multiarch.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let triple = multiarch.filter(|triple| !triple.is_empty()).or_else(|| {
        let output = Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH").output().ok()?;
        let triple = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!triple.is_empty()).then_some(triple)
    });
    let multiarch = triple.map(|triple| Path::new("/usr/lib").join(triple).join("security"));
    let known = ["/usr/lib/security", "/usr/lib64/security", "/lib/security", "/lib64/security"];
    let candidates = multiarch.into_iter().chain(known.map(PathBuf::from));
    candidates
        .into_iter()
        .find(|directory| directory.join("pam_unix.so").exists())
        .context("there is no pam_unix.so in any directory that is known: say with --pamdir where PAM looks for modules")
}

/// The source tree.
pub(crate) fn tree() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(prefix: &str) -> Layout {
        Layout::new(prefix.into(), None, Some("/usr/lib/security".into()), vec![]).unwrap()
    }

    #[test]
    fn packages_and_administrators_have_places_of_their_own() {
        let places = [Place::BusPolicy, Place::BusServices, Place::PolkitActions, Place::UserUnits];
        let of = |prefix: &str| places.map(|place| layout(prefix).place(place).display().to_string());
        assert_eq!(
            of("/usr"),
            [
                "/usr/share/dbus-1/system.d",
                "/usr/share/dbus-1/system-services",
                "/usr/share/polkit-1/actions",
                "/usr/lib/systemd/user"
            ]
        );
        let own = [
            "/etc/dbus-1/system.d",
            "/usr/local/share/dbus-1/system-services",
            "/usr/share/polkit-1/actions",
            "/usr/local/lib/systemd/user",
        ];
        assert_eq!(of("/usr/local"), own);
        assert_eq!(of("/opt/usher"), own);
        assert_eq!(layout("/opt/usher").place(Place::Etc), Path::new("/etc"));
    }

    #[test]
    fn relative_directories_are_refused_by_name() {
        for (prefix, sysconfdir, word) in
            [("usr", "/etc", "--prefix usr"), ("/usr", "etc", "--sysconfdir"), ("/usr/../x", "/etc", "`..`")]
        {
            let error = Layout::new(prefix.into(), Some(sysconfdir.into()), Some("/lib".into()), vec![]);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_machine_tells_its_init() {
        let of = |files: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Init::of_machine(root.path())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("proc/1/comm", "bash\n")]), None);
        assert_eq!(of(&[("proc/1/comm", "init\n")]), None, "could be anything");
        assert_eq!(of(&[("proc/1/comm", "init\n"), ("etc/inittab", "")]), Some(Init::Sysvinit));
        let openrc = [("proc/1/comm", "init\n"), ("etc/inittab", ""), ("run/openrc/softlevel", "default\n")];
        assert_eq!(of(&openrc), Some(Init::Openrc), "which sysvinit's init may start");
        assert_eq!(of(&[("run/systemd/system/x", ""), ("proc/1/comm", "systemd\n")]), Some(Init::Systemd));
        for (comm, init) in [("runit", Init::Runit), ("s6-svscan", Init::S6), ("dinit", Init::Dinit)] {
            assert_eq!(of(&[("proc/1/comm", &format!("{comm}\n"))]), Some(init));
        }
    }
}
