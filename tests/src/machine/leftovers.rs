//! What must not be left of people who are gone, looked at from outside.

use std::fs;
use std::time::Duration;

use super::Machine;

/// Directories of usher's that are empty when nobody is there.
const EMPTY: [&str; 4] = ["/run/systemd/sessions", "/run/systemd/users", "/run/user", "/run/usher/notify"];
/// Directories in which files are replaced by rename.
const REPLACED: [&str; 5] = [
    "/run/usher",
    "/run/systemd/seats",
    "/run/systemd/sessions",
    "/run/systemd/users",
    "/run/systemd/inhibit",
];
/// People's numbers; daemons have lower ones.
const PEOPLE: u32 = 1000;
const NOBODY: u32 = 65534;

impl Machine {
    /// Everything that is left of sessions and users: records, directories, mounts, cgroups, half-written files, people's
    /// processes, zombies. None when nobody is logged in and every stop delay is over.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for directory in EMPTY {
            left.extend(self.names(directory).into_iter().map(|name| format!("{directory}/{name}")));
        }
        for directory in REPLACED {
            let half = |name: &String| name.starts_with(".#") || name.ends_with(".new");
            left.extend(self.names(directory).into_iter().filter(half).map(|n| format!("{directory}/{n}")));
        }
        let mounts = self.mounts().into_iter().map(|mount| mount.mount_point);
        left.extend(mounts.filter(|point| point.starts_with("/run/user/")).map(|p| format!("mount {p}")));
        let slices = self.cgroup_children("/user.slice");
        left.extend(slices.into_iter().map(|name| format!("cgroup user.slice/{name}")));
        let strangers = self.cgroup_children("/").into_iter();
        left.extend(
            strangers.filter(|n| n != "init.scope" && n != "user.slice").map(|n| format!("cgroup {n}")),
        );
        left.extend(self.processes_left());
        left.sort();
        left.dedup();
        left
    }

    /// Waits until [`leftovers`](Self::leftovers) finds nothing.
    ///
    /// # Panics
    /// When something stays for longer than that, with [`Machine::dump`].
    pub fn wait_no_leftovers(&self, limit: Duration) {
        let mut left = Vec::new();
        let gone = crate::wait::until(std::time::Instant::now() + limit, || {
            left = self.leftovers();
            left.is_empty()
        });
        if !gone {
            let count = left.len();
            left.truncate(20);
            self.fail(&format!("after {limit:?} {count} things are left: {left:#?}"));
        }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.file(directory)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn processes_left(&self) -> Vec<String> {
        let pids =
            self.names("/proc").into_iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        pids.filter_map(|pid| {
            let status = self.read(format!("/proc/{pid}/status"));
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let uid: u32 = field("Uid:")?.split_whitespace().next()?.parse().ok()?;
            let zombie = field("State:")?.starts_with('Z');
            let person = uid >= PEOPLE && uid != NOBODY;
            (zombie || person)
                .then(|| format!("process {pid} of {uid}: {}", field("Name:").unwrap_or_default()))
        })
        .collect()
    }
}
