//! The machine's keeper on the host: its parent process, and the one that clears up after it.
//!
//! It lives in a session of its own, so that neither Ctrl-C in the developer's terminal nor `kill -9` of the test keeps
//! it from removing the machine's cgroup.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, unshare};

use crate::{NAME, cgroup};

pub(crate) fn launch(arguments: &[String]) -> Result<ExitCode> {
    let [directory] = arguments else { bail!("usage: usher-sandbox launch CGROUP") };
    let directory = Path::new(directory);
    // Fails only for the leader of a process group, who needs no session of his own.
    let _ = nix::unistd::setsid();
    cgroup::create(directory)?;
    let result = run(directory);
    cgroup::remove(directory)?;
    result
}

fn run(directory: &Path) -> Result<ExitCode> {
    unshare(CloneFlags::CLONE_NEWPID).context("make a pid namespace (needs root with CAP_SYS_ADMIN)")?;
    let mut init = Command::new("/proc/self/exe")
        .arg0(NAME)
        .arg("init")
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start PID 1 of the machine {}", directory.display()))?;
    println!("pid {}", init.id());
    // PID 1 alone now holds the pipe, so that the harness sees its death.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").context("open /dev/null")?;
    nix::unistd::dup2_stdout(&null).context("let go of standard output")?;
    nix::unistd::dup2_stdin(&null).context("let go of standard input")?;
    let status = init.wait().context("wait for PID 1 of the machine")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
