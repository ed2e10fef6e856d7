//! The probe's side of an agent.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::wire::{Answer, Request};

pub(crate) const AGENT: &str = "agent";

/// A process with a bus connection of its own. It ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    /// What the transcript calls it.
    pub(crate) name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts it as that user, and waits until it is connected.
    pub(crate) fn start(name: &str, uid: u32) -> Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(AGENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        if uid != 0 {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().context("start an agent")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("an agent without output")?);
        let mut client = Self { name: name.to_owned(), child, input, output };
        client.answer().with_context(|| format!("start the agent {name}"))?;
        Ok(client)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Result<Answer> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let input = self.input.as_mut().context("the agent has ended")?;
        input.write_all(&line).with_context(|| format!("tell {}", self.name))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            bail!("the agent {} has ended", self.name);
        }
        match serde_json::from_str(&line)? {
            Answer::Failed(error) => bail!("the agent {}: {error}", self.name),
            answer => Ok(answer),
        }
    }

    /// Lets it end, and says how it did.
    pub(crate) fn end(&mut self) -> Result<String> {
        drop(self.input.take());
        let status = self.child.wait()?;
        Ok(status.to_string())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
