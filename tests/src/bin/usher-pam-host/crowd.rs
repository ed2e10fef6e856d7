//! Many processes that take the same steps.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

use crate::raw;

/// So many of them, so many at once; prints how often which line was said, and how often a process ended otherwise than
/// well.
pub(crate) fn take(count: usize, at_once: usize, life: impl Fn(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    let mut running: HashMap<Pid, std::io::PipeReader> = HashMap::new();
    let mut started = 0;
    while started < count || !running.is_empty() {
        if started < count && running.len() < at_once.max(1) {
            started += 1;
            let (reader, mut writer) = std::io::pipe().context("make a pipe")?;
            let pid = raw::child(|| {
                if let Err(error) = life(&mut writer) {
                    let _ = writeln!(writer, "0 error {error:#}");
                }
            })?;
            running.insert(pid, reader);
            continue;
        }
        let status = wait().context("wait for one of them")?;
        let Some(reader) = status.pid().and_then(|pid| running.remove(&pid)) else { continue };
        for line in lines(reader)? {
            *said.entry(line).or_default() += 1;
        }
        match status {
            WaitStatus::Exited(_, 0) => {}
            WaitStatus::Exited(_, code) => *said.entry(format!("exit {code}")).or_default() += 1,
            WaitStatus::Signaled(_, signal, _) => *said.entry(format!("signal {signal}")).or_default() += 1,
            _ => {}
        }
    }
    for (line, times) in said {
        println!("{times} {line}");
    }
    Ok(())
}

/// What a process that has ended has said, without its number. A child of its may still hold the pipe.
fn lines(mut reader: std::io::PipeReader) -> Result<Vec<String>> {
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("fcntl")?;
    let mut text = Vec::new();
    match reader.read_to_end(&mut text) {
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error).context("read"),
        _ => {}
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest).to_owned()).collect())
}
