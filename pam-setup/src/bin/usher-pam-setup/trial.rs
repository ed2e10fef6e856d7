//! A session by way of trial: whether libpam opens and closes one with a stack, in a process of its own with a deadline.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use usher_pam::Transaction;
use usher_pam_setup::MODULE;

/// Longer than any module waits that is in order; pam_usher.so itself gives up long before.
const DEADLINE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(10);

/// Who the session is of: an account that every machine has, and no module asks a directory server about.
const USER: &str = "root";

/// What the child is told to look for.
const EXPECT: &str = "USHER_PAM_SETUP_EXPECT";

/// Opens and closes a session of a service; the session's id, if somebody registered it. With `usher`, pam_usher.so has to have been loaded by that.
///
/// # Errors
/// When libpam does not, a module crashes, or it takes too long.
pub(crate) fn run(service: &str, usher: bool) -> Result<Option<String>> {
    let mut said = File::from(
        rustix::fs::memfd_create("usher-pam-setup", MemfdFlags::CLOEXEC).context("make a memory file")?,
    );
    let mut command = Command::new("/proc/self/exe");
    // The name that modules log under.
    command
        .arg0("usher-pam-setup")
        .args(["trial", service])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    if usher {
        command.env(EXPECT, MODULE);
    }
    let output = said.try_clone().context("duplicate a memory file")?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(output));
    // What modules start comes to us when the trial is gone, to be ended with it.
    set_child_subreaper(Some(getpid())).context("become the parent of what the trial leaves")?;
    let mut child = command.current_dir("/").spawn().context("start a process for the trial")?;
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        match child.try_wait().context("wait for the trial")? {
            Some(status) => break Some(status),
            None if Instant::now() < deadline => thread::sleep(STEP),
            None => break None,
        }
    };
    if status.is_none() {
        kill_all_children()?;
    }
    let mut text = Vec::new();
    said.rewind()
        .and_then(|()| (&said).take(1 << 16).read_to_end(&mut text))
        .context("read what the trial said")?;
    let text = String::from_utf8_lossy(&text);
    // What counts is that both calls came back; a module that writes to stderr is not to be mistaken for us.
    let passed = text.lines().find_map(|line| line.strip_prefix(PASSED)).map(|id| id.trim().to_owned());
    match status {
        None => bail!("it took longer than {} seconds, and was killed", DEADLINE.as_secs()),
        Some(status) if status.success() && passed.is_some() => Ok(passed.filter(|id| !id.is_empty())),
        Some(status) if text.trim().is_empty() => Err(anyhow!("a module made the process end ({status})")),
        Some(_) => Err(anyhow!("{}", text.trim().trim_start_matches("usher-pam-setup: "))),
    }
}

/// Kills every child, and the children that come to us by that.
fn kill_all_children() -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        for pid in children()? {
            // One that has ended meanwhile is none the worse for it: it is ours until we wait.
            let _ = kill_process(pid, Signal::KILL);
        }
        match wait(WaitOptions::NOHANG) {
            Err(Errno::CHILD) => return Ok(()),
            Ok(None) => thread::sleep(STEP),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for what the trial has left"),
        }
    }
    bail!("processes of the trial do not die, see ps")
}

fn children() -> Result<Vec<Pid>> {
    let own = format!("PPid:\t{}", getpid());
    let entries = std::fs::read_dir("/proc").context("list /proc")?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        // Gone meanwhile, most likely.
        std::fs::read_to_string(format!("/proc/{pid}/status"))
            .is_ok_and(|text| text.lines().any(|line| line == own))
    };
    Ok(numbers.filter(is_ours).filter_map(Pid::from_raw).collect())
}

const PASSED: &str = "usher-pam-setup trial passed:";

/// The child: one session.
pub(crate) fn child(service: &str) -> Result<()> {
    let mut pam = Transaction::start(service, USER)?;
    // Nobody stays: no manager is to be started for this. And it comes from no terminal.
    pam.putenv("XDG_SESSION_CLASS", OsStr::new("background-light"))?;
    pam.open_session()?;
    let loaded = match std::env::var(EXPECT) {
        Ok(module) => std::fs::read_to_string("/proc/self/maps")
            .context("read /proc/self/maps")?
            .lines()
            .any(|line| line.ends_with(&format!("/{module}"))),
        Err(_) => true,
    };
    let environment = pam.getenvlist()?;
    let id =
        environment.iter().find(|(name, _)| name == "XDG_SESSION_ID").map(|(_, id)| id.to_string_lossy());
    let closed = pam.close_session();
    if !loaded {
        bail!(
            "libpam did not load {MODULE}: is it a program of another architecture, or of another libc? The system log says more"
        );
    }
    closed?;
    // Before pam_end, after which a session's processes may be killed.
    writeln!(std::io::stderr(), "{PASSED} {}", id.unwrap_or_default()).context("say so")
}
