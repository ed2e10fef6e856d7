//! usherd in a service directory of s6-svscan, told by s6-svc.

mod init_common;

use init_common::*;
use usher_tests::{Background, Machine};

/// Files of the service, and their modes.
const FILES: [(&str, &str, u32); 5] = [
    ("run", include_str!("../../packaging/init/s6/usherd/run"), 0o755),
    ("finish", include_str!("../../packaging/init/s6/usherd/finish"), 0o755),
    ("notification-fd", include_str!("../../packaging/init/s6/usherd/notification-fd"), 0o644),
    ("log/run", include_str!("../../packaging/init/s6/usherd/log/run"), 0o755),
    ("log/notification-fd", include_str!("../../packaging/init/s6/usherd/log/notification-fd"), 0o644),
];

const INIT: Init = Init {
    start: "s6-svc -uwU -T 30000 /run/service/usherd",
    stop: "s6-svc -dwD -T 30000 /run/service/usherd",
    restart: "s6-svc -rwR -T 30000 /run/service/usherd",
    reload: "s6-svc -h /run/service/usherd",
    status: "s6-svstat /run/service/usherd | grep ^up",
    says_started: "ready",
    says_again: "",
    supervises: true,
    bus: false,
};

fn machine() -> Machine {
    let mut builder = builder();
    for (name, text, mode) in FILES {
        builder = builder.file(format!("/etc/s6/sv/usherd/{name}"), text, mode, 0);
    }
    let machine = builder.boot();
    // Started only when it is told to.
    machine.sh(
        "mkdir -p /run/service && cp -r /etc/s6/sv/usherd /run/service/ && touch /run/service/usherd/down",
    );
    machine
}

fn svscan(machine: &Machine) -> Background<'_> {
    let svscan = machine.spawn(&["s6-svscan", "/run/service"]);
    machine.wait_for("s6-supervise", || machine.try_run(&["s6-svok", "/run/service/usherd"]).ok());
    svscan
}

#[test]
fn it_lives() {
    let machine = machine();
    let _svscan = svscan(&machine);
    let service = Service::new(&machine, INIT);
    service.lives();
    service.logs_that_it_is_ready("/var/log/usherd/current");
}

/// Up is not ready: who waits for readiness is told that there is none.
#[test]
fn beside_another_broker_it_is_never_ready() {
    let machine = machine();
    let _svscan = svscan(&machine);
    let service = Service::new(&machine, INIT);
    let rival = service.rival();
    assert_ne!(service.try_sh("s6-svc -uwU -T 3000 /run/service/usherd").0, 0);
    service.wait_for("the reason in the log", || {
        service.try_sh("grep -q 'elogind.*first: stop' /var/log/usherd/current").0 == 0
    });
    service.end(rival);
    service.sh(INIT.start);
    service.log_in("alice").log_out();
}
