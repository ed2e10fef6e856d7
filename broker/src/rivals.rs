//! Other session brokers: two of them on one machine would take each other's sessions apart.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Result, bail};

/// What the kernel calls their processes (/proc/PID/comm: at most 15 characters), and how each is stopped.
const RIVALS: &[(&str, &str)] = &[
    ("systemd-logind", "systemctl enable usherd && reboot"),
    ("elogind", "stop and disable its service"),
    ("elogind-daemon", "stop and disable its service"),
    ("turnstiled", "stop and disable its service"),
];

/// Refuses to run beside another session broker. One in a container has that container's sessions, and is none.
///
/// # Errors
/// One is running; the message says which and what to do.
pub(crate) fn refuse() -> Result<()> {
    let Ok(processes) = fs::read_dir("/proc") else { return Ok(()) };
    for process in processes.flatten() {
        let name = process.file_name();
        let is_process = name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        // Anybody can call a program so; only root's is one.
        if !is_process || process.metadata().map_or(true, |status| status.uid() != 0) {
            continue;
        }
        let Ok(comm) = fs::read_to_string(process.path().join("comm")) else { continue };
        if let Some((rival, advice)) = RIVALS.iter().find(|(rival, _)| *rival == comm.trim_end())
            && !is_contained(&process.path())
        {
            let pid = name.display();
            bail!("{rival} (process {pid}) manages this machine's sessions; to use usher, first: {advice}");
        }
    }
    Ok(())
}

/// Whether a process is in a pid namespace below this one: it has a number in each (proc_pid_status(5), NSpid).
fn is_contained(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    pids.is_some_and(|pids| pids.split_whitespace().count() > 1)
}
