//! Running commands in a machine to their end.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{DEADLINE, Machine};
use crate::spec::INIT_CGROUP;
use crate::wait;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command wrote, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Whether the command exited with 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Standard output without the white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {}\nstdout: {}\nstderr: {}",
            self.code,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

impl Machine {
    /// Runs a command as root of the machine and returns what it wrote.
    ///
    /// # Panics
    /// When it fails or does not end within [`DEADLINE`], with [`Machine::dump`].
    pub fn run(&self, command: &[&str]) -> Output {
        self.succeeded(command, self.try_run(command))
    }

    /// Like [`run`](Self::run), but a command that fails is an answer too.
    pub fn try_run(&self, command: &[&str]) -> Output {
        self.output(self.command(command), command)
    }

    /// Like [`run`](Self::run), for a line of shell.
    pub fn sh(&self, script: &str) -> Output {
        self.run(&["sh", "-c", script])
    }

    /// Runs a command as another user: uid, groups, home directory, and no PAM session.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn as_user(&self, user: &str, command: &[&str]) -> Output {
        self.succeeded(command, self.try_as_user(user, command))
    }

    /// Like [`as_user`](Self::as_user), but a command that fails is an answer too.
    pub fn try_as_user(&self, user: &str, command: &[&str]) -> Output {
        self.output(self.command_as(user, command), command)
    }

    /// A command in the machine for callers with wishes of their own: standard streams, environment, waiting. It starts
    /// as root in the machine's `/init.scope` cgroup, in a session without a terminal, with a small clean environment.
    /// Killing the returned process kills the command (not what it has started).
    pub fn command(&self, command: &[&str]) -> Command {
        self.entering(&[], "/root", "root", command)
    }

    /// Like [`command`](Self::command), as another user.
    pub fn command_as(&self, user: &str, command: &[&str]) -> Command {
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        self.entering(&["--user", user], &home, user, command)
    }

    /// A command that keeps the caller's terminal, for people.
    pub fn interactive(&self, command: &[&str]) -> Command {
        let mut interactive = self.entering(&["--terminal"], "/root", "root", command);
        if let Some(term) = std::env::var_os("TERM") {
            interactive.env("TERM", term);
        }
        interactive
    }

    pub(super) fn entering(&self, options: &[&str], home: &str, user: &str, command: &[&str]) -> Command {
        let mut enter = Command::new(&self.program);
        enter.args(["enter", "--pid", &self.init.to_string(), "--cgroup"]);
        enter.arg(self.cgroup.join(INIT_CGROUP)).args(options).arg("--").args(command);
        enter.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("TERM", "dumb");
        enter.env("HOME", home).env("USER", user).env("LOGNAME", user).env("SHELL", "/bin/bash");
        enter.stdin(Stdio::null());
        enter
    }

    /// Runs a prepared command to its end within [`DEADLINE`].
    pub fn output(&self, command: Command, words: &[&str]) -> Output {
        self.output_within(command, words, DEADLINE)
    }

    /// The same within a time of one's own choice.
    pub fn output_within(&self, command: Command, words: &[&str], limit: Duration) -> Output {
        match finish(command, limit) {
            Ok(Some(output)) => output,
            Ok(None) => self.fail(&format!("`{}` did not end within {limit:?}", words.join(" "))),
            Err(error) => self.fail(&format!("cannot run `{}`: {error}", words.join(" "))),
        }
    }

    fn succeeded(&self, command: &[&str], output: Output) -> Output {
        if !output.ok() {
            self.fail(&format!("`{}` failed: {output}", command.join(" ")));
        }
        output
    }
}

/// Runs to the end; `None` if it had to be killed at the deadline. Daemons that the command leaves behind may hold its
/// pipes open: what counts is what was written when the command itself ended.
pub(crate) fn finish(mut command: Command, limit: Duration) -> io::Result<Option<Output>> {
    let deadline = Instant::now() + limit;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut pipes = [Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take())];
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let mut ended = false;
    while !ended {
        let ready = wait::any_readable(&[Some(pidfd.as_fd()), pipes[0].fd(), pipes[1].fd()], deadline)?;
        let Some(ready) = ready else {
            stop(&mut child)?;
            return Ok(None);
        };
        ended = ready[0];
        for (pipe, _) in pipes.iter_mut().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            pipe.read()?;
        }
    }
    let now = Instant::now();
    while let Some(ready) = wait::any_readable(&[pipes[0].fd(), pipes[1].fd()], now)? {
        for (pipe, _) in pipes.iter_mut().zip(&ready).filter(|(_, ready)| **ready) {
            pipe.read()?;
        }
    }
    let [stdout, stderr] = pipes.map(Pipe::text);
    Ok(Some(Output { code: code(child.wait()?), stdout, stderr }))
}

/// One of a child's output streams, and what came out of it.
struct Pipe {
    /// `None` after its end.
    file: Option<File>,
    bytes: Vec<u8>,
}

impl Pipe {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Self {
        Self { file: pipe.map(|pipe| File::from(pipe.into())), bytes: Vec::new() }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(File::as_fd)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let length = self.file.as_mut().map_or(Ok(0), |file| file.read(&mut buffer))?;
        self.bytes.extend(&buffer[..length]);
        if length == 0 {
            self.file = None;
        }
        Ok(())
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// How long a killed command may take to go.
const REAPING: Duration = Duration::from_secs(5);

/// Kills and reaps. The command in the machine goes first: were its parent outside killed before it, it would be left to
/// the host's PID 1 as a zombie, and the machine could not end until that one gets around to it.
pub(crate) fn stop(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = child.id();
    let inside = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for pid in inside.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        // Its parent, which lives, is the only one who could make the number free.
        let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
    if !inside.is_empty()
        && let Some(status) = wait::child(child, Instant::now() + REAPING)?
    {
        return Ok(status);
    }
    child.kill()?;
    child.wait()
}

pub(crate) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
