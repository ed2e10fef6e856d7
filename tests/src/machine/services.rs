//! Daemons of a machine: usherd, sshd, D-Bus, polkit, cron.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::background::Background;
use super::{DEADLINE, Machine};
use crate::spec::{NOTIFICATIONS, NOTIFY_SOCKET};

/// Where Debian's package has it.
const POLKITD: &str = "/usr/lib/polkit-1/polkitd";

/// A running usherd, killed when the value is dropped; what it manages lives on in the machine.
#[derive(Debug)]
pub struct Usherd<'m> {
    machine: &'m Machine,
    process: Background<'m>,
    log_level: &'static str,
}

impl Machine {
    /// Starts usherd and waits until it says `READY=1` as sd_notify(3) defines it.
    pub fn start_usherd(&self) -> Usherd<'_> {
        self.start_usherd_at("debug")
    }

    /// The same as an init would start it, without debugging messages: for many logins.
    pub fn start_usherd_quietly(&self) -> Usherd<'_> {
        self.start_usherd_at("info")
    }

    fn start_usherd_at(&self, log_level: &'static str) -> Usherd<'_> {
        Usherd { machine: self, process: self.launch_usherd(log_level), log_level }
    }

    fn launch_usherd(&self, log_level: &str) -> Background<'_> {
        let environment =
            [("NOTIFY_SOCKET", NOTIFY_SOCKET), ("USHERD_LOG", log_level), ("RUST_BACKTRACE", "1")];
        let mut process = self.spawn_with(&["/usr/sbin/usherd"], None, &environment);
        let ready = format!("{} READY=1", process.pid());
        self.wait_for("usherd to say READY=1", || {
            if !process.is_running() {
                self.fail("usherd ended instead of saying READY=1");
            }
            self.read(NOTIFICATIONS).lines().any(|line| line == ready)
        });
        process
    }

    /// Starts the real sshd, once, and waits until it listens. [`ssh`](Machine::ssh) does this by itself.
    pub fn start_sshd(&self) {
        if self.exists("/run/sshd.pid") {
            return;
        }
        self.run(&["/usr/sbin/sshd"]);
        self.wait_for("sshd to listen", || self.exists("/run/sshd.pid"));
    }

    /// Starts a real `dbus-daemon --system` and waits until it answers; killed when the value is dropped.
    pub fn start_dbus(&self) -> Background<'_> {
        let process = self.spawn(&["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"]);
        let socket = self.file("/run/dbus/system_bus_socket");
        self.wait_for("dbus-daemon to listen", || UnixStream::connect(&socket).is_ok());
        process
    }

    /// Starts the real polkitd on the bus that [`start_dbus`](Self::start_dbus) has started, and waits until it answers;
    /// killed when the value is dropped. Without this a machine has no polkit, and its bus starts none.
    pub fn start_polkitd(&self) -> Background<'_> {
        let mut process = self.spawn(&[POLKITD, "--no-debug"]);
        self.wait_for("polkitd to answer on the bus", || {
            if !process.is_running() {
                self.fail(&format!("polkitd (package polkitd) ended: {}", process.log()));
            }
            self.try_run(&["pkaction"]).ok()
        });
        process
    }

    /// Starts the real cron. `@reboot` jobs of the users' crontabs run at once.
    pub fn start_cron(&self) -> Background<'_> {
        let process = self.spawn(&["cron", "-f", "-L", "15"]);
        self.wait_for("cron to write its pid file", || self.exists("/run/crond.pid"));
        process
    }
}

impl Usherd<'_> {
    /// Its process number in the machine.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// What it has logged since its last start.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Kills it as a crash would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Makes it hang.
    pub fn sigstop(&mut self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`sigstop`](Self::sigstop).
    pub fn sigcont(&mut self) {
        self.process.signal(Signal::SIGCONT);
    }

    /// Sends any signal, `SIGHUP` for instance.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to stop and returns its exit code.
    pub fn stop(&mut self) -> i32 {
        self.process.terminate()
    }

    /// Waits for its end and returns its exit code.
    pub fn wait(&mut self, limit: Duration) -> i32 {
        self.process.wait(limit)
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill9`](Self::kill9), and waits until it is ready.
    pub fn start(&mut self) {
        if self.process.is_running() {
            self.machine.fail("usherd is to be started and still runs");
        }
        self.process = self.machine.launch_usherd(self.log_level);
    }

    /// A clean stop, then a start.
    pub fn restart(&mut self) {
        let code = self.stop();
        if code != 0 {
            self.machine.fail(&format!("usherd did not stop cleanly within {DEADLINE:?}: exit code {code}"));
        }
        self.start();
    }
}
