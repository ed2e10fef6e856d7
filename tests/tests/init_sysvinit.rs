//! usherd by the LSB script, with Debian's own library for such scripts and start-stop-daemon.

mod init_common;

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
