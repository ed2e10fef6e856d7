//! What commands take that ask a broker, from their start to their end.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::print;

/// Runs it so many times, after a first one that is not counted.
pub(crate) fn measure(count: usize, words: &[String]) -> Result<()> {
    let (name, arguments) = words.split_first().context("no command is named")?;
    let mut times = Vec::new();
    for number in 0..=count {
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status().with_context(|| format!("run {name}"))?;
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        ensure!(status.success(), "`{}` failed: {status}", words.join(" "));
        if number > 0 {
            times.push(took);
        }
    }
    print(&times)
}
