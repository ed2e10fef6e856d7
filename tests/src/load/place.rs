//! Where a load is put: a machine, or a container in one.

use std::process::Command;

use crate::{Container, Machine};

/// Somewhere that programs of the load can be run.
pub trait Place {
    /// A command there, as root and in no session; see [`Machine::command`] and [`Container::command`].
    fn command(&self, words: &[&str]) -> Command;

    /// PID 1 there, as a directory of the host's /proc.
    fn init(&self) -> std::path::PathBuf;
}

impl Place for Machine {
    fn command(&self, words: &[&str]) -> Command {
        Self::command(self, words)
    }

    fn init(&self) -> std::path::PathBuf {
        format!("/proc/{}", self.init_pid()).into()
    }
}

impl Place for Container {
    fn command(&self, words: &[&str]) -> Command {
        Self::command(self, words)
    }

    fn init(&self) -> std::path::PathBuf {
        self.machine().file(format!("/proc/{}", self.leader()))
    }
}
