//! RuntimeDirectorySize= and RuntimeDirectoryInodesMax= hold for the directories that are there, too: after a reload, and
//! after a restart with another configuration.

mod faults_common;

use faults_common::*;
use nix::sys::signal::Signal;
use usher_tests::{Machine, Usherd};

const BOBS: &str = "/run/user/1002";

fn config(size: &str, inodes: u32) -> String {
    format!(
        "[Login]\nUserStopDelaySec=0\nManager=none\nRuntimeDirectorySize={size}\nRuntimeDirectoryInodesMax={inodes}\n"
    )
}

fn write(machine: &Machine, size: &str, inodes: u32) {
    std::fs::write(machine.file("/etc/usher/usher.conf"), config(size, inodes)).expect("usher.conf");
}

fn reload(machine: &Machine, broker: &mut Usherd<'_>, size: &str, inodes: u32) {
    write(machine, size, inodes);
    broker.signal(Signal::SIGHUP);
}

/// `size` and `nr_inodes` as the mount table has them.
fn limits(machine: &Machine, path: &str) -> (String, String) {
    let mounted = machine.mounted(path).unwrap_or_else(|| panic!("{path} is not mounted"));
    let value = |key: &str| {
        let found = mounted.super_options.iter().find_map(|option| option.strip_prefix(key));
        found.unwrap_or_default().to_owned()
    };
    (value("size="), value("nr_inodes="))
}

fn wait_limits(machine: &Machine, path: &str, size: &str, inodes: &str) {
    machine.wait_for(&format!("{path} to have room for {size} and {inodes} files"), || {
        limits(machine, path) == (size.to_owned(), inodes.to_owned())
    });
}

/// Everything about the mount but its sizes.
fn rest(machine: &Machine, path: &str) -> (impl PartialEq + std::fmt::Debug, Vec<String>) {
    let mounted = machine.mounted(path).expect("a mount");
    let options = mounted.options.into_iter().chain(mounted.propagation).chain(mounted.super_options);
    let sizes = |option: &String| option.starts_with("size=") || option.starts_with("nr_inodes=");
    (identity(machine, path), options.filter(|option| !sizes(option)).collect())
}

#[test]
fn directories_in_use_grow_and_shrink() {
    let machine = machine(&config("4M", 400));
    let mut broker = machine.start_usherd();
    let alice = Login::running(
        &machine,
        "alice",
        "head -c 3M /dev/zero > $XDG_RUNTIME_DIR/big; chmod 755 $XDG_RUNTIME_DIR; echo done; exec sleep 1000",
    );
    let bob = Login::of(&machine, "bob");
    machine.wait_for("her file", || alice.su.log().contains("done"));
    let before = [RUNTIME, BOBS].map(|path| rest(&machine, path));

    reload(&machine, &mut broker, "8M", 800);
    for path in [RUNTIME, BOBS] {
        wait_limits(&machine, path, "8192k", "800");
    }
    assert_eq!(
        machine.run(&["usherctl", "show-session", "-p", "RuntimeDirectorySize", "--value"]).text(),
        "8388608"
    );

    // Hers holds more than that: it keeps its size, she is named, and others shrink all the same.
    reload(&machine, &mut broker, "1M", 500);
    wait_limits(&machine, BOBS, "1024k", "500");
    let said = format!("cannot resize {RUNTIME}");
    machine.wait_for("a word about it", || broker.log().contains(&said));
    let log = broker.log();
    let line = log.lines().find(|line| line.contains(&said)).unwrap_or_default();
    assert!(line.contains("WARN") && line.contains("uid=1001") && line.contains("SIGHUP"), "{line}");
    assert_eq!(limits(&machine, RUNTIME), ("8192k".to_owned(), "800".to_owned()));
    assert_eq!(machine.run(&["stat", "-c", "%s", &format!("{RUNTIME}/big")]).text(), "3145728");

    // Once she has made room, the advice works.
    machine.as_user("alice", &["rm", &format!("{RUNTIME}/big")]);
    broker.signal(Signal::SIGHUP);
    let mut turn = 0;
    machine.wait_for("hers to shrink", || {
        turn += 1;
        if turn % 20 == 0 {
            broker.signal(Signal::SIGHUP);
        }
        limits(&machine, RUNTIME).0 == "1024k"
    });
    assert_eq!([RUNTIME, BOBS].map(|path| rest(&machine, path)), before, "nothing else has changed");

    // Who comes now gets the new size at once; and it is a limit.
    bob.log_out();
    machine.wait_for("bob to be gone", || !machine.exists(user_file(1002)));
    let bob = Login::running(&machine, "bob", "head -c 3M /dev/zero > $XDG_RUNTIME_DIR/big; exec sleep 1000");
    machine.wait_for("it to be full", || bob.su.log().contains("No space left"));
    assert_eq!(limits(&machine, BOBS), ("1024k".to_owned(), "500".to_owned()));
    for login in [alice, bob] {
        login.log_out();
    }
    wait_nothing_left(&machine);
}

#[test]
fn a_restart_with_another_configuration_resizes_too() {
    let machine = machine(&config("4M", 400));
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    let before = rest(&machine, RUNTIME);
    broker.kill9();
    write(&machine, "2M", 200);
    broker.start();
    wait_limits(&machine, RUNTIME, "2048k", "200");
    assert_eq!(rest(&machine, RUNTIME), before);
    login.log_out();
    wait_nothing_left(&machine);
}

/// A mount that usher has not made, or one that something was mounted over, keeps its size.
#[test]
fn other_mounts_are_not_touched() {
    let machine = machine(&config("4M", 400));
    let mut broker = machine.start_usherd();
    machine.sh(&format!(
        "mkdir -p {BOBS}; mount -t tmpfs -o mode=0700,uid=1002,gid=1002,size=3m,nr_inodes=77 tmpfs {BOBS}"
    ));
    let logins = [Login::of(&machine, "alice"), Login::of(&machine, "bob"), Login::of(&machine, "root")];
    machine.sh(&format!("mount -t tmpfs -o size=5m,nr_inodes=55 tmpfs {RUNTIME}"));
    reload(&machine, &mut broker, "8M", 800);
    wait_limits(&machine, "/run/user/0", "8192k", "800");
    assert_eq!(limits(&machine, BOBS), ("3072k".to_owned(), "77".to_owned()));
    assert_eq!(limits(&machine, RUNTIME), ("5120k".to_owned(), "55".to_owned()));
    machine.run(&["umount", RUNTIME]);
    assert_eq!(limits(&machine, RUNTIME), ("4096k".to_owned(), "400".to_owned()));
    for login in logins {
        login.log_out();
    }
    machine.wait_for("everybody to be gone", || names(&machine, "/run/systemd/users").is_empty());
    assert_eq!(stacked(&machine, BOBS), 1);
}
