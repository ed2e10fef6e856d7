//! What is installed where: the one table, for `cargo xtask install`, `cargo xtask uninstall` and `cargo xtask dist`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::layout::Init::{self, Dinit, Openrc, Runit, S6, Systemd, Sysvinit};
use super::layout::Layout;

/// What a file is for, and with that how carefully it is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Run by people or the init.
    Program,
    /// Loaded by programs.
    Library,
    /// Read by programs, changed by nobody.
    Data,
    /// An administrator's from the moment it is installed: never overwritten once it was changed.
    Configuration,
    /// Another name for the file that `source` says, relative to this one.
    Link,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The prefix itself.
    Prefix,
    /// /etc, or what --sysconfdir says.
    Etc,
    /// Where PAM looks for modules.
    PamModules,
    /// Where the system bus looks for policy: there is no such directory below /usr/local.
    BusPolicy,
    /// Where the system bus looks for services that can be started.
    BusServices,
    /// Where polkit looks for actions: everywhere only there.
    PolkitActions,
    /// Where `systemd --user` looks for units.
    UserUnits,
    /// Where systemd as process 1 does.
    SystemUnits,
    /// Where pam-auth-update(8) looks for profiles.
    PamProfiles,
}

/// Who else may have a file of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// Nobody: a file that is there and not of this installation is in the way.
    Nobody,
    /// systemd or elogind, with a file that says the same: theirs stays.
    Equal,
}

/// One file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The built program's name, a path in the source tree, or a link's target. A path that ends in `/*` stands for all
    /// files there.
    pub(crate) source: &'static str,
    pub(crate) place: Place,
    /// Below the place. With a source that ends in `/*`, a directory.
    pub(crate) path: &'static str,
    /// With a source that ends in `/*`, of files that are no scripts.
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
    pub(crate) rival: Rival,
    /// Only with one of these inits; with none of them named, always.
    pub(crate) inits: &'static [Init],
}

impl Entry {
    fn is_for(&self, inits: &[Init]) -> bool {
        self.inits.is_empty() || self.inits.iter().any(|init| inits.contains(init))
    }
}

const fn entry(kind: Kind, mode: u32, source: &'static str, place: Place, path: &'static str) -> Entry {
    Entry { source, place, path, mode, kind, rival: Rival::Nobody, inits: &[] }
}

const fn program(source: &'static str, path: &'static str) -> Entry {
    entry(Kind::Program, 0o755, source, Place::Prefix, path)
}

const fn data(source: &'static str, place: Place, path: &'static str) -> Entry {
    entry(Kind::Data, 0o644, source, place, path)
}

const fn configuration(source: &'static str, path: &'static str) -> Entry {
    entry(Kind::Configuration, 0o644, source, Place::Etc, path)
}

const fn link(target: &'static str, path: &'static str) -> Entry {
    entry(Kind::Link, 0o777, target, Place::Prefix, path)
}

/// A script or a file of an init, below /etc.
const fn service(inits: &'static [Init], mode: u32, source: &'static str, path: &'static str) -> Entry {
    Entry { inits, ..entry(Kind::Configuration, mode, source, Place::Etc, path) }
}

const fn or_theirs(entry: Entry) -> Entry {
    Entry { rival: Rival::Equal, ..entry }
}

/// Everything.
pub(crate) const TABLE: &[Entry] = &[
    program("usherd", "sbin/usherd"),
    program("usherctl", "bin/usherctl"),
    program("usher-user-manager", "lib/usher/usher-user-manager"),
    program("usher-pam-setup", "sbin/usher-pam-setup"),
    entry(Kind::Library, 0o644, "libpam_usher.so", Place::PamModules, "pam_usher.so"),
    configuration("packaging/usher.conf", "usher/usher.conf"),
    data("packaging/managers/*", Place::Prefix, "lib/usher/managers"),
    data("packaging/dbus-1/org.freedesktop.login1.conf", Place::BusPolicy, "org.freedesktop.login1.conf"),
    or_theirs(data(
        "packaging/dbus-1/org.freedesktop.systemd1.conf",
        Place::BusPolicy,
        "org.freedesktop.systemd1.conf",
    )),
    data(
        "packaging/dbus-1/org.freedesktop.login1.service",
        Place::BusServices,
        "org.freedesktop.login1.service",
    ),
    or_theirs(data(
        "packaging/polkit-1/org.freedesktop.login1.policy",
        Place::PolkitActions,
        "org.freedesktop.login1.policy",
    )),
    data("packaging/user-units/*", Place::UserUnits, ""),
    configuration("packaging/pam.d/systemd-user", "pam.d/systemd-user"),
    data("packaging/pam.d/common-session.example", Place::Prefix, "share/doc/usher/examples/common-session"),
    data("packaging/pam.d/system-login.example", Place::Prefix, "share/doc/usher/examples/system-login"),
    data("README.md", Place::Prefix, "share/doc/usher/README.md"),
    data("CHANGELOG.md", Place::Prefix, "share/doc/usher/CHANGELOG.md"),
    data("docs/*", Place::Prefix, "share/doc/usher"),
    data("docs/bench/*", Place::Prefix, "share/doc/usher/bench"),
    data("packaging/init/README.md", Place::Prefix, "share/doc/usher/init.md"),
    data("packaging/pam-configs/usher", Place::PamProfiles, "usher"),
    data("packaging/man/usherctl.1", Place::Prefix, "share/man/man1/usherctl.1"),
    data("packaging/man/usher.conf.5", Place::Prefix, "share/man/man5/usher.conf.5"),
    data("packaging/man/usherd.8", Place::Prefix, "share/man/man8/usherd.8"),
    data("packaging/man/pam_usher.8", Place::Prefix, "share/man/man8/pam_usher.8"),
    data("packaging/man/usher-pam-setup.8", Place::Prefix, "share/man/man8/usher-pam-setup.8"),
    data("packaging/completions/bash/usherctl", Place::Prefix, "share/bash-completion/completions/usherctl"),
    data("packaging/completions/zsh/_usherctl", Place::Prefix, "share/zsh/site-functions/_usherctl"),
    data(
        "packaging/completions/fish/usherctl.fish",
        Place::Prefix,
        "share/fish/vendor_completions.d/usherctl.fish",
    ),
    Entry {
        inits: &[Openrc, Runit, Sysvinit, S6, Dinit],
        ..entry(
            Kind::Data,
            0o755,
            "packaging/init/usher-stop-users",
            Place::Prefix,
            "lib/usher/usher-stop-users",
        )
    },
    // As loginctl, where nobody else is that.
    or_theirs(link("usherctl", "bin/loginctl")),
    or_theirs(link("usherctl.1", "share/man/man1/loginctl.1")),
    or_theirs(data(
        "packaging/completions/bash/loginctl",
        Place::Prefix,
        "share/bash-completion/completions/loginctl",
    )),
    or_theirs(data(
        "packaging/completions/zsh/_loginctl",
        Place::Prefix,
        "share/zsh/site-functions/_loginctl",
    )),
    or_theirs(data(
        "packaging/completions/fish/loginctl.fish",
        Place::Prefix,
        "share/fish/vendor_completions.d/loginctl.fish",
    )),
    // The inits, see packaging/init/README.md.
    service(&[Sysvinit, Runit, S6, Systemd], 0o644, "packaging/init/default", "default/usherd"),
    service(&[Sysvinit], 0o755, "packaging/init/sysvinit/usherd", "init.d/usherd"),
    service(&[Openrc], 0o755, "packaging/init/openrc/usherd", "init.d/usherd"),
    service(&[Openrc], 0o644, "packaging/init/openrc/usherd.confd", "conf.d/usherd"),
    service(&[Runit], 0o755, "packaging/init/runit/usherd/run", "sv/usherd/run"),
    service(&[Runit], 0o755, "packaging/init/runit/usherd/finish", "sv/usherd/finish"),
    service(&[Runit], 0o755, "packaging/init/runit/usherd/check", "sv/usherd/check"),
    service(&[Runit], 0o755, "packaging/init/runit/usherd/control/t", "sv/usherd/control/t"),
    service(&[Runit], 0o755, "packaging/init/runit/usherd/log/run", "sv/usherd/log/run"),
    service(&[Dinit], 0o644, "packaging/init/dinit/usherd", "dinit.d/usherd"),
    service(&[S6], 0o755, "packaging/init/s6/usherd/run", "s6/usherd/run"),
    service(&[S6], 0o755, "packaging/init/s6/usherd/finish", "s6/usherd/finish"),
    service(&[S6], 0o644, "packaging/init/s6/usherd/notification-fd", "s6/usherd/notification-fd"),
    service(&[S6], 0o755, "packaging/init/s6/usherd/log/run", "s6/usherd/log/run"),
    service(&[S6], 0o644, "packaging/init/s6/usherd/log/notification-fd", "s6/usherd/log/notification-fd"),
    service(&[S6], 0o644, "packaging/init/s6-rc/usherd-srv/*", "s6/sv/usherd-srv"),
    service(&[S6], 0o644, "packaging/init/s6-rc/usherd-log/*", "s6/sv/usherd-log"),
    Entry {
        inits: &[Systemd],
        ..data("packaging/init/systemd/usherd.service", Place::SystemUnits, "usherd.service")
    },
];

/// The names of programs and libraries in cargo's target directory.
pub(crate) fn programs() -> impl Iterator<Item = &'static str> {
    let built = TABLE.iter().filter(|entry| matches!(entry.kind, Kind::Program | Kind::Library));
    built.map(|entry| entry.source).filter(|source| !source.contains('/'))
}

/// One file of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Where its bytes are; for a link, what it says.
    pub(crate) source: PathBuf,
    /// Where it goes to, from the root of the machine.
    pub(crate) target: PathBuf,
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
    pub(crate) rival: Rival,
    /// The prefix that stands in the text instead of /usr, for what starts programs.
    pub(crate) rewrite: Option<String>,
}

impl Item {
    /// What the file is to contain; nothing for a link.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        if self.kind == Kind::Link {
            return Ok(Vec::new());
        }
        let bytes = std::fs::read(&self.source).with_context(|| format!("read {}", self.source.display()))?;
        let Some(prefix) = &self.rewrite else { return Ok(bytes) };
        let text = String::from_utf8(bytes).with_context(|| format!("read {}", self.source.display()))?;
        let moved = ["sbin", "bin", "lib/usher"].iter().fold(text, |text, directory| {
            text.replace(&format!("/usr/{directory}/usher"), &format!("{prefix}/{directory}/usher"))
        });
        Ok(moved.into_bytes())
    }
}

/// The files of an installation with that layout: programs from `programs`, the rest from the source tree at `tree`.
///
/// # Errors
/// A source is missing: the error says how it is made.
pub(crate) fn items(layout: &Layout, programs: &Path, tree: &Path) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for entry in TABLE.iter().filter(|entry| entry.is_for(&layout.inits)) {
        let base = layout.place(entry.place).join(entry.path);
        let mut push = |source: PathBuf, target: PathBuf, mode: u32| {
            let Entry { kind, rival, .. } = *entry;
            let moved = !entry.inits.is_empty() && layout.prefix != Path::new("/usr");
            let rewrite = moved.then(|| layout.prefix.display().to_string());
            items.push(Item { source, target, mode, kind, rival, rewrite });
        };
        match (entry.kind, entry.source.strip_suffix("/*")) {
            (Kind::Link, _) => push(entry.source.into(), base, entry.mode),
            (_, Some(directory)) => {
                for source in files_in(&tree.join(directory))? {
                    let name = source.file_name().context("a listed file has no name")?.to_owned();
                    let script = std::fs::read(&source).is_ok_and(|bytes| bytes.starts_with(b"#!"));
                    push(source, base.join(name), if script { 0o755 } else { entry.mode });
                }
            }
            (Kind::Program | Kind::Library, None) if !entry.source.contains('/') => {
                let source = programs.join(entry.source);
                if !source.is_file() {
                    bail!(
                        "{} is not built: leave out --bin-dir, or run `cargo build --workspace` first",
                        source.display()
                    );
                }
                push(source, base, entry.mode);
            }
            _ => push(tree.join(entry.source), base, entry.mode),
        }
    }
    items.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(items)
}

/// The files of a directory, in the order of their names.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let entries: Vec<_> = directory.read_dir()?.collect::<Result<_, _>>()?;
        Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
    };
    let mut files = list().with_context(|| format!("list {}", directory.display()))?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::install::layout::tree;

    /// All items, with programs that are empty.
    fn all(inits: &[Init]) -> Vec<Item> {
        let layout = Layout::new("/usr".into(), None, Some("/lib/security".into()), inits.to_vec());
        let programs = tempfile::tempdir().unwrap();
        for entry in TABLE.iter().filter(|entry| matches!(entry.kind, Kind::Program | Kind::Library)) {
            std::fs::write(programs.path().join(entry.source), "").unwrap();
        }
        let mut items = items(&layout.unwrap(), programs.path(), &tree()).unwrap();
        items.retain(|item| item.source.parent() != Some(programs.path()));
        items
    }

    #[test]
    fn every_source_is_there_and_nothing_is_installed_twice() {
        for init in Init::ALL {
            let items = all(&[init]);
            let targets: BTreeSet<_> = items.iter().map(|item| &item.target).collect();
            assert_eq!(targets.len(), items.len());
            for item in items.iter().filter(|item| item.kind != Kind::Link) {
                assert!(item.source.is_file(), "{}", item.source.display());
                let executable = item.source.metadata().unwrap().permissions().mode() & 0o111 != 0;
                let script = item.bytes().unwrap().starts_with(b"#!");
                assert!(!executable || script, "{}", item.source.display());
                assert!(!executable || item.mode == 0o755, "{}", item.source.display());
            }
        }
    }

    /// A file that is forgotten here is one that users do not get.
    #[test]
    fn everything_in_packaging_is_in_the_table() {
        // What is not installed as it is: read by `cargo xtask dist`.
        const NOT_INSTALLED: [&str; 1] = ["packaging/debian"];
        let items = all(&Init::ALL);
        let installed: BTreeSet<_> = items.into_iter().map(|item| item.source).collect();
        let mut pending = vec![tree().join("packaging")];
        while let Some(directory) = pending.pop() {
            for entry in directory.read_dir().unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(tree()).unwrap().to_owned();
                if NOT_INSTALLED.iter().any(|not| shown == Path::new(not)) {
                    continue;
                }
                if path.is_dir() {
                    pending.push(path);
                } else {
                    assert!(installed.contains(&path), "{} is installed nowhere", shown.display());
                }
            }
        }
    }
}
