//! usherd under runsvdir, told by sv.

mod init_common;

use init_common::*;
use usher_tests::{Background, Machine};

/// Files of the service, and whether they are run.
const FILES: [(&str, &str, bool); 4] = [
    ("run", include_str!("../../packaging/init/runit/usherd/run"), true),
    ("check", include_str!("../../packaging/init/runit/usherd/check"), true),
    ("finish", include_str!("../../packaging/init/runit/usherd/finish"), true),
    ("log/run", include_str!("../../packaging/init/runit/usherd/log/run"), true),
];

const INIT: Init = Init {
    start: "sv -w 30 start usherd",
    stop: "sv -w 30 stop usherd",
    restart: "sv -w 30 restart usherd",
    reload: "sv -w 30 reload usherd",
    // sv succeeds whatever the state is.
    status: "sv status usherd | grep ^run:",
    says_started: "run: usherd: (pid ",
    says_again: "ok: run: usherd: (pid ",
    supervises: true,
    bus: false,
};

fn machine() -> Machine {
    let mut builder = builder().file("/etc/service/usherd/down", "", 0o644, 0);
    for (name, text, runs) in FILES {
        builder =
            builder.file(format!("/etc/service/usherd/{name}"), text, if runs { 0o755 } else { 0o644 }, 0);
    }
    builder.boot()
}

/// The real runsvdir, and its runsv for usherd. A file `down` keeps that from starting it before it is told to.
fn runsvdir(machine: &Machine) -> Background<'_> {
    let runsvdir = machine.spawn(&["runsvdir", "-P", "/etc/service"]);
    machine.wait_for("runsv", || {
        machine.try_run(&["sv", "status", "usherd"]).stdout.starts_with("down: usherd")
    });
    runsvdir
}

#[test]
fn it_lives() {
    let machine = machine();
    let _runsvdir = runsvdir(&machine);
    let service = Service::new(&machine, INIT);
    service.lives();
    service.logs_that_it_is_ready("/var/log/usherd/current");
}

/// runit itself knows only that it is to be up. Who asks is told that it is not, and the log does not fill up.
#[test]
fn beside_another_broker_it_does_not_come_up_and_says_so_rarely() {
    let machine = machine();
    let _runsvdir = runsvdir(&machine);
    let service = Service::new(&machine, INIT);
    let rival = service.rival();
    let (code, text) = service.try_sh("sv -w 3 start usherd");
    assert!(code != 0 && text.contains("timeout"), "{code} {text}");
    let log = || service.try_sh("grep -c 'elogind.*first: stop' /var/log/usherd/current").1;
    service.wait_for("the reason", || log() == "1");
    assert_eq!(
        service.try_sh("sv status usherd").1.split(':').next(),
        Some("finish"),
        "it is tried at once again"
    );
    service.end(rival);
    service.wait_for("usherd to come up by itself", || service.try_sh("sv -w 1 check usherd").0 == 0);
    service.log_in("alice").log_out();
}

/// Debian's runit mounts none, and what somebody else has mounted there is left alone.
#[test]
fn it_mounts_the_cgroup_tree_where_there_is_none() {
    let machine = machine();
    let _runsvdir = runsvdir(&machine);
    let service = Service::new(&machine, INIT);
    service.sh("umount -l /sys/fs/cgroup && ! mountpoint -q /sys/fs/cgroup");
    service.sh(INIT.start);
    let login = service.log_in("alice");
    assert!(login.picture().contains(&format!("session-{}.scope", login.session)));
    service.sh(INIT.restart);
    assert_eq!(service.sh("grep -c ' /sys/fs/cgroup ' /proc/mounts"), "1");
    login.log_out();
}
