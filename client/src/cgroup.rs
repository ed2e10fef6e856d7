//! The processes of a session or a user, as cgroupfs and /proc tell them (cgroups(7), proc(5)).
//!
//! Everything here may vanish while it is read: what has gone is left out, never an error.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// How deep below a unit the tree is followed. The kernel has no such limit by default; a terminal has.
const MAX_DEPTH: usize = 32;
/// How much of a command line is read.
const MAX_COMMAND_LINE: u64 = 64 * 1024;
/// f_type of a cgroup2 mount (statfs(2)).
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;

/// A cgroup and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Its own name, the last component of its path.
    pub name: String,
    /// The processes directly in it, by id.
    pub processes: Vec<Process>,
    /// The cgroups directly below it, by name.
    pub children: Vec<Cgroup>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its arguments, joined by spaces; its name in brackets where it has none.
    pub command: String,
}

impl Cgroup {
    /// Whether no process is in it or below it.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.children.iter().all(Self::is_empty)
    }
}

/// Where cgroup2 is mounted: alone, or beside version 1 on a hybrid machine.
pub fn mount() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().map(PathBuf::from).find(|path| {
        let kind = rustix::fs::statfs(path).map(|stat| stat.f_type);
        kind.is_ok_and(|kind| u64::try_from(kind) == Ok(CGROUP2_SUPER_MAGIC))
    })
}

/// The tree at a cgroup's path below the mount, if it exists.
pub fn read(mount: &Path, control_group: &str) -> Option<Cgroup> {
    let below = Path::new(control_group.trim_start_matches('/'));
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let path = mount.join(below);
    (plain && path.is_dir()).then(|| read_tree(&path, 0))
}

fn read_tree(path: &Path, depth: usize) -> Cgroup {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let children = if depth < MAX_DEPTH { subdirectories(path) } else { Vec::new() };
    Cgroup {
        name,
        processes: processes(path),
        children: children.iter().map(|child| read_tree(child, depth + 1)).collect(),
    }
}

fn subdirectories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut directories: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .map(|entry| entry.path())
        .collect();
    directories.sort();
    directories
}

fn processes(path: &Path) -> Vec<Process> {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process of another pid namespace.
    let mut pids: Vec<u32> =
        list.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().filter_map(|pid| Some(Process { pid, command: command_line(pid)? })).collect()
}

/// A process's arguments, or its name in brackets; nothing once it has gone.
fn command_line(pid: u32) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/cmdline")).ok()?.take(MAX_COMMAND_LINE).read_to_end(&mut bytes).ok()?;
    let arguments: Vec<_> = bytes.split(|&b| b == 0).map(String::from_utf8_lossy).collect();
    match arguments.join(" ").trim_end() {
        "" => Some(format!("[{}]", name(pid)?)),
        line => Some(line.to_owned()),
    }
}

/// A process's name, as the kernel has it.
pub fn name(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_with_its_processes() {
        let mount = tempfile::tempdir().expect("a directory");
        let slice = mount.path().join("user.slice/user-7.slice");
        let own = std::process::id();
        fs::create_dir_all(slice.join("session-1.scope")).expect("a directory");
        fs::create_dir_all(slice.join("empty.scope")).expect("a directory");
        // Ourselves, a process of another namespace, and one that cannot exist any more.
        fs::write(slice.join("session-1.scope/cgroup.procs"), format!("{own}\n0\n4194305\n"))
            .expect("a file");

        let tree = read(mount.path(), "/user.slice/user-7.slice").expect("a tree");
        assert_eq!(tree.name, "user-7.slice");
        assert_eq!(tree.processes, []);
        let [empty, scope] = &tree.children[..] else { panic!("{tree:?}") };
        assert!(empty.is_empty() && empty.name == "empty.scope");
        assert_eq!(scope.processes.iter().map(|p| p.pid).collect::<Vec<_>>(), [own]);
        assert!(scope.processes[0].command.contains("usher"), "{scope:?}");
    }

    #[test]
    fn nothing_outside_the_mount_is_read() {
        let mount = tempfile::tempdir().expect("a directory");
        fs::create_dir(mount.path().join("a")).expect("a directory");
        for path in ["/../..", "/a/../..", "/nosuch"] {
            assert_eq!(read(mount.path(), path), None, "{path}");
        }
        assert!(read(mount.path(), "/a").is_some());
    }
}
