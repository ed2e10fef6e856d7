//! Whole Debian systems with an init of their own, started by systemd-nspawn, each in a [`Machine`] of its own, so that
//! they end and vanish as every machine does.
//!
//! An [`Image`] says what is in one; it is built once and kept as a tar file in cargo's target directory. Each start
//! unpacks it to a tmpfs, so that every container is a fresh one.
//!
//! ```no_run
//! use usher_tests::Image;
//! // systemd as PID 1.
//! let image = Image::debian("example").packages(&["systemd", "dbus"]).setup("useradd --create-home alice");
//! let container = image.container().file("/etc/motd", "hello\n", 0o644).boot();
//! println!("{}", container.run(&["systemctl", "--version"]).stdout);
//! // Another init: it is ready when the command succeeds.
//! let image = Image::debian("example-sysv").packages(&["sysvinit-core"]);
//! let container = image.container().init(&["/sbin/init"], &["runlevel"]).boot();
//! // Or a script.
//! let script = "mkdir -p /run/dbus && touch /run/ready && exec sleep infinity";
//! let container = image.container().init(&["/bin/sh", "-c", script], &["test", "-e", "/run/ready"]).boot();
//! ```

mod build;
mod console;
mod image;
mod run;
mod start;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{DEADLINE, Machine, wait};
use console::Console;
pub use image::Image;
use start::Again;
pub use start::Start;

/// The container's root in the machine.
const ROOT: &str = "/run/container";
/// The container's cgroup in the machine.
const CGROUP: &str = "/sys/fs/cgroup/container";

/// What systemd-nspawn exits with when PID 1 has asked for a reboot.
const REBOOT: i32 = 133;

/// A running container; everything of it ends when the value is dropped.
#[derive(Debug)]
pub struct Container {
    /// systemd-nspawn and everything that it has started die with it.
    machine: Machine,
    nspawn: Child,
    /// PID 1 of the container in the machine's numbers.
    leader: i32,
    /// In the machine's tree: where commands of [`Container::command`] start.
    cgroup: String,
    console: Console,
    again: Again,
}

impl Container {
    /// A path of the container as the test process can open it, `/proc` with the container's own numbers too. Absolute links
    /// in it lead astray.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let root = format!("/proc/{}/root", self.leader);
        self.machine.file(root).join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file of the container; empty if there is none.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read(self.file(path))
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the container has this file or directory (a link counts as itself).
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.file(path).symlink_metadata().is_ok()
    }

    /// Puts an executable file of the host's into the running container.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn install(&self, source: &Path, target: &str) {
        let place = self.file(target);
        fs::copy(source, &place).unwrap_or_else(|error| {
            panic!("copy {} to {target} of the container: {error}", source.display())
        });
    }

    /// Everything that was written to the console so far.
    pub fn console(&self) -> String {
        self.console.seen()
    }

    /// Types on the console, which has to be a [terminal](Start::terminal).
    ///
    /// # Panics
    /// When there is none, or nobody has the console any more.
    pub fn type_in(&mut self, text: &str) {
        if let Err(error) = self.console.type_in(text) {
            panic!("cannot type {text:?} on the console: {error}\n{}", self.dump());
        }
    }

    /// Waits until it has gone down, and is up again, after somebody has asked for a reboot; returns the time that going down
    /// took. The console begins anew.
    ///
    /// # Panics
    /// When it does not go down within that time, or goes off, or does not come up again, with [`dump`](Self::dump).
    pub fn wait_rebooted(&mut self, limit: Duration) -> Duration {
        let (time, reboots) = self.wait_down(limit);
        assert!(reboots, "it went off instead of rebooting\n---- console\n{}", self.console());
        if let Err(error) = self.start_again() {
            panic!("after the reboot: {error:#}");
        }
        time
    }

    /// Waits until it has gone off, after somebody has asked for that; returns the time it took.
    ///
    /// # Panics
    /// When it does not, or reboots, with [`dump`](Self::dump).
    pub fn wait_off(&mut self, limit: Duration) -> Duration {
        let (time, reboots) = self.wait_down(limit);
        assert!(!reboots, "it rebooted instead of going off\n---- console\n{}", self.console());
        time
    }

    /// How long it took to go down, and whether that was for a reboot.
    fn wait_down(&mut self, limit: Duration) -> (Duration, bool) {
        let start = Instant::now();
        let mut status = None;
        let down = wait::until(start + limit, || {
            self.release_commands();
            status = self.nspawn.try_wait().ok().flatten();
            status.is_some()
        });
        assert!(down, "the container did not go down within {limit:?}\n{}", self.dump());
        (start.elapsed(), status.and_then(|status| status.code()) == Some(REBOOT))
    }

    /// Lets the outer half of a command that was stopped by an init that stops everything (killall5) see the end of the inner
    /// half: until then the kernel does not let go of the container's processes.
    fn release_commands(&self) {
        let pids = fs::read_to_string(self.machine.file(format!("{}/cgroup.procs", self.cgroup)));
        for pid in pids.unwrap_or_default().lines().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
    }

    /// The text of a file of a container that has ended; empty if there is none. Links lead astray.
    pub fn read_off(&self, path: impl AsRef<Path>) -> String {
        let path = path.as_ref();
        self.machine.read(Path::new(ROOT).join(path.strip_prefix("/").unwrap_or(path)))
    }

    /// Whether its PID 1 has not ended: it does when the container is shut down.
    pub fn is_running(&mut self) -> bool {
        matches!(self.nspawn.try_wait(), Ok(None))
    }

    /// The machine that the container is in. There the container's processes have other numbers.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// PID 1 of the container in the machine's numbers.
    pub fn leader(&self) -> i32 {
        self.leader
    }

    /// Waits until the condition holds.
    ///
    /// # Panics
    /// After [`DEADLINE`], with [`dump`](Self::dump).
    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.wait_within(DEADLINE, what, condition);
    }

    /// Like [`wait_for`](Self::wait_for), with a limit of its own; returns the time it took.
    ///
    /// # Panics
    /// When the condition does not hold in time, with [`dump`](Self::dump).
    pub fn wait_within(&self, limit: Duration, what: &str, condition: impl FnMut() -> bool) -> Duration {
        let start = Instant::now();
        let held = wait::until(start + limit, condition);
        assert!(held, "waited {limit:?} in vain for: {what}\n{}", self.dump());
        start.elapsed()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The machine kills what is in it; this only reaps what had the container's console.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}
