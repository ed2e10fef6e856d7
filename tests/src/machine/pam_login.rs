//! Logins that do as they are told, by the program usher-pam-login: quicker than a shell, and so many as one likes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use super::command::stop;
use super::{DEADLINE, Machine};
use crate::wait;

/// One login in a process of its own, which leads its session; killed when the value is dropped.
#[derive(Debug)]
pub struct PamLogin<'m> {
    machine: &'m Machine,
    user: String,
    child: Child,
    /// `None` once it was told to end.
    input: Option<ChildStdin>,
    output: File,
    /// What it has said and nobody has taken notice of.
    heard: Vec<u8>,
    entered: Option<Entered>,
}

/// What a login was given.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Its process, in the machine.
    pub pid: i32,
    /// XDG_SESSION_ID.
    pub session: Option<String>,
    /// XDG_RUNTIME_DIR.
    pub runtime_dir: Option<String>,
    /// How long pam_open_session took.
    pub took: Duration,
}

impl Machine {
    /// Begins to log in as a PAM application of the service `usher-test`, and does not wait.
    pub fn pam_login(&self, user: &str) -> PamLogin<'_> {
        self.pam_login_by("usher-test", user)
    }

    /// The same as an application of another service, which the machine has to have.
    pub fn pam_login_by(&self, service: &str, user: &str) -> PamLogin<'_> {
        let words = ["usher-pam-login", "--service", service, user];
        let mut command = self.command(&words);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child =
            spawned.unwrap_or_else(|error| self.fail(&format!("cannot run {}: {error}", words[0])));
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.unwrap_or_else(|| self.fail("a login has no standard output"));
        let output = File::from(OwnedFd::from(output));
        PamLogin { machine: self, user: user.to_owned(), child, input, output, heard: vec![], entered: None }
    }
}

impl PamLogin<'_> {
    /// Whose login it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Waits until the login has come through, and says what it was given.
    pub fn entered(&mut self) -> Entered {
        match self.try_entered() {
            Some(entered) => entered,
            None => self.fail("it ended before it was in"),
        }
    }

    /// The same of a login that may be killed meanwhile; `None` if it was.
    pub fn try_entered(&mut self) -> Option<Entered> {
        if self.entered.is_some() {
            return self.entered.clone();
        }
        let line = self.try_answer("in ")?;
        let words: Vec<_> = line.split(' ').collect();
        let given = |word: &str| (word != "-").then(|| word.to_owned());
        let entered = match words.as_slice() {
            [pid, session, runtime_dir, took] => {
                let took = Duration::from_micros(took.parse().unwrap_or(u64::MAX));
                let pid = pid.parse().unwrap_or_else(|_| self.fail(&format!("it says {line:?}")));
                Entered { pid, session: given(session), runtime_dir: given(runtime_dir), took }
            }
            _ => self.fail(&format!("it says {line:?}")),
        };
        self.entered = Some(entered);
        self.entered.clone()
    }

    /// The session that it was given.
    ///
    /// # Panics
    /// When there is none.
    pub fn session(&mut self) -> String {
        self.entered().session.unwrap_or_else(|| self.fail("it was given no session"))
    }

    /// Closes the session as an application in good order does, and lives on. Returns how long that took.
    pub fn close(&mut self) -> Duration {
        self.entered();
        self.tell("close");
        let took = self.answer("closed ");
        Duration::from_micros(took.parse().unwrap_or(u64::MAX))
    }

    /// Leaves a process of the user behind, in the session; returns its number in the machine.
    pub fn leave(&mut self) -> i32 {
        self.left("leave")
    }

    /// The same with one that ignores SIGTERM and SIGHUP.
    pub fn leave_stubborn(&mut self) -> i32 {
        self.left("leave stubborn")
    }

    fn left(&mut self, order: &str) -> i32 {
        self.entered();
        self.tell(order);
        let pid = self.answer("left ");
        pid.parse().unwrap_or_else(|_| self.fail(&format!("it has left {pid:?}")))
    }

    /// Whether its process lives.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it: the session is never closed.
    pub fn kill9(&mut self) {
        self.input = None;
        if let Err(error) = stop(&mut self.child) {
            self.fail(&format!("cannot kill it: {error}"));
        }
    }

    /// Closes the session, and ends.
    pub fn log_out(mut self) {
        self.close();
        self.kill9();
    }

    fn tell(&mut self, order: &str) {
        let told = self.input.as_mut().map(|input| input.write_all(format!("{order}\n").as_bytes()));
        if !matches!(told, Some(Ok(()))) {
            self.fail(&format!("cannot tell it to {order}"));
        }
    }

    fn answer(&mut self, beginning: &str) -> String {
        match self.try_answer(beginning) {
            Some(answer) => answer,
            None => self.fail(&format!("it ended before it said `{beginning}`")),
        }
    }

    /// The rest of its next line, which begins like this; `None` if it ends before.
    fn try_answer(&mut self, beginning: &str) -> Option<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return match line.trim_end().strip_prefix(beginning) {
                    Some(rest) => Some(rest.to_owned()),
                    None => self.fail(&format!("it says {line:?} where `{beginning}` was to come")),
                };
            }
            let mut buffer = [0; 4096];
            let read = match wait::readable(self.output.as_fd(), deadline) {
                Ok(true) => self.output.read(&mut buffer),
                Ok(false) => self.fail(&format!("no `{beginning}` within {DEADLINE:?}")),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.heard.extend(&buffer[..length]),
            }
        }
    }

    fn fail(&self, message: &str) -> ! {
        self.machine.fail(&format!("a login of {}: {message}", self.user))
    }
}

impl Drop for PamLogin<'_> {
    fn drop(&mut self) {
        let _ = stop(&mut self.child);
    }
}
