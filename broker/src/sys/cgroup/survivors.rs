//! The processes in a cgroup as a log line names them: by number, name and unit. What they are called is the users' choice, and
//! so is how many there are: everything here is bounded, and made printable.

use std::fmt;
use std::path::Path;

use super::{cgroup_of, path, tree};
use crate::sys::proc;

/// So many are named.
const NAMED: usize = 10;
/// Among so many those are chosen.
const LOOKED_AT: usize = 200;
/// So far the tree is walked, some 20 ms.
const STEPS: usize = 2_000;
/// Longer names of units are cut. Processes have at most 15 bytes.
const LENGTH: usize = 120;

/// Where a user manager itself is, below its unit.
const MANAGER_ITSELF: &str = "init.scope";
/// What a helper that keeps a manager's PAM session open is called, as systemd's is; and before it calls itself so. It ends
/// by itself.
const KEEPER: [&str; 2] = ["(sd-pam)", "usher-user-mana"];

/// Processes that are there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Survivors {
    named: Vec<Survivor>,
    others: usize,
    /// The tree has been seen to its end.
    complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Survivor {
    pid: u32,
    name: String,
    /// The cgroup below the one from which on units are named; empty if that itself.
    unit: String,
}

impl Survivors {
    /// Looks at the cgroup in that directory; the one from which on units are named is called so in /proc/PID/cgroup. Who comes or goes meanwhile may be missed.
    pub(super) fn look(directory: &Path, top: &str) -> Self {
        let (pids, complete) = tree::some_processes(directory, STEPS).unwrap_or_default();
        let total = pids.len();
        let found = pids.into_iter().take(LOOKED_AT).filter_map(|pid| Survivor::find(pid, top));
        let mut named: Vec<_> = found.collect();
        // A unit's process says more than the manager that waits for it.
        named.sort_by_key(|survivor| (survivor.unit == MANAGER_ITSELF, survivor.pid));
        let gone = total.min(LOOKED_AT) - named.len();
        named.truncate(NAMED);
        Self { others: total - gone - named.len(), named, complete }
    }

    /// Without the helper of a manager that has ended.
    #[must_use]
    pub fn without_keeper(mut self) -> Self {
        let keeper =
            |survivor: &Survivor| survivor.unit == MANAGER_ITSELF && KEEPER.contains(&survivor.name.as_str());
        // One: whoever else calls himself so is named.
        if let Some(index) = self.named.iter().position(keeper) {
            self.named.remove(index);
        }
        self
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.others == 0
    }
}

impl Survivor {
    /// `None` for one that has gone, or to elsewhere.
    fn find(pid: u32, top: &str) -> Option<Self> {
        let now = cgroup_of(pid)?;
        if !path::is_below(&now, top) {
            return None;
        }
        let unit = now.get(top.trim_end_matches('/').len()..)?.trim_start_matches('/');
        let name = proc::read(&format!("/proc/{pid}/comm")).ok()?;
        let name = String::from_utf8_lossy(&name);
        Some(Self { pid, name: printable(name.trim_end_matches('\n')), unit: printable(unit) })
    }
}

impl fmt::Display for Survivors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Survivor { pid, name, unit }) in self.named.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{pid} ({name})")?;
            if !unit.is_empty() {
                write!(f, " in {unit}")?;
            }
        }
        match (self.others, self.complete) {
            _ if self.is_empty() => f.write_str("nobody"),
            (0, true) => Ok(()),
            (0, false) => f.write_str(" and perhaps more"),
            (others, true) => write!(f, " and {others} more"),
            (others, false) => write!(f, " and at least {others} more"),
        }
    }
}

/// As it may stand in a log line.
fn printable(text: &str) -> String {
    text.chars().take(LENGTH).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survivor(pid: u32, name: &str, unit: &str) -> Survivor {
        Survivor { pid, name: name.to_owned(), unit: unit.to_owned() }
    }

    #[test]
    fn a_line_names_some_and_counts_the_rest() {
        let named = vec![survivor(7, "sleep", ""), survivor(8, "sh", "app.slice/x.service")];
        let line = |others, complete| Survivors { named: named.clone(), others, complete }.to_string();
        assert_eq!(line(0, true), "7 (sleep), 8 (sh) in app.slice/x.service");
        assert_eq!(line(3, true), "7 (sleep), 8 (sh) in app.slice/x.service and 3 more");
        assert_eq!(line(3, false), "7 (sleep), 8 (sh) in app.slice/x.service and at least 3 more");
        assert_eq!(Survivors::default().to_string(), "nobody");
    }

    #[test]
    fn one_keeper_is_left_out_and_only_beside_the_manager() {
        let named = vec![
            survivor(5, KEEPER[0], "app.slice/x.service"),
            survivor(6, KEEPER[0], MANAGER_ITSELF),
            survivor(7, KEEPER[0], MANAGER_ITSELF),
        ];
        let survivors = Survivors { named, others: 0, complete: true }.without_keeper();
        assert_eq!(survivors.to_string(), "5 ((sd-pam)) in app.slice/x.service, 7 ((sd-pam)) in init.scope");
        let alone =
            Survivors { named: vec![survivor(6, KEEPER[0], MANAGER_ITSELF)], others: 0, complete: true };
        assert!(alone.without_keeper().is_empty());
    }

    #[test]
    fn what_is_there_is_found_by_name_and_what_is_not_is_nobody() {
        let own = std::process::id();
        let directory = tempfile::tempdir().expect("a directory");
        // A process of another namespace, one that cannot exist, and ourselves.
        std::fs::write(directory.path().join("cgroup.procs"), format!("0\n4194305\n{own}\n"))
            .expect("a file");
        let cgroup = cgroup_of(own).expect("a cgroup");
        let found = Survivors::look(directory.path(), &cgroup);
        assert!(found.to_string().starts_with(&format!("{own} (")), "{found}");
        assert_eq!((found.named.len(), found.others), (1, 0));
        assert!(Survivors::look(directory.path(), "/elsewhere").is_empty());
        assert!(Survivors::look(Path::new("/nonexistent"), "/").is_empty());
    }

    #[test]
    fn names_cannot_break_the_line() {
        assert_eq!(printable("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
        assert_eq!(printable(&"x".repeat(1000)).len(), LENGTH);
    }
}
