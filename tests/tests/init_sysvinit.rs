//! usherd by the LSB script, with Debian's own library for such scripts and start-stop-daemon.

mod init_common;

use std::time::{Duration, Instant};

use init_common::*;
use usher_tests::Machine;

const SCRIPT: &str = include_str!("../../packaging/init/sysvinit/usherd");
const DEFAULT: &str = include_str!("../../packaging/init/default");

const INIT: Init = Init {
    start: "/etc/init.d/usherd start",
    stop: "/etc/init.d/usherd stop",
    restart: "/etc/init.d/usherd restart",
    reload: "/etc/init.d/usherd reload",
    status: "/etc/init.d/usherd status",
    says_started: "usherd is running",
    says_again: "already running",
    supervises: false,
    bus: false,
};

fn machine() -> Machine {
    builder()
        .file("/etc/init.d/usherd", SCRIPT, 0o755, 0)
        .file("/etc/default/usherd", DEFAULT, 0o644, 0)
        .boot()
}

#[test]
fn it_lives() {
    Service::new(&machine(), INIT).lives();
}

#[test]
fn it_refuses_beside_another_broker() {
    let machine = machine();
    Service::new(&machine, INIT).refuses_beside_another("the system log says why");
    let log = machine.syslog();
    assert!(log.lines().any(|line| line.starts_with("<27>usherd[") && line.contains("elogind")), "{log}");
}

/// As /etc/init.d/rc has it; with 0 s for it nobody is ended.
#[test]
fn as_the_machine_goes_down_it_ends_everybody() {
    let machine = machine();
    let service = Service::new(&machine, INIT);
    service.sh(INIT.start);
    let mut alice = service.log_in("alice");
    let before = alice.picture();
    service.sh("USHERD_SHUTDOWN_SEC=0 RUNLEVEL=6 /etc/init.d/usherd stop");
    alice.is_as(&before, "after a stop in no time");
    service.sh(INIT.start);
    alice.log_out();
    for level in ["0", "1", "6"] {
        service.ends_everybody(&format!("RUNLEVEL={level} /etc/init.d/usherd stop"));
    }
}

/// sysvinit mounts none, and leaves alone what somebody else has mounted there.
#[test]
fn it_mounts_the_cgroup_tree_where_there_is_none() {
    let machine = machine();
    let service = Service::new(&machine, INIT);
    service.sh("umount -l /sys/fs/cgroup && ! mountpoint -q /sys/fs/cgroup");
    service.sh(INIT.start);
    assert_eq!(service.sh("stat -f -c %T /sys/fs/cgroup"), "cgroup2fs");
    let login = service.log_in("alice");
    assert!(login.picture().contains(&format!("session-{}.scope", login.session)));
    service.sh(INIT.restart);
    assert_eq!(service.sh("grep -c ' /sys/fs/cgroup ' /proc/mounts"), "1");
    login.log_out();
}

/// The codes of LSB: 3 is stopped, 1 is dead with a pid file (see `lives`); what is not running cannot be reloaded; what is
/// stopped can be stopped again.
#[test]
fn its_exit_codes_are_those_of_the_lsb() {
    let machine = machine();
    let service = Service::new(&machine, INIT);
    let code = |line: &str| service.try_sh(line).0;
    assert_eq!(code(INIT.status), 3);
    assert_eq!(code(INIT.stop), 0);
    assert_ne!(code(INIT.reload), 0);
    assert_eq!(code("/etc/init.d/usherd try-restart"), 0);
    assert_eq!(code(INIT.status), 3, "try-restart has started it");
    assert_eq!(code(INIT.restart), 0);
    assert_eq!(code(INIT.status), 0);
    assert_eq!(code("/etc/init.d/usherd force-reload"), 0);
    assert_eq!(code("/etc/init.d/usherd dance"), 3);
    assert_eq!(code(INIT.stop), 0);
    assert!(!machine.exists("/run/usherd.pid"));
}

/// USHERD_OPTS and USHERD_LOG count.
#[test]
fn its_settings_are_in_etc_default() {
    let machine = builder()
        .file("/etc/init.d/usherd", SCRIPT, 0o755, 0)
        .file("/etc/default/usherd", "USHERD_LOG=error\nUSHERD_OPTS=--no-such-option\n", 0o644, 0)
        .boot();
    let service = Service::new(&machine, INIT);
    let begin = Instant::now();
    assert_ne!(service.try_sh("/etc/init.d/usherd start").0, 0);
    assert!(begin.elapsed() < Duration::from_secs(20), "waited for a usherd that had ended at once");
    std::fs::write(machine.file("/etc/default/usherd"), "USHERD_LOG=error\nUSHERD_OPTS=\n").unwrap();
    service.sh("/etc/init.d/usherd start");
    assert!(!machine.syslog().contains("ready on"), "{}", machine.syslog());
}

/// By the distribution's own tool: usherd comes before whatever logs people in.
#[test]
fn it_comes_before_whatever_logs_people_in() {
    let machine = machine();
    let service = Service::new(&machine, INIT);
    // A system with nothing but these, whatever else this computer has.
    service.sh("mkdir -p /run/etc/init.d && cd /etc && cp init.d/ssh init.d/cron init.d/dbus init.d/usherd /run/etc/init.d && cp insserv.conf /run/etc");
    let text = service.sh(
        "cd /run/etc && insserv -c /run/etc/insserv.conf -p /run/etc/init.d ssh cron dbus usherd && ls rc2.d",
    );
    let place = |name: &str| {
        let link = text.lines().find(|line| line.starts_with('S') && line.ends_with(name));
        link.unwrap_or_else(|| panic!("no {name}: {text}"))[1..3].parse::<u32>().unwrap()
    };
    assert!(place("usherd") < place("ssh") && place("usherd") < place("cron"), "{text}");
    assert!(place("dbus") < place("usherd"), "{text}");
}
