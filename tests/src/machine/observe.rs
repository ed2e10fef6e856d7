//! Looking at a machine from outside.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command::finish;
use super::{DEADLINE, Machine};
use crate::mounts::{self, MountInfo};
use crate::spec::SYSLOG;
use crate::wait;

/// A machine that hangs must not keep its own dump from being printed.
const DUMP: Duration = Duration::from_secs(5);

/// Printed by [`Machine::dump`], by the machine's own shell and tools.
const DUMP_SCRIPT: &str = r#"
section() { printf '\n---- %s\n' "$1"; }
section 'processes'; ps -e -o pid,ppid,uid,stat,tty,cgroup:60,args --forest
section 'mounts under /run'; grep ' /run' /proc/self/mountinfo
for directory in sessions users seats inhibit; do
  for file in /run/systemd/$directory/*; do [ -f "$file" ] && { section "$file"; cat "$file"; }; done
done
section '/run/usher, /run/user, linger'; ls -lAR /run/usher /run/user /var/lib/systemd/linger 2>&1 | head -60
section 'cgroups'
find /sys/fs/cgroup -type d | sort | while read -r directory; do
  printf '%s: %s\n' "${directory#/sys/fs/cgroup}/" "$(tr '\n' ' ' < "$directory/cgroup.procs" 2>&1)"
done
for log in /run/sandbox/*.log; do [ -f "$log" ] && { section "$log"; tail -n 100 "$log"; }; done
section 'syslog'; tail -n 60 /run/sandbox/syslog
"#;

impl Machine {
    /// A path of the machine as the test process, outside, can open it. Absolute links in it lead astray: read those in
    /// the machine.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        Path::new("/proc")
            .join(self.init.to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file of the machine; empty if there is none.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read(self.file(path))
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the machine has this file or directory (a link counts as itself).
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.file(path).symlink_metadata().is_ok()
    }

    /// All mounts of the machine's first mount namespace.
    pub fn mounts(&self) -> Vec<MountInfo> {
        mounts::parse(&fs::read_to_string(format!("/proc/{}/mountinfo", self.init)).unwrap_or_default())
    }

    /// What is mounted on this directory, the topmost.
    pub fn mounted(&self, path: &str) -> Option<MountInfo> {
        self.mounts().into_iter().rev().find(|mount| mount.mount_point == path)
    }

    /// Processes in a cgroup of the machine, such as `/user.slice/user-1001.slice/session-1.scope`, in the machine's
    /// numbers; `None` if there is no such cgroup.
    pub fn cgroup_procs(&self, cgroup: &str) -> Option<Vec<i32>> {
        let text = fs::read_to_string(self.cgroup_dir(cgroup).join("cgroup.procs")).ok()?;
        Some(text.lines().filter_map(machine_pid).collect())
    }

    /// Names of the cgroups directly in this one, sorted; none if it does not exist.
    pub fn cgroup_children(&self, cgroup: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.cgroup_dir(cgroup))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    fn cgroup_dir(&self, cgroup: &str) -> PathBuf {
        self.cgroup.join(cgroup.trim_start_matches('/'))
    }

    /// Everything that was sent to syslog, one message a line, each with its `<priority>`.
    pub fn syslog(&self) -> String {
        self.read(SYSLOG)
    }

    /// Waits until the condition holds.
    ///
    /// # Panics
    /// After [`DEADLINE`], with [`dump`](Self::dump).
    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.wait_within(DEADLINE, what, condition);
    }

    /// Like [`wait_for`](Self::wait_for), with a limit of its own; returns the time it took.
    pub fn wait_within(&self, limit: Duration, what: &str, condition: impl FnMut() -> bool) -> Duration {
        let start = Instant::now();
        if !wait::until(start + limit, condition) {
            self.fail(&format!("waited {limit:?} in vain for: {what}"));
        }
        start.elapsed()
    }

    /// Like [`wait_for`](Self::wait_for), for something to come into being; returns it.
    pub fn wait_some<T>(&self, what: &str, mut value: impl FnMut() -> Option<T>) -> T {
        let mut found = None;
        self.wait_for(what, || {
            found = value();
            found.is_some()
        });
        found.unwrap_or_else(|| self.fail(what))
    }

    /// Everything there is to know when a test has failed: processes with their cgroups, mounts, state files, cgroups,
    /// the logs of what the test has started, syslog.
    pub fn dump(&self) -> String {
        let mut text = format!("======== the machine {}", self.cgroup.display());
        // By way of the environment the script stays out of its own process list.
        let mut command = self.command(&["sh", "-c", "eval \"$DUMP\""]);
        command.env("DUMP", DUMP_SCRIPT);
        match finish(command, DUMP) {
            Ok(Some(output)) => text.push_str(&output.stdout),
            Ok(None) => text.push_str("\n(the machine did not answer)"),
            Err(error) => {
                let _ = write!(text, "\n(the machine cannot be entered: {error})");
            }
        }
        text.push_str("\n======== end of the machine\n");
        text
    }
}

/// The innermost number of a process: the last of `NSpid` in proc_pid_status(5).
fn machine_pid(host_pid: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{host_pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}
