//! The console of a container: what was written there, and a keyboard where it is a terminal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use nix::pty::{Winsize, openpty};

/// Wide enough that nothing is broken into lines.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 500, ws_xpixel: 0, ws_ypixel: 0 };

#[derive(Debug)]
pub(super) struct Console {
    seen: Arc<Mutex<String>>,
    /// What was seen before the last reboot.
    past: String,
    keyboard: Option<File>,
    /// The container shuts down when its standard input ends.
    _open: Option<ChildStdin>,
}

impl Console {
    /// Starts the command that makes the container, with pipes.
    pub(super) fn pipes(command: &mut Command) -> Result<(Child, Self)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("run systemd-nspawn")?;
        let seen = Arc::default();
        if let Some(pipe) = child.stdout.take() {
            collect(pipe, &seen);
        }
        let open = child.stdin.take();
        Ok((child, Self { seen, past: String::new(), keyboard: None, _open: open }))
    }

    /// The same with a terminal.
    pub(super) fn terminal(command: &mut Command) -> Result<(Child, Self)> {
        let pty = openpty(Some(&SIZE), None).context("open a terminal")?;
        let ours = pty.slave.try_clone().context("open a terminal twice")?;
        command.stdin(pty.slave).stdout(ours).stderr(Stdio::inherit());
        let child = command.spawn().context("run systemd-nspawn")?;
        // The command's own copies of the terminal go, so that its end is seen.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let keyboard = File::from(pty.master);
        let seen = Arc::default();
        collect(keyboard.try_clone().context("open a terminal twice")?, &seen);
        Ok((child, Self { seen, past: String::new(), keyboard: Some(keyboard), _open: None }))
    }

    pub(super) fn seen(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace('\r', "")
    }

    /// All of it, what was there before reboots, too.
    pub(super) fn history(&self) -> String {
        format!("{}{}", self.past, self.seen())
    }

    /// Another boot has another console.
    pub(super) fn replace(&mut self, new: Self) {
        let past = self.history() + "\n---- reboot ----\n";
        *self = Self { past, ..new };
    }

    pub(super) fn type_in(&mut self, text: &str) -> io::Result<()> {
        let keyboard = self.keyboard.as_mut().ok_or_else(|| io::Error::other("it is no terminal"))?;
        keyboard.write_all(text.as_bytes())
    }
}

fn collect(mut from: impl Read + Send + 'static, seen: &Arc<Mutex<String>>) {
    let seen = Arc::clone(seen);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            seen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
}
