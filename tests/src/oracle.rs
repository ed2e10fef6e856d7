//! The real systemd-logind, to compare with: Debian 13 with systemd 257 as PID 1, in a [`Container`].
//!
//! There are the users alice (1001) and bob (1002), no virtual terminals, and no polkit.
//!
//! ```no_run
//! let oracle = usher_tests::Oracle::boot("[Login]\nUserStopDelaySec=0\n");
//! println!("{}", oracle.run(&["loginctl", "list-sessions"]).stdout);
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::machine::command::Output;
use crate::{Container, DEADLINE, Image};

/// The people, and no login prompt on the console.
const SETUP: &str = "useradd --create-home --shell /bin/sh --uid 1001 alice
useradd --create-home --shell /bin/sh --uid 1002 bob
systemctl mask console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer systemd-tmpfiles-clean.timer
";

/// A running systemd-logind in a booted container; everything of it ends when the value is dropped.
#[derive(Debug)]
pub struct Oracle(Container);

impl Oracle {
    /// The system that it runs in.
    pub fn image() -> Image {
        Image::debian("logind").packages(&["systemd", "dbus", "libpam-systemd", "login"]).setup(SETUP)
    }

    /// Boots, with that text as a drop-in of logind.conf(5).
    ///
    /// # Panics
    /// When it cannot be made; the message says why and what to do.
    pub fn boot(logind_conf: &str) -> Self {
        Self::try_boot(logind_conf).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Boots, or says why that cannot be done and what to do.
    ///
    /// # Errors
    /// As [`Start::try_boot`](crate::container::Start::try_boot).
    pub fn try_boot(logind_conf: &str) -> Result<Self> {
        let image = Self::image();
        let start = image.container().file("/etc/systemd/logind.conf.d/oracle.conf", logind_conf, 0o644);
        let oracle = Self(start.try_boot()?);
        let named = || oracle.try_run(&["busctl", "status", "org.freedesktop.login1"]).ok();
        oracle.0.wait_for("logind to be on the bus", named);
        Ok(oracle)
    }

    /// Puts an executable file of the host's into the container.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn install(&self, source: &Path, target: &str) {
        self.0.install(source, target);
    }

    /// Runs a command as root, in a service of its own, that is, outside of every session.
    ///
    /// # Panics
    /// When it fails or does not end within [`DEADLINE`], with [`Oracle::dump`].
    pub fn run(&self, command: &[&str]) -> Output {
        self.0.succeeded(command, self.try_run(command))
    }

    /// Like [`run`](Self::run), but a command that fails is an answer too.
    pub fn try_run(&self, command: &[&str]) -> Output {
        self.output("root", command, DEADLINE)
    }

    /// Runs a command as another user, without a PAM session and outside of every session.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn as_user(&self, user: &str, command: &[&str]) -> Output {
        self.0.succeeded(command, self.output(user, command, DEADLINE))
    }

    /// Runs a command within a time of one's own choice.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn output(&self, user: &str, command: &[&str], limit: Duration) -> Output {
        let uid = format!("--uid={user}");
        let service = ["systemd-run", "--pipe", "--wait", "--quiet", "--collect", &uid, "--"];
        self.0.output(self.0.command(&[&service[..], command].concat()), command, limit)
    }

    /// What the container has to say, for the message of a test that fails.
    pub fn dump(&self) -> String {
        self.0.dump()
    }
}
