//! Commands that run on while the test does something else.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::{code, stop};
use super::{DEADLINE, Machine};
use crate::spec::SANDBOX_DIR;
use crate::wait;

/// A command running in a machine; killed with `SIGKILL` when the value is dropped (what it has started is not).
#[derive(Debug)]
pub struct Background<'m> {
    machine: &'m Machine,
    name: String,
    child: Child,
    code: Option<i32>,
    pid: i32,
    host_pid: i32,
    log: PathBuf,
}

impl Machine {
    /// Starts a command as root and comes back as soon as it runs. Its output goes to a log file of the machine.
    pub fn spawn(&self, command: &[&str]) -> Background<'_> {
        self.spawn_with(command, None, &[])
    }

    /// Starts a command as another user, without a PAM session.
    pub fn spawn_as(&self, user: &str, command: &[&str]) -> Background<'_> {
        self.spawn_with(command, Some(user), &[])
    }

    /// Starts a command with additions to its environment.
    pub fn spawn_with(
        &self,
        command: &[&str],
        user: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Background<'_> {
        let name =
            command.first().map_or("nothing", |name| name.rsplit('/').next().unwrap_or(name)).to_owned();
        let number = self.number();
        let record = format!("{SANDBOX_DIR}/{name}-{number}.pid");
        let log = format!("{SANDBOX_DIR}/{name}-{number}.log");
        let mut options = vec!["--record", record.as_str()];
        options.extend(user.iter().flat_map(|user| ["--user", user]));
        let home = user.map_or("/root".to_owned(), |user| format!("/home/{user}"));
        let mut entering = self.entering(&options, &home, user.unwrap_or("root"), command);
        entering.envs(environment.iter().copied());
        let started = fs::File::create(self.file(&log)).and_then(|out| {
            let err = out.try_clone()?;
            entering.stdout(out).stderr(err).stdin(Stdio::null()).spawn()
        });
        let child = started
            .unwrap_or_else(|error| self.fail(&format!("cannot start {name} in the machine: {error}")));
        let mut background =
            Background { machine: self, name, child, code: None, pid: 0, host_pid: 0, log: log.into() };
        background.read_pids(&record);
        background
    }
}

impl Background<'_> {
    fn read_pids(&mut self, record: &str) {
        let path = self.machine.file(record);
        let deadline = Instant::now() + DEADLINE;
        let mut pids = String::new();
        let known = wait::until(deadline, || {
            pids = fs::read_to_string(&path).unwrap_or_default();
            !pids.is_empty() || matches!(self.child.try_wait(), Ok(Some(_)))
        });
        let mut numbers = pids.split_whitespace().filter_map(|pid| pid.parse().ok());
        match (known, numbers.next(), numbers.next()) {
            (true, Some(pid), Some(host_pid)) => (self.pid, self.host_pid) = (pid, host_pid),
            _ => self.machine.fail(&format!("{} did not start in the machine: {}", self.name, self.log())),
        }
    }

    /// The process's number in the machine.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The process's number on the host, where the test runs.
    pub fn host_pid(&self) -> i32 {
        self.host_pid
    }

    /// What it has written so far, to standard output and standard error.
    pub fn log(&self) -> String {
        fs::read(self.machine.file(&self.log)).map_or_else(
            |error| format!("(no log: {error})"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Sends a signal to the process itself; nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        // The number stays taken until its parent, our child, has waited for it and ended.
        if self.is_running() {
            let _ = kill(Pid::from_raw(self.host_pid), signal);
        }
    }

    /// Waits for its end and returns its exit code, 128 and the number if a signal ended it.
    pub fn wait(&mut self, limit: Duration) -> i32 {
        if let Some(code) = self.ended() {
            return code;
        }
        match wait::child(&mut self.child, Instant::now() + limit) {
            Ok(Some(status)) => *self.code.insert(code(status)),
            Ok(None) => {
                self.machine.fail(&format!("{} did not end within {limit:?}:\n{}", self.name, self.log()))
            }
            Err(error) => self.machine.fail(&format!("cannot wait for {}: {error}", self.name)),
        }
    }

    /// `SIGTERM`, then [`wait`](Self::wait).
    pub fn terminate(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.wait(DEADLINE)
    }

    /// `SIGKILL`, then [`wait`](Self::wait).
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait(DEADLINE);
    }

    fn ended(&mut self) -> Option<i32> {
        if self.code.is_none() {
            self.code = self.child.try_wait().ok().flatten().map(code);
        }
        self.code
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = stop(&mut self.child);
        }
    }
}
