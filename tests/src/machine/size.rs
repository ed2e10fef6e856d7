//! How large a process is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
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

/// How often threads have gone to sleep by themselves, by their numbers; from [`Machine::wakes_of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wakes(BTreeMap<i32, u64>);

impl Wakes {
    /// Of the process with this directory in /proc; of no thread if there is none.
    pub(crate) fn read(process: &Path) -> Self {
        let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        let counts = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("status")).ok()?;
            let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((thread.file_name().to_str()?.parse().ok()?, count.trim().parse().ok()?))
        });
        Self(counts.collect())
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.0.len()
    }

    /// How often threads have been woken since. One that has ended was woken for that, and one that has begun, too, once at
    /// least.
    pub fn since(&self, earlier: &Self) -> u64 {
        let begun = self.0.iter().map(|(thread, count)| match earlier.0.get(thread) {
            Some(before) => count.saturating_sub(*before),
            None => count + 1,
        });
        let ended = earlier.0.keys().filter(|thread| !self.0.contains_key(thread)).count();
        begun.sum::<u64>() + ended as u64
    }
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

    /// How often each of a process's threads has gone to sleep by itself (`voluntary_ctxt_switches` in
    /// proc_pid_status(5)).
    ///
    /// # Panics
    /// When there is no such process, with [`Machine::dump`].
    pub fn wakes_of(&self, pid: i32) -> Wakes {
        let wakes = Wakes::read(&self.file(format!("/proc/{pid}")));
        if wakes.0.is_empty() {
            self.fail(&format!("there is no process {pid}"));
        }
        wakes
    }

    /// Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second (sysconf(3), _SC_CLK_TCK; 100 wherever Linux runs).
    fn processor_of(&self, pid: i32) -> Option<Duration> {
        let text = self.read(format!("/proc/{pid}/stat"));
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::Wakes;

    #[test]
    fn threads_that_begin_and_end_are_woken() {
        let wakes = |counts: &[(i32, u64)]| Wakes(counts.iter().copied().collect());
        let before = wakes(&[(1, 5), (2, 700)]);
        assert_eq!(before.since(&before), 0);
        assert_eq!(wakes(&[(1, 8), (2, 700)]).since(&before), 3);
        assert_eq!(wakes(&[(1, 5)]).since(&before), 1);
        assert_eq!(wakes(&[(1, 5), (2, 700), (3, 0)]).since(&before), 1);
    }
}
