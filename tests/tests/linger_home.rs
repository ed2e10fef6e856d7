//! LingerStart=: a lingering user's manager at boot, and a home directory that comes later.

mod names_common;

use std::time::Duration;

use names_common::*;
use usher_tests::{ALICE, BOB, Machine, Usherd};

const UNIT: &str = "[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=default.target\n";

/// alice lingers, and her home directory, with a unit that her manager starts by itself, is not mounted.
fn not_mounted(lines: &str) -> Machine {
    let machine = Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\n{lines}"))
        .user_unit("alice", "mine.service", UNIT)
        .boot();
    machine.sh("cd /home/alice/.config/systemd/user; mkdir default.target.wants; ln -s ../mine.service default.target.wants");
    machine.sh("mv /home/alice /home/.alice; mkdir /home/alice");
    flags(&machine, &["alice"]);
    machine
}

fn mount_home(machine: &Machine) {
    machine.run(&["mount", "--bind", "/home/.alice", "/home/alice"]);
}

fn systemctl(machine: &Machine, words: &[&str]) -> String {
    let words = [&["env", "XDG_RUNTIME_DIR=/run/user/1001", "systemctl", "--user"][..], words].concat();
    machine.try_as_user("alice", &words).text().to_owned()
}

fn said(usherd: &Usherd<'_>, words: &str) -> usize {
    usherd.log().lines().filter(|line| line.contains(words)).count()
}

const WAITS: &str = "user alice lingers but is started when there is a home directory or a login: ";

fn wait_until_said(machine: &Machine, usherd: &Usherd<'_>) {
    machine.wait_for("one line in the log", || said(usherd, WAITS) == 1);
    assert!(machine.state("users/1001").is_empty() && machine.mounted("/run/user/1001").is_none());
}

#[test]
fn units_are_there_when_the_home_directory_comes_after_boot() {
    let machine = not_mounted("LingerStart=home-available\n");
    let usherd = machine.start_usherd();
    wait_until_said(&machine, &usherd);
    assert_eq!(said(&usherd, "the home directory /home/alice belongs to uid 0: is it mounted yet?"), 1);
    // Another mount, and somebody else's login, are no reason to start her.
    machine.sh("mkdir /tmp/other; mount -t tmpfs none /tmp/other");
    machine.ssh("bob", "true");
    machine.wait_gone(&BOB);
    assert!(machine.state("users/1001").is_empty());

    mount_home(&machine);
    machine.wait_within(Duration::from_secs(10), "alice's manager", || is_up(&machine, ALICE.uid));
    machine.wait_for("her unit", || systemctl(&machine, &["is-active", "mine.service"]) == "active");
    assert_eq!(said(&usherd, WAITS), 1);
}

#[test]
fn by_default_the_manager_starts_at_boot_as_things_are() {
    let machine = not_mounted("");
    let _usherd = machine.start_usherd();
    machine.wait_for("alice's manager", || is_up(&machine, ALICE.uid));
    mount_home(&machine);
    assert_eq!(systemctl(&machine, &["is-active", "mine.service"]), "inactive");
}

/// However much is mounted meanwhile, which of it was the home directory is found out.
#[test]
fn a_home_directory_is_noticed_among_many_mounts() {
    let machine = not_mounted("LingerStart=home-available\nManager=none\n");
    let usherd = machine.start_usherd();
    wait_until_said(&machine, &usherd);
    machine.sh("for n in 1 2 3 4 5 6 7 8; do mount -t tmpfs none /mnt; umount /mnt; done");
    mount_home(&machine);
    machine.wait_within(Duration::from_secs(5), "alice to be here", || {
        machine.exists("/run/systemd/users/1001")
    });
    machine.wait_for("the helpers to be gone", || helpers(&machine) == 0);
}

#[test]
fn one_that_is_there_is_not_waited_for() {
    let machine = Machine::builder().config("[Login]\nManager=none\nLingerStart=home-available\n").boot();
    flags(&machine, &["alice"]);
    let usherd = machine.start_usherd();
    machine
        .wait_within(Duration::from_secs(5), "alice to linger", || machine.exists("/run/systemd/users/1001"));
    assert_eq!(said(&usherd, WAITS), 0);
}

#[test]
fn a_login_a_request_and_a_new_setting_do_not_wait_for_it() {
    for what in 0..3 {
        let machine = not_mounted("LingerStart=home-available\nManager=none\n");
        let mut usherd = machine.start_usherd();
        wait_until_said(&machine, &usherd);
        match what {
            0 => {
                let login = machine.login("alice");
                assert_eq!(machine.state_of("users/1001", "STATE"), "active");
                login.close();
            }
            1 => drop(machine.run(&["usherctl", "enable-linger", "alice"])),
            _ => {
                machine.sh("sed -i /LingerStart/d /etc/usher/usher.conf");
                usherd.signal(nix::sys::signal::Signal::SIGHUP);
            }
        }
        machine.wait_within(Duration::from_secs(8), "alice to linger", || {
            machine.state_of("users/1001", "STATE") == "lingering"
        });
        // Known by now: she stays over a restart of usherd, home directory or not.
        machine.sh("echo LingerStart=home-available >> /etc/usher/usher.conf");
        usherd.restart();
        assert_eq!(machine.state_of("users/1001", "STATE"), "lingering");
        machine.run(&["usherctl", "disable-linger", "alice"]);
        machine.wait_gone(&ALICE);
    }
}
