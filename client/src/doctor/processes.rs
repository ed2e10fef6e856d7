//! Which processes there are, as the kernel names them (proc(5)). Anybody may look at that; with hidepid=2 one sees only one's
//! own.

use super::tree::Tree;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name: at most 15 characters, and anybody's to choose.
    pub name: String,
    /// Its real user.
    pub uid: u32,
    /// Its state: `S`, `R`, `T` for one that was stopped, and others.
    pub state: char,
}

/// All that can be seen, without those in containers (pid namespaces below this one): they belong to other machines.
pub fn read(tree: &Tree) -> Vec<Process> {
    let names = tree.list("/proc").unwrap_or_default();
    let pids = names.iter().filter_map(|name| name.parse().ok());
    let mut processes: Vec<_> = pids.filter_map(|pid| of(tree, pid)).collect();
    processes.sort_by_key(|process| process.pid);
    processes
}

fn of(tree: &Tree, pid: u32) -> Option<Process> {
    let status = tree.read(format!("/proc/{pid}/status")).ok()?;
    let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    // Its numbers: here, and in each namespace below that it is in. Kernels without pid namespaces say none.
    if field("NSpid:").is_some_and(|pids| pids.split_whitespace().count() > 1) {
        return None;
    }
    Some(Process {
        pid,
        name: field("Name:")?.to_owned(),
        uid: field("Uid:")?.split_whitespace().next()?.parse().ok()?,
        state: field("State:")?.chars().next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_processes_are_another_machines() {
        let root = tempfile::tempdir().unwrap();
        for (pid, numbers) in [(7, "NSpid:\t7\n"), (8, "NSpid:\t8\t1\n"), (9, "")] {
            let directory = root.path().join(format!("proc/{pid}"));
            std::fs::create_dir_all(&directory).unwrap();
            let status = format!("Name:\telogind\nState:\tS (sleeping)\nUid:\t0\t0\t0\t0\n{numbers}");
            std::fs::write(directory.join("status"), status).unwrap();
        }
        let pids: Vec<_> = read(&Tree::at(root.path())).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [7, 9]);
    }
}
