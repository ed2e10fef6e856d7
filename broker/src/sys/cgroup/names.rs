//! What /proc/PID/cgroup says, by the cgroup's id. Logins come from the same few cgroups all the time, and the kernel makes a
//! file of /proc anew for every process; a pidfd gives the id for a tenth of that.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use super::super::raw;
use super::cgroup_of;

/// More than there are daemons that let people in.
const LIMIT: usize = 32;

/// Names that were read before. A cgroup2 cgroup keeps its name for life, and no other is ever given its id.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<BTreeMap<u64, String>>);

impl Names {
    /// [`cgroup_of`] the process with that number, for which the pidfd stands.
    pub(super) fn find(&self, pidfd: BorrowedFd<'_>, pid: u32) -> Option<String> {
        let Some(id) = raw::cgroup_id(pidfd) else { return cgroup_of(pid) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known.get(&id) {
            return Some(name.clone());
        }
        let name = cgroup_of(pid)?;
        // It may have been moved in between, or its number be somebody else's by now.
        if raw::cgroup_id(pidfd) == Some(id) {
            if known.len() >= LIMIT {
                known.clear();
            }
            known.insert(id, name.clone());
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio, id};

    use super::super::super::pidfd;
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_read() {
        let names = Names::default();
        for pid in [id(), 1, id()] {
            let process = pidfd::open(pid).unwrap();
            assert_eq!(names.find(process.as_fd(), pid), cgroup_of(pid));
        }
        let known = names.0.lock().unwrap();
        assert!(known.len() <= 2 && known.values().all(|name| name.starts_with('/')), "{known:?}");
    }

    #[test]
    fn who_has_gone_is_nowhere() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let process = pidfd::open(child.id()).unwrap();
        let names = Names::default();
        assert_eq!(names.find(process.as_fd(), child.id()), cgroup_of(id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names.find(process.as_fd(), child.id()), None);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let names = Names::default();
        names.0.lock().unwrap().extend((1..=LIMIT as u64).map(|id| (u64::MAX - id, String::new())));
        let own = pidfd::open(id()).unwrap();
        assert_eq!(names.find(own.as_fd(), id()), cgroup_of(id()));
        assert!(names.0.lock().unwrap().len() <= LIMIT);
    }
}
