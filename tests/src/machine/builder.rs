//! How a machine may differ from the usual one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use super::Machine;
use crate::spec::{Artefact, File, Spec, User};
use crate::{artefacts, keys};

/// What to change before a machine boots; from [`Machine::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    usher: bool,
    module: bool,
    programs: Vec<Artefact>,
    users: Vec<User>,
    pam_lines: Vec<(String, String)>,
    files: Vec<File>,
    cgroup_readonly: bool,
    sysfs_writable: bool,
    shared_mounts: bool,
    terminals: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let builder = Self {
            usher: true,
            module: true,
            programs: Vec::new(),
            users: Vec::new(),
            pam_lines: Vec::new(),
            files: Vec::new(),
            cgroup_readonly: false,
            sysfs_writable: false,
            shared_mounts: false,
            terminals: true,
        };
        builder.user("alice", 1001).user("bob", 1002)
    }
}

impl Builder {
    /// None of usher's programs, and no line of it in the PAM configuration.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.usher = false;
        self.module = false;
        self
    }

    /// usher's programs, but no PAM module.
    #[must_use]
    pub fn no_module(mut self) -> Self {
        self.module = false;
        self
    }

    /// One more program of the host's, at a path of the machine's.
    #[must_use]
    pub fn program(mut self, source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        self.programs.push(Artefact { source: source.into(), target: target.into() });
        self
    }

    /// usherd with crash points, as `/usr/sbin/usherd-crash-points`, beside the usual one.
    ///
    /// # Panics
    /// When it has not been built; the message says how.
    #[must_use]
    pub fn crash_points(mut self) -> Self {
        self.programs.push(artefacts::crash_points().unwrap_or_else(|error| panic!("{error:#}")));
        self
    }

    /// One more user, besides alice (1001) and bob (1002).
    #[must_use]
    pub fn user(mut self, name: &str, uid: u32) -> Self {
        self.users.push(User { name: name.to_owned(), uid });
        self
    }

    /// Adds a line at the end of `/etc/pam.d/SERVICE`; a new service permits everybody.
    #[must_use]
    pub fn pam_line(mut self, service: &str, line: &str) -> Self {
        self.pam_lines.push((service.to_owned(), line.to_owned()));
        self
    }

    /// The text of `/etc/usher/usher.conf`.
    #[must_use]
    pub fn config(self, text: &str) -> Self {
        self.file("/etc/usher/usher.conf", text, 0o644, 0)
    }

    /// A file of root, or of the user with that number.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, contents: &str, mode: u32, owner: u32) -> Self {
        self.files.push(File { path: path.into(), contents: contents.to_owned(), mode, owner });
        self
    }

    /// A unit of alice's or another user's `systemd --user`, in `~/.config/systemd/user`.
    #[must_use]
    pub fn user_unit(self, user: &str, unit: &str, text: &str) -> Self {
        let owner = self.users.iter().find(|known| known.name == user).map_or(0, |known| known.uid);
        self.file(format!("/home/{user}/.config/systemd/user/{unit}"), text, 0o644, owner)
    }

    /// `/sys/fs/cgroup` is mounted read-only, as in an unprivileged container.
    #[must_use]
    pub fn cgroup_readonly(mut self) -> Self {
        self.cgroup_readonly = true;
        self
    }

    /// `/sys` can be written to, as on a host: what is written there is the host's, too. For measurements.
    #[must_use]
    pub fn sysfs_writable(mut self) -> Self {
        self.sysfs_writable = true;
        self
    }

    /// `/` has shared propagation, as systemd makes it at boot; without this it is private, as the kernel makes it.
    #[must_use]
    pub fn shared_mounts(mut self) -> Self {
        self.shared_mounts = true;
        self
    }

    /// Without virtual terminals, as most containers are; otherwise the machine has the host's.
    #[must_use]
    pub fn no_terminals(mut self) -> Self {
        self.terminals = false;
        self
    }

    /// Makes the machine.
    ///
    /// # Panics
    /// When it cannot be made; the message says which step failed and what to do.
    pub fn boot(self) -> Machine {
        self.try_boot().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Makes the machine, or says which step failed and what to do.
    pub fn try_boot(self) -> Result<Machine> {
        let mut artefacts = if self.usher { artefacts::usher(self.module)? } else { Vec::new() };
        artefacts.extend(self.programs);
        // First, so that a test can have others.
        let mut files = if self.usher { artefacts::descriptions() } else { Vec::new() };
        files.extend(self.files);
        Machine::start(&Spec {
            cgroup: cgroup()?,
            artefacts,
            users: self.users,
            pam_usher: self.module,
            pam_lines: self.pam_lines,
            files,
            cgroup_readonly: self.cgroup_readonly,
            sysfs_writable: self.sysfs_writable,
            shared_mounts: self.shared_mounts,
            terminals: self.terminals,
            keys: keys::keys()?,
        })
    }
}

/// A name of its own in the host's cgroup2 tree.
fn cgroup() -> Result<PathBuf> {
    static COUNTER: AtomicU32 = AtomicU32::new(1);
    let tree = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(Path::new)
        .into_iter()
        .find(|path| statfs(*path).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC))
        .context(
            "no cgroup2 tree at /sys/fs/cgroup or /sys/fs/cgroup/unified: mount one there (mount -t cgroup2)",
        )?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    Ok(tree.join(format!("usher-sandbox-{}-{number}", std::process::id())))
}
