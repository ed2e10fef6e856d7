//! The real systemd-logind, to compare with: Debian 13 with systemd 257 as PID 1, booted by systemd-nspawn in a
//! [`Machine`] of its own, so that it ends and vanishes as every machine does.
//!
//! The root file system is built once by mmdebstrap and kept as a tar file in cargo's target directory; each boot unpacks it to a tmpfs.
//! There are the users alice (1001) and bob (1002), no virtual terminals, and no polkit.
//!
//! ```no_run
//! let oracle = usher_tests::Oracle::boot("[Login]\nUserStopDelaySec=0\n");
//! println!("{}", oracle.run(&["loginctl", "list-sessions"]).stdout);
//! ```

mod image;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::machine::command::{Output, finish};
use crate::{DEADLINE, Machine, wait};

/// The tar file in the machine.
const TAR: &str = "/usr/lib/oracle.tar";
/// The container's root in the machine.
const ROOT: &str = "/run/oracle";
/// The container's cgroup in the machine: systemd-nspawn wants one that is its own.
const CGROUP: &str = "/sys/fs/cgroup/oracle";
/// Finds the container's PID 1: systemd-nspawn's first child only prepares it, the second is number 1 of its namespace.
const LEADER: &str = r"for pid in $(pgrep -P $(pgrep -x systemd-nspawn)); do
    grep -q '^NSpid:.*[[:space:]]1$' /proc/$pid/status && echo $pid; done; true";
/// Booting takes a second or two; a loaded computer may need much longer.
const BOOT: Duration = Duration::from_secs(90);

/// A running systemd-logind in a booted container; everything of it ends when the value is dropped.
#[derive(Debug)]
pub struct Oracle {
    /// systemd-nspawn and everything that it has started die with it.
    machine: Machine,
    nspawn: Child,
    /// PID 1 of the container in the machine's numbers.
    leader: i32,
    console: Arc<Mutex<String>>,
}

impl Oracle {
    /// Boots, with that text as a drop-in of logind.conf(5).
    ///
    /// # Panics
    /// When it cannot be made; the message says why and what to do.
    pub fn boot(logind_conf: &str) -> Self {
        Self::try_boot(logind_conf).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Boots, or says why that cannot be done and what to do.
    pub fn try_boot(logind_conf: &str) -> Result<Self> {
        let tar = image::ensure()?;
        let machine = Machine::builder().bare().program(tar, TAR).try_boot()?;
        machine.sh(&format!(
            "mkdir {ROOT} && mount -t tmpfs -o mode=0755 oracle {ROOT} && tar -C {ROOT} --numeric-owner -xpf {TAR}"
        ));
        let directory = machine.file(format!("{ROOT}/etc/systemd/logind.conf.d"));
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(directory.join("oracle.conf"), logind_conf))
            .context("write logind's configuration")?;
        let mut nspawn = nspawn(&machine).spawn().context("run systemd-nspawn")?;
        let console = listen(&mut nspawn);
        let mut oracle = Self { machine, nspawn, leader: 0, console };
        let deadline = Instant::now() + BOOT;
        oracle.find_leader(deadline)?;
        oracle.wait_running(deadline)?;
        Ok(oracle)
    }

    fn find_leader(&mut self, deadline: Instant) -> Result<()> {
        let mut leader = None;
        let found = wait::until(deadline, || {
            let out = self.machine.try_run(&["sh", "-c", LEADER]);
            leader = out.text().lines().next().and_then(|pid| pid.parse().ok());
            leader.is_some() || matches!(self.nspawn.try_wait(), Ok(Some(_)))
        });
        match (found, leader) {
            (true, Some(leader)) => self.leader = leader,
            _ => bail!("systemd-nspawn started no container:\n{}", self.console()),
        }
        Ok(())
    }

    fn wait_running(&self, deadline: Instant) -> Result<()> {
        let mut last = String::new();
        let running = wait::until(deadline, || {
            // The first tries come before there is anybody to ask.
            let state = finish(self.entering(&["systemctl", "is-system-running"]), DEADLINE);
            last = state.ok().flatten().map_or_else(String::new, |out| out.to_string());
            let named = || self.entering(&["busctl", "status", "org.freedesktop.login1"]);
            ["running", "degraded"].iter().any(|state| last.contains(&format!("stdout: {state}")))
                && finish(named(), DEADLINE).ok().flatten().is_some_and(|out| out.ok())
        });
        ensure!(running, "the container did not boot within {BOOT:?}; {last}\n{}", self.dump());
        Ok(())
    }

    /// Puts an executable file of the host's into the container.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn install(&self, source: &Path, target: &str) {
        let place = self.file(target);
        fs::copy(source, &place).unwrap_or_else(|error| {
            panic!("copy {} to {target} of the container: {error}", source.display())
        });
    }

    /// A path of the container as the test process can open it.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let root = format!("/proc/{}/root", self.leader);
        self.machine.file(root).join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Runs a command as root, in a service of its own, that is, outside of every session.
    ///
    /// # Panics
    /// When it fails or does not end within [`DEADLINE`], with [`Oracle::dump`].
    pub fn run(&self, command: &[&str]) -> Output {
        self.succeeded(command, self.try_run(command))
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
        self.succeeded(command, self.output(user, command, DEADLINE))
    }

    /// Runs a command within a time of one's own choice.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn output(&self, user: &str, command: &[&str], limit: Duration) -> Output {
        let uid = format!("--uid={user}");
        let service = ["systemd-run", "--pipe", "--wait", "--quiet", "--collect", &uid, "--"];
        match finish(self.entering(&[&service[..], command].concat()), limit) {
            Ok(Some(output)) => output,
            Ok(None) => panic!("`{}` did not end within {limit:?}\n{}", command.join(" "), self.dump()),
            Err(error) => panic!("cannot run `{}`: {error}", command.join(" ")),
        }
    }

    fn succeeded(&self, command: &[&str], output: Output) -> Output {
        assert!(output.ok(), "`{}` failed: {output}\n{}", command.join(" "), self.dump());
        output
    }

    /// In the container's namespaces, but in a cgroup outside of it: fit only for commands that nobody looks up there.
    fn entering(&self, command: &[&str]) -> Command {
        let leader = self.leader.to_string();
        self.machine.command(&[&["nsenter", "-t", &leader, "-a", "--"], command].concat())
    }

    /// What the container has to say, for the message of a test that fails.
    pub fn dump(&self) -> String {
        let mut dump = format!("---- console\n{}\n", self.console());
        for command in [
            &["systemctl", "--no-pager", "--failed"][..],
            &["journalctl", "--no-pager", "-n", "150"],
            &["systemd-cgls", "--no-pager", "-l"],
        ] {
            let out = finish(self.entering(command), DEADLINE).ok().flatten();
            let text = out.map_or_else(|| "(no answer)".to_owned(), |out| out.stdout + &out.stderr);
            let _ = writeln!(dump, "---- {}\n{text}", command.join(" "));
        }
        dump
    }

    fn console(&self) -> String {
        self.console.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The machine kills what is in it; this only reaps what had the container's console.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

fn nspawn(machine: &Machine) -> Command {
    let script = format!(
        "mkdir {CGROUP} && echo $$ > {CGROUP}/cgroup.procs && \
         exec systemd-nspawn --quiet --register=no --keep-unit --console=pipe --machine=oracle -D {ROOT} -b"
    );
    let mut command = machine.command(&["sh", "-c", &script]);
    command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    // The container shuts down when its standard input ends.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

fn listen(nspawn: &mut Child) -> Arc<Mutex<String>> {
    use std::io::Read;
    let console = Arc::new(Mutex::new(String::new()));
    if let Some(mut pipe) = nspawn.stdout.take() {
        let console = Arc::clone(&console);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                console.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
    }
    console
}
