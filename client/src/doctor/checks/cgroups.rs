//! The control groups that sessions and users live in, and who else is at work there.

use super::unanswered;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;
use crate::doctor::mounts::Mount;

const MOUNT: &str = "cgroups.mount";
const USHERD: &str = "cgroups.usherd";
const CONTROLLERS: &str = "cgroups.controllers";
const OTHERS: &str = "cgroups.others";

/// Where the tree may be; the second is beside version 1 ("hybrid").
const POINTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// What usherd passes down to users.
const WANTED: [&str; 4] = ["cpu", "io", "memory", "pids"];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let tree =
        POINTS.iter().find_map(|point| machine.mounted(point).filter(|mount| mount.fs_type == "cgroup2"));
    let mut findings = vec![mounted(machine, tree), used(machine)];
    if let Some(tree) = tree {
        findings.push(controllers(machine, tree));
    }
    findings.extend(others(machine, tree));
    findings
}

fn mounted(machine: &Machine, tree: Option<&Mount>) -> Finding {
    let version_1 = machine.mounts.iter().any(|mount| mount.fs_type == "cgroup");
    match tree {
        Some(mount) if mount.read_only => Finding::warning(
            MOUNT,
            format!(
                "cgroup2 is mounted read-only on {}: sessions have no cgroups and end with their leaders.",
                mount.point
            ),
            "give the container a cgroup2 tree that it may write to, or live without systemd --user",
        ),
        Some(mount) if version_1 => Finding::note(
            MOUNT,
            format!(
                "cgroup2 is mounted on {}, beside version 1 (\"hybrid\"): sessions have cgroups, resource limits may not work.",
                mount.point
            ),
            "to have all of it, let the init mount cgroup2 alone (OpenRC: rc_cgroup_mode=\"unified\" in /etc/rc.conf)",
        ),
        Some(mount) => Finding::ok(MOUNT, format!("cgroup2 is mounted on {}.", mount.point)),
        None if version_1 => Finding::warning(
            MOUNT,
            "Only version 1 of cgroups is mounted: sessions end with their leaders, and systemd --user cannot run.",
            "have cgroup2 mounted on /sys/fs/cgroup at boot (OpenRC: rc_cgroup_mode=\"unified\" in /etc/rc.conf)",
        ),
        None => Finding::warning(
            MOUNT,
            "cgroup2 is mounted neither on /sys/fs/cgroup nor on /sys/fs/cgroup/unified: sessions end with their leaders, \
             and systemd --user cannot run.",
            "mount it at boot, before usherd: mount -t cgroup2 none /sys/fs/cgroup",
        ),
    }
}

/// What usherd itself makes of it.
fn used(machine: &Machine) -> Finding {
    let Some(status) = &machine.asked.status else {
        return unanswered(machine, USHERD, "Whether usherd uses cgroups");
    };
    match &status.cgroups {
        Some(mount) => {
            Finding::ok(USHERD, format!("usherd keeps sessions in cgroups below {mount}/user.slice."))
        }
        None => Finding::warning(
            USHERD,
            format!("usherd uses no cgroups: {}.", status.cgroups_error.trim_end_matches('.')),
            "put that right, then restart usherd",
        ),
    }
}

fn controllers(machine: &Machine, tree: &Mount) -> Finding {
    let words = |path: String| -> Vec<String> {
        let text = machine.tree.read(path).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let point = &tree.point;
    // A control file of the root is missing where the tree is that of a container.
    let available = words(format!("{point}/cgroup.controllers"));
    let passed = words(format!("{point}/user.slice/cgroup.subtree_control"));
    let absent: Vec<_> =
        WANTED.into_iter().filter(|name| !available.iter().any(|have| have == name)).collect();
    if !absent.is_empty() {
        return Finding::note(
            CONTROLLERS,
            format!(
                "These controllers are not in the cgroup2 tree: {}. Limits of these kinds have no effect.",
                absent.join(", ")
            ),
            "nothing, if nobody sets limits; else have version 1 unmounted, or the container given more",
        );
    }
    let idle: Vec<_> = WANTED.into_iter().filter(|name| !passed.iter().any(|have| have == name)).collect();
    if idle.is_empty() {
        return Finding::ok(CONTROLLERS, "Users have the controllers cpu, io, memory and pids.");
    }
    Finding::note(
        CONTROLLERS,
        format!("These controllers are there, and not passed down to users: {}.", idle.join(", ")),
        "nothing, if nobody sets limits; processes in the root of a container's tree keep them from being passed on",
    )
}

/// Marks of others who arrange cgroups.
fn others(machine: &Machine, tree: Option<&Mount>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if machine.init() == "systemd" {
        findings.push(Finding::note(
            OTHERS,
            "PID 1 is systemd, which is at work in the same tree; of it, user.slice is usherd's.",
            "nothing, as long as no unit but user.slice itself is in that slice",
        ));
    }
    let elogind = machine.mounted("/sys/fs/cgroup/elogind").is_some();
    let left: Vec<_> = tree.map(|tree| left_by_elogind(machine, tree)).unwrap_or_default();
    if !left.is_empty() {
        findings.push(Finding::note(
            OTHERS,
            format!("elogind has left its sessions' cgroups: {}.", left.join(", ")),
            "nothing; they go with the processes in them, or at the next boot",
        ));
    } else if elogind {
        findings.push(Finding::note(
            OTHERS,
            "elogind has left its own cgroup tree: /sys/fs/cgroup/elogind.",
            "nothing; it is gone after the next boot without elogind",
        ));
    }
    findings
}

/// elogind puts session N into a cgroup N, or cN, at the top of the tree.
fn left_by_elogind(machine: &Machine, tree: &Mount) -> Vec<String> {
    let names = machine.tree.list(&tree.point).unwrap_or_default().into_iter();
    let is_session = |name: &String| {
        let number = name.strip_prefix('c').unwrap_or(name);
        !number.is_empty() && number.len() < 8 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    names.filter(is_session).take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::doctor::mounts;

    const UNIFIED: &str = "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    const HYBRID: &str = "1 0 0:1 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        2 1 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        3 1 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn fixture(table: &str) -> Fixture {
        let all = "cpuset cpu io memory pids\n";
        Fixture::new()
            .changed(|machine| machine.mounts = mounts::parse(table))
            .status(|status| status.cgroups = Some("/sys/fs/cgroup".into()))
            .file("/sys/fs/cgroup/cgroup.controllers", all)
            .file("/sys/fs/cgroup/user.slice/cgroup.subtree_control", "cpu io memory pids\n")
    }

    #[test]
    fn unified() {
        let findings = check(&fixture(UNIFIED).machine);
        for id in [MOUNT, USHERD, CONTROLLERS] {
            assert_eq!(verdict(&findings, id), Verdict::Ok, "{id}");
        }
        assert_eq!(findings.len(), 3);
    }

    #[test]
    fn hybrid_version_1_none_and_read_only() {
        let of = |table: &str| check(&fixture(table).machine);
        assert_eq!(verdict(&of(HYBRID), MOUNT), Verdict::Note);
        assert_eq!(verdict(&of(HYBRID), CONTROLLERS), Verdict::Note);
        let version_1 = "2 1 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert!(words(&of(version_1), MOUNT).contains("Only version 1"));
        assert!(words(&of(""), MOUNT).contains("neither on"));
        let read_only = UNIFIED.replace("rw - ", "ro - ");
        assert!(words(&of(&read_only), MOUNT).contains("read-only"));
    }

    #[test]
    fn usherd_without_cgroups() {
        let fixture = fixture(UNIFIED).status(|status| {
            status.cgroups = None;
            status.cgroups_error = "write to cgroup: read-only".into();
        });
        assert_eq!(verdict(&check(&fixture.machine), USHERD), Verdict::Warning);
    }

    #[test]
    fn controllers_that_are_not_passed_down_and_others_at_work() {
        let fixture = fixture(UNIFIED)
            .file("/sys/fs/cgroup/user.slice/cgroup.subtree_control", "cpu\n")
            .directory("/sys/fs/cgroup/c3")
            .changed(|machine| machine.processes[0].name = "systemd".into());
        let findings = check(&fixture.machine);
        assert!(words(&findings, CONTROLLERS).contains("passed down to users: io, memory, pids."));
        let others = words(&findings, OTHERS);
        assert!(
            others.contains("PID 1 is systemd")
                && others.contains("elogind has left its sessions' cgroups: c3."),
            "{others}"
        );
    }
}
