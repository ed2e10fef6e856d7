//! Processes of a place, looked at from outside: what they take of memory and of the processors.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Place;
use crate::Wakes;

/// A process of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name in proc_pid_comm(5), at most 15 bytes.
    pub name: String,
    /// Its number there.
    pub pid: i32,
    /// Its number on the host.
    pub host_pid: i32,
}

/// Memory and descriptors of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Memory in KiB, its share of what it shares with others (`Pss` in proc_pid_smaps(5)).
    pub pss_kib: u64,
    /// That part of it which is no file's.
    pub anonymous_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

/// All processes of the place with one of these names, in the order of their numbers.
///
/// # Errors
/// The host's /proc cannot be read, or the place has ended.
pub fn named(place: &dyn Place, names: &[&str]) -> Result<Vec<Process>> {
    let namespace = |process: PathBuf| fs::read_link(process.join("ns/pid"));
    let here = namespace(place.init()).context("find PID 1 of the place")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("list /proc")?.flatten() {
        let Some(host_pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let name = name.trim_end();
        // Of thousands of processes few have the name.
        if !names.contains(&name) || namespace(entry.path()).is_ok_and(|other| other != here) {
            continue;
        }
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let Some(pid) = numbers.and_then(|line| line.split_whitespace().last()?.parse().ok()) else {
            continue;
        };
        found.push(Process { name: name.to_owned(), pid, host_pid });
    }
    found.sort_by_key(|process| process.pid);
    Ok(found)
}

/// Kills a process as a crash would, and waits until nothing is left of it: a zombie whose other threads still end may
/// have its lock and its socket.
///
/// # Errors
/// There is no such process, or it stays for so long.
pub fn kill(pid: i32, patience: Duration) -> Result<()> {
    let number = rustix::process::Pid::from_raw(pid).context("a process without a number")?;
    let process = pidfd_open(number, PidfdFlags::empty()).with_context(|| format!("open process {pid}"))?;
    pidfd_send_signal(&process, Signal::KILL).with_context(|| format!("kill process {pid}"))?;
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let ended = poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout);
    let ended = ended.with_context(|| format!("wait for the end of process {pid}"))?;
    ensure!(ended > 0, "process {pid} has not gone {patience:?} after kill -9");
    Ok(())
}

/// The nice value (sched(7)) of the process with this directory in /proc; nothing if there is none.
pub fn nice(process: &Path) -> Option<i32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Field 19 of proc_pid_stat(5); field 3 is the first after the name.
    stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()
}

/// Gives the session (setsid(2)) of the process with this directory in /proc the nice value of the process: where the
/// kernel makes a group of each session (sched(7), autogroup), a process's own says only what it is to the others in it.
/// Where there are no such groups nothing is to be done.
pub fn apply_nice_to_session(process: &Path) {
    if let Some(nice) = nice(process) {
        let _ = fs::write(process.join("autogroup"), nice.to_string());
    }
}

impl Process {
    /// Processor time that all its threads have taken so far, also those that have ended; user's and kernel's.
    ///
    /// # Errors
    /// It has ended.
    pub fn processor(&self) -> Result<Duration> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.host_pid));
        let time = clock.and_then(|clock| clock.now());
        time.map(Duration::from).with_context(|| format!("read the processor time of {}", self.name))
    }

    /// What it takes; nothing if it has ended.
    pub fn footprint(&self) -> Option<Footprint> {
        let directory = PathBuf::from(format!("/proc/{}", self.host_pid));
        let rollup = fs::read_to_string(directory.join("smaps_rollup")).ok()?;
        let kib = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        let descriptors = fs::read_dir(directory.join("fd")).ok()?.count();
        Some(Footprint { pss_kib: kib("Pss:")?, anonymous_kib: kib("Pss_Anon:")?, descriptors })
    }

    /// See [`apply_nice_to_session`].
    pub fn apply_nice_to_session(&self) {
        apply_nice_to_session(Path::new(&format!("/proc/{}", self.host_pid)));
    }

    /// How often its threads have gone to sleep by themselves so far.
    pub fn wakes(&self) -> Wakes {
        Wakes::read(Path::new(&format!("/proc/{}", self.host_pid)))
    }
}
