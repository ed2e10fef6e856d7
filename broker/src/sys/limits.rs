//! What this machine has, and how much of it usherd may take.

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::raw;

/// Room for as many sessions as anybody will have: what systemd gives its services, too.
const OPEN_FILES: u64 = 524_288;

/// The soft limit that programs expect: select(2) breaks beyond it. systemd gives its services the same.
const OPEN_FILES_SOFT: u64 = 1024;

/// Raises the limit on open descriptors as far as is permitted, and gives what it is now.
pub fn raise_open_files() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let hard = before.maximum.unwrap_or(u64::MAX);
    let ceiling = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    let wanted = OPEN_FILES.min(ceiling.unwrap_or(OPEN_FILES));
    let raise = |to: u64| {
        let limit = Rlimit { current: Some(to), maximum: Some(to.max(hard)) };
        setrlimit(Resource::Nofile, limit).is_ok()
    };
    if !raise(wanted.max(before.current.unwrap_or(u64::MAX).min(hard))) {
        raise(hard.min(wanted));
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Has a program started with the soft limit on open descriptors that programs expect, and not with usherd's own.
pub fn expected(command: &mut Command) {
    raw::limit_open_files(command, OPEN_FILES_SOFT);
}

/// The memory that this machine, or the container that it is, may use, in bytes.
pub fn memory_total() -> u64 {
    let info = rustix::system::sysinfo();
    let installed = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    let limit =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    limit.map_or(installed, |limit: u64| limit.min(installed))
}

/// The number of processes and threads that this machine may have.
pub fn tasks_total() -> u64 {
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    [read("pid_max"), read("threads-max")].into_iter().flatten().min().unwrap_or(32_768)
}

/// The size of a page of memory, in bytes.
pub fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_memory_in_pages() {
        assert!(page_size().is_power_of_two() && page_size() >= 4096);
        assert!(memory_total() > page_size());
    }

    #[test]
    fn descriptors_are_raised_to_the_hard_limit_at_least() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert!(raise_open_files() >= hard.min(OPEN_FILES), "{hard}");

        let mut shell = Command::new("sh");
        expected(shell.args(["-c", "ulimit -Sn; ulimit -Hn"]));
        let said = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        let hard =
            getrlimit(Resource::Nofile).maximum.map_or("unlimited".to_owned(), |hard| hard.to_string());
        assert_eq!(said.lines().collect::<Vec<_>>(), ["1024", &hard]);
    }
}
