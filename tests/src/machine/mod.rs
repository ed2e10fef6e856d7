//! A running machine: its life, from the first process to the last.

pub(crate) mod background;
pub(crate) mod builder;
pub(crate) mod command;
mod leftovers;
mod observe;
pub(crate) mod pam_login;
pub(crate) mod services;
pub(crate) mod shell;
pub(crate) mod size;
pub(crate) mod usher;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::spec::Spec;
use crate::{artefacts, wait};
use builder::Builder;

/// Within this time everything that a test waits for has to happen.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Making a machine takes some 50 ms; a loaded computer may need longer.
const BOOT: Duration = Duration::from_secs(30);
const SHUTDOWN: Duration = Duration::from_secs(20);

/// A machine in namespaces of its own; see the [crate documentation](crate). It ends when the value is dropped.
#[derive(Debug)]
pub struct Machine {
    /// `usher-sandbox launch`: parent of PID 1, removes the cgroup when that has ended.
    launcher: Child,
    /// PID 1 ends when this pipe is closed, on purpose or because the test process has died.
    lifeline: Option<ChildStdin>,
    program: PathBuf,
    /// PID 1 in the host's numbers.
    init: i32,
    cgroup: PathBuf,
    counter: AtomicU32,
    dumped: AtomicBool,
}

impl Machine {
    /// A machine with usher's programs installed and nothing started.
    ///
    /// # Panics
    /// Like [`Builder::boot`].
    pub fn boot() -> Self {
        Self::builder().boot()
    }

    /// A machine that differs from the usual one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start(spec: &Spec) -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "a machine in namespaces can be made by root only; run the tests with `cargo xtask test`, which asks for root"
        );
        let program = artefacts::sandbox_program()?;
        let mut launcher = Command::new(&program)
            .arg("launch")
            .arg(&spec.cgroup)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {}", program.display()))?;
        let (stdin, stdout) = (launcher.stdin.take(), launcher.stdout.take());
        // From here on dropping the value clears up.
        let mut machine = Self {
            launcher,
            lifeline: stdin,
            program,
            init: 0,
            cgroup: spec.cgroup.clone(),
            counter: AtomicU32::new(0),
            dumped: AtomicBool::new(false),
        };
        let mut line = serde_json::to_vec(spec).context("write the machine's specification")?;
        line.push(b'\n');
        // The error of a launcher that has ended is told by its own words below.
        let _ = machine.lifeline.as_mut().map(|pipe| pipe.write_all(&line));
        machine.init = readiness(stdout.context("the launcher has no standard output")?)?;
        Ok(machine)
    }

    /// PID 1 of the machine in the host's numbers.
    pub fn init_pid(&self) -> i32 {
        self.init
    }

    /// The machine's directory in the host's cgroup2 tree.
    pub fn host_cgroup(&self) -> &std::path::Path {
        &self.cgroup
    }

    /// A number that this machine has not given before, for names of files and marks.
    fn number(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Fails the test, with everything there is to know about the machine.
    pub(crate) fn fail(&self, message: &str) -> ! {
        self.dumped.store(true, Ordering::Relaxed);
        panic!("{message}\n{}", self.dump());
    }

    fn shut_down(&mut self) -> Result<()> {
        drop(self.lifeline.take());
        if wait::child(&mut self.launcher, Instant::now() + SHUTDOWN)?.is_none() {
            // PID 1 has the launcher's death as its own death signal.
            self.launcher.kill()?;
            self.launcher.wait()?;
            bail!("the machine {} did not end within {SHUTDOWN:?} and was killed", self.cgroup.display());
        }
        ensure!(!self.cgroup.exists(), "the machine has left the cgroup {}", self.cgroup.display());
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() && self.init != 0 && !self.dumped.load(Ordering::Relaxed) {
            eprintln!("{}", self.dump());
        }
        if let Err(error) = self.shut_down() {
            // A second panic would abort the test program and hide the first.
            if std::thread::panicking() {
                eprintln!("{error:#}");
            } else {
                panic!("{error:#}");
            }
        }
    }
}

/// Reads `pid N`, and `ready` or `error …`: of two processes, so in either order.
fn readiness(mut out: ChildStdout) -> Result<i32> {
    use std::io::Read;
    use std::os::fd::AsFd;

    let deadline = Instant::now() + BOOT;
    let mut text = String::new();
    loop {
        for line in text.lines().filter(|_| text.ends_with('\n')) {
            if let Some(error) = line.strip_prefix("error ") {
                bail!("the machine did not boot: {error}");
            }
        }
        let pid = text.lines().find_map(|line| line.strip_prefix("pid "));
        if let Some(pid) = pid.filter(|_| text.ends_with('\n') && text.lines().any(|line| line == "ready")) {
            return pid.parse().with_context(|| format!("no pid in {text:?}"));
        }
        ensure!(
            wait::readable(out.as_fd(), deadline)?,
            "the machine did not boot within {BOOT:?}; it said {text:?}"
        );
        let mut buffer = [0; 4096];
        let length = out.read(&mut buffer).context("read what the machine says")?;
        ensure!(
            length > 0,
            "the machine ended before it was ready; it said {text:?}, see its messages above"
        );
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}
