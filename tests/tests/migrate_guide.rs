//! docs/migrate.md, step by step: from elogind, from systemd-logind, and back.

mod boot_common;

use std::time::Duration;

use usher_tests::Container;

use boot_common::image::{INITTAB_READY, Init};
use boot_common::login::{QUESTIONS, Ssh, is_plain, is_served, ssh};

/// Debian as somebody has it who uses elogind. What has to be installed to come to usher, and to go back, is there as packages.
const ELOGIND: Init = Init {
    name: "elogind",
    packages: &["sysvinit-core", "elogind", "libpam-elogind"],
    setup: "
sed -i -e '/^[1-6]:.*getty/d' -e '$a c:2345:respawn:/sbin/getty --noclear 38400 console linux' /etc/inittab
apt-get clean
apt-get install -y --no-install-recommends --download-only systemd
mkdir /root/there /root/back
cp /var/cache/apt/archives/*.deb /root/there
cd /root/back
apt-get download elogind libpam-elogind systemd-standalone-sysusers
",
    ready: INITTAB_READY,
};

/// Debian as it comes.
const SYSTEMD: Init = Init {
    name: "systemd",
    packages: &["systemd-sysv", "libpam-systemd"],
    setup: "
systemctl enable console-getty.service
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer systemd-tmpfiles-clean.timer
mkdir /root/back
cd /root/back
apt-get download libpam-systemd
",
    ready: "case $(systemctl is-system-running) in running|degraded) ;; *) exit 1;; esac",
};

/// An administrator's settings: one that usher heeds, and one that it does not.
const SETTINGS: &str = "[Login]\nKillUserProcesses=yes\nHandleLidSwitch=ignore\n";
/// A busy computer's time to reboot.
const REBOOT: Duration = Duration::from_secs(60);

#[test]
fn from_elogind_and_back() {
    let image = ELOGIND.image();
    let mut container =
        ELOGIND.start(&image).file("/etc/elogind/logind.conf.d/mine.conf", SETTINGS, 0o644).boot();
    lingers(&container, "/var/lib/elogind/linger/alice");
    let mut bob = Ssh::login(&container, "bob");
    assert_eq!(bob.ask(&container, "stat -f -c %T $XDG_RUNTIME_DIR"), "tmpfs");

    container.sh("cd /root; apt-get install -y --no-install-recommends ./usher.deb ./there/*.deb");
    // Nobody was logged out, and the next login has everything, without a reboot.
    assert_eq!(bob.ask(&container, "echo hello"), "hello");
    carried_over(&container);
    drop(bob);
    container.run(&["reboot"]);
    container.wait_rebooted(REBOOT);
    carried_over(&container);
    assert!(container.exists("/var/lib/elogind/linger/alice"), "the way back is closed");

    container.sh("cd /root/back; apt-get install -y --no-install-recommends ./*.deb");
    container.run(&["reboot"]);
    container.wait_rebooted(REBOOT);
    container.wait_for("elogind", || container.try_run(&["pgrep", "-x", "elogind-daemon"]).ok());
    assert_eq!(ssh(&container, "bob", "stat -f -c %T $XDG_RUNTIME_DIR"), "tmpfs\n");
}

#[test]
fn from_logind_and_back() {
    let image = SYSTEMD.image();
    let mut container =
        SYSTEMD.start(&image).file("/etc/systemd/logind.conf.d/mine.conf", SETTINGS, 0o644).boot();
    lingers(&container, "/var/lib/systemd/linger/alice");
    let mut bob = Ssh::login(&container, "bob");
    is_served(&container, &bob.answer.replace("session=c", "session="), 1002);

    let installed = container.sh("cd /root; apt-get install -y --no-install-recommends ./usher.deb");
    let told = "usherd is not started now: systemd-logind has the sessions of this machine";
    assert!([&installed.stdout, &installed.stderr].iter().any(|text| text.contains(told)), "{installed}");
    // Until then everybody's services go on, and people can log in.
    assert_eq!(bob.ask(&container, "systemctl --user is-active marks.service"), "active");
    is_plain(&container, &ssh(&container, "bob", QUESTIONS));
    drop(bob);
    container.run(&["reboot"]);
    container.wait_rebooted(REBOOT);
    carried_over(&container);

    container.sh("cd /root/back; apt-get install -y --no-install-recommends ./*.deb");
    container.run(&["reboot"]);
    container.wait_rebooted(REBOOT);
    container.run(&["pgrep", "-x", "systemd-logind"]);
    // Removed, and not purged: what the administrator has is there.
    assert!(container.exists("/etc/usher/usher.conf.d/carried-over.conf"));
    is_served(&container, &ssh(&container, "bob", QUESTIONS).replace("session=c", "session="), 1002);
    container.wait_for("alice's service", || running(&container, "alice"));
}

/// alice lingers, by the broker that is there.
fn lingers(container: &Container, flag: &str) {
    container.wait_for("the flag", || {
        container.run(&["loginctl", "enable-linger", "alice"]);
        container.exists(flag)
    });
}

/// usher serves logins as it does on a machine that never knew another broker, alice lingers, and settings are in force.
fn carried_over(container: &Container) {
    container.wait_for("usherd", || container.try_run(&["usherctl"]).ok());
    is_served(container, &ssh(container, "bob", QUESTIONS), 1002);
    container.wait_for("alice's service", || running(container, "alice"));
    assert_eq!(container.run(&["loginctl", "show-user", "alice", "-p", "Linger", "--value"]).stdout, "yes\n");
    let property = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
    let asked = [&["busctl", "get-property"], &property[..], &["KillUserProcesses"]].concat();
    container.wait_for("the name on the bus", || container.try_run(&asked).ok());
    assert_eq!(container.run(&asked).stdout, "b true\n");
    container.run(&["usherd", "--check"]);
    container.run(&["usherctl", "doctor"]);
}

/// The service of a user's manager.
fn running(container: &Container, user: &str) -> bool {
    container.try_run(&["pgrep", "-u", user, "-f", "^/bin/sh /usr/local/bin/marks"]).ok()
}
