//! The first login of a user, through the real sshd: session, environment, cgroup, runtime directory, user manager.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use usher_tests::{ALICE, BOB, Machine};

const UNIT: &str = "\
[Service]
ExecStart=/bin/sh -c 'echo $XDG_RUNTIME_DIR > %h/unit.new; mv %h/unit.new %h/unit; exec sleep infinity'

[Install]
WantedBy=default.target
";

/// alice has enabled a unit of hers.
fn with_unit() -> Machine {
    let config = "[Login]\nUserStopDelaySec=0\n";
    let machine = Machine::builder().config(config).user_unit("alice", "hello.service", UNIT).boot();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "hello.service"]);
    machine
}

fn environment(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn the_session_has_its_environment_and_its_cgroup() {
    let machine = with_unit();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    let text = ssh.ask("env");
    let environment = environment(&text);
    for (name, value) in [
        ("XDG_RUNTIME_DIR", "/run/user/1001"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1001/bus"),
        ("XDG_SESSION_TYPE", "tty"),
        ("XDG_SESSION_CLASS", "user"),
    ] {
        assert_eq!(environment.get(name), Some(&value), "{name}");
    }
    for name in ["XDG_SEAT", "XDG_VTNR", "XDG_SESSION_DESKTOP"] {
        assert_eq!(environment.get(name), None, "{name}");
    }
    assert_eq!(ssh.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", ALICE.scope(&id)));
    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);

    let record = machine.state(&format!("sessions/{id}"));
    for (key, value) in [
        ("UID", "1001"),
        ("USER", "alice"),
        ("ACTIVE", "1"),
        ("IS_DISPLAY", "1"),
        ("STATE", "active"),
        ("REMOTE", "1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("TYPE", "tty"),
        ("CLASS", "user"),
        ("SERVICE", "sshd"),
        ("SCOPE", &format!("session-{id}.scope")),
    ] {
        assert_eq!(record.get(key).map(String::as_str), Some(value), "{key} in {record:?}");
    }
    for key in ["SEAT", "VTNR", "TTY", "DISPLAY"] {
        assert_eq!(record.get(key), None, "{key} in {record:?}");
    }
    let user = machine.state("users/1001");
    for (key, value) in [("NAME", "alice"), ("STATE", "active"), ("STOPPING", "no"), ("DISPLAY", &id)] {
        assert_eq!(user.get(key).map(String::as_str), Some(value), "{key} in {user:?}");
    }
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn the_runtime_directory_is_a_tmpfs_of_her_own() {
    let machine = with_unit();
    let _usherd = machine.start_usherd();
    let ssh = machine.ssh_session("alice");
    let mount = machine.mounted("/run/user/1001").unwrap();
    assert_eq!((mount.fs_type.as_str(), mount.source.as_str()), ("tmpfs", "tmpfs"));
    for option in ["rw", "nosuid", "nodev", "mode=700", "uid=1001", "gid=1001"] {
        assert!(mount.has(option), "{option} in {mount:?}");
    }
    assert!(!mount.has("noexec"), "{mount:?}");

    // Ten percent of the memory in whole pages, and an inode for each.
    let pages = machine.run(&["getconf", "_PHYS_PAGES"]).text().parse::<u64>().unwrap();
    let page = machine.run(&["getconf", "PAGE_SIZE"]).text().parse::<u64>().unwrap();
    let size = (pages * page / 10).div_ceil(page) * page;
    assert!(mount.has(&format!("size={}k", size / 1024)), "{size} in {mount:?}");
    assert!(mount.has(&format!("nr_inodes={}", size.div_ceil(4096))), "{mount:?}");

    let directory = fs::metadata(machine.file("/run/user/1001")).unwrap();
    assert_eq!((directory.uid(), directory.gid()), (1001, 1001));
    assert_eq!(directory.permissions().mode() & 0o7777, 0o700);
    let parent = fs::metadata(machine.file("/run/user")).unwrap();
    assert_eq!((parent.uid(), parent.permissions().mode() & 0o7777), (0, 0o755));
    assert!(!machine.try_as_user("bob", &["ls", "/run/user/1001"]).ok());
    drop(ssh);
    machine.wait_gone(&ALICE);
}

#[test]
fn the_user_manager_works_inside_the_session() {
    let machine = with_unit();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    // Ready means basic.target: what the default target wants may still be starting. (`systemctl is-system-running`
    // would say "offline" of any manager on a machine that was not booted with systemd.)
    machine.wait_for("the user manager's jobs to be done", || {
        ssh.ask("systemctl --user show --property=SystemState --value") == "running"
    });
    assert_eq!(ssh.ask("systemctl --user is-active hello.service"), "active");
    machine.wait_for("the unit's greeting", || machine.read("/home/alice/unit") == "/run/user/1001\n");
    let unit = format!("{}/app.slice/hello.service", ALICE.service());
    assert_eq!(machine.cgroup_procs(&unit).map(|pids| pids.len()), Some(1));
    assert!(ssh.ask("busctl --user --no-pager list").contains("org.freedesktop.DBus"));
    let id = "org.freedesktop.DBus / org.freedesktop.DBus GetId";
    assert!(ssh.ask(&format!("busctl --user --no-pager call {id}")).starts_with("s \""));
    assert_eq!(ssh.ask("systemd-run --user --quiet --wait --pipe id -un"), "alice");

    // The keeper of the manager's PAM session and the manager, and nothing of the login.
    let manager = machine.manager(&ALICE).unwrap();
    let init = machine.cgroup_procs(&format!("{}/init.scope", ALICE.service())).unwrap();
    assert!(init.contains(&manager) && init.len() == 2, "{init:?}");
    assert_eq!(machine.read(format!("/proc/{manager}/cmdline")), "/usr/lib/systemd/systemd\0--user\0");
    let session = machine.all_sessions(&ALICE).into_iter().find(|(_, class)| class == "manager").unwrap().0;
    let record = machine.state(&format!("sessions/{session}"));
    assert_eq!(record["LEADER"], manager.to_string());
    assert_eq!((record["SERVICE"].as_str(), record["TYPE"].as_str()), ("systemd-user", "unspecified"));
    // The marker that systemd looks for is nobody else's business.
    assert!(!machine.exists("/run/systemd/system"));
    assert!(!ssh.try_ask("test -e /run/systemd/system").0.eq(&0));
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn mounts_of_user_services_appear_in_the_session_and_the_others_do_not() {
    let machine = with_unit();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let manager = machine.manager(&ALICE).unwrap().to_string();
    ssh.ask("mkdir /run/user/1001/fuse");
    // As fusermount does for a service: in the manager's mount namespace.
    let enter = ["nsenter", "--mount", "--root", "--target", &manager];
    machine.run(&[&enter[..], &["mount", "-t", "tmpfs", "fuse", "/run/user/1001/fuse"]].concat());
    assert_eq!(ssh.ask("findmnt -no SOURCE /run/user/1001/fuse"), "fuse");
    machine.run(&[&enter[..], &["mount", "-t", "tmpfs", "mine", "/mnt"]].concat());
    assert_eq!(machine.mounted("/mnt"), None);
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn without_a_line_in_the_stack_nothing_happens() {
    let machine = Machine::builder().no_module().boot();
    let _usherd = machine.start_usherd();
    assert_eq!(machine.ssh("bob", "echo $XDG_SESSION_ID").text(), "");
    assert!(machine.sessions(&BOB).is_empty());
    assert!(!machine.exists("/run/user/1002"));
}
