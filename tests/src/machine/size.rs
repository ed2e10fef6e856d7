//! How large a process is.

use std::fs;
use std::time::Duration;

use super::Machine;

/// What a process takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Memory in KiB, its share of what it shares with others (`Pss` in proc_pid_smaps(5)).
    pub pss_kib: u64,
    /// That part of it which is no file's.
    pub anonymous_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Processor time that it has taken so far, user's and kernel's, to the kernel's precision of 10 ms.
    pub processor: Duration,
}

impl Machine {
    /// What a process of the machine takes.
    ///
    /// # Panics
    /// When there is no such process, with [`Machine::dump`].
    pub fn size_of(&self, pid: i32) -> Size {
        let rollup = self.read(format!("/proc/{pid}/smaps_rollup"));
        let kib = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        let count =
            |what: &str| fs::read_dir(self.file(format!("/proc/{pid}/{what}"))).map_or(0, Iterator::count);
        let (Some(pss_kib), Some(anonymous_kib)) = (kib("Pss:"), kib("Pss_Anon:")) else {
            self.fail(&format!("process {pid} says nothing of its memory: {rollup:?}"));
        };
        let processor = self.processor_of(pid).unwrap_or_default();
        Size { pss_kib, anonymous_kib, descriptors: count("fd"), threads: count("task"), processor }
    }

    /// How often a process has gone to sleep by itself, all its threads together (`voluntary_ctxt_switches` in
    /// proc_pid_status(5)): as often it has been woken.
    ///
    /// # Panics
    /// When there is no such process, with [`Machine::dump`].
    pub fn wakes_of(&self, pid: i32) -> u64 {
        let threads = fs::read_dir(self.file(format!("/proc/{pid}/task"))).into_iter().flatten().flatten();
        let texts = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
        let counts = texts.filter_map(|text| {
            let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            count.trim().parse::<u64>().ok()
        });
        counts
            .reduce(|sum, count| sum + count)
            .unwrap_or_else(|| self.fail(&format!("there is no process {pid}")))
    }

    /// Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second (sysconf(3), _SC_CLK_TCK; 100 wherever Linux runs).
    fn processor_of(&self, pid: i32) -> Option<Duration> {
        let text = self.read(format!("/proc/{pid}/stat"));
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
    }
}
