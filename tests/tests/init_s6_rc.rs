//! usherd under s6-rc, told by s6-rc. Debian does not package s6-rc, so these run only when asked for:
//! `cargo test -p usher-tests --test init_s6_rc -- --ignored`.

mod init_common;

use init_common::*;
use usher_tests::{Background, Machine};

/// Files of the source directory, and their modes.
const FILES: [(&str, &str, u32); 10] = [
    ("usherd-srv/type", include_str!("../../packaging/init/s6-rc/usherd-srv/type"), 0o644),
    ("usherd-srv/run", include_str!("../../packaging/init/s6-rc/usherd-srv/run"), 0o755),
    ("usherd-srv/finish", include_str!("../../packaging/init/s6-rc/usherd-srv/finish"), 0o755),
    (
        "usherd-srv/notification-fd",
        include_str!("../../packaging/init/s6-rc/usherd-srv/notification-fd"),
        0o644,
    ),
    ("usherd-srv/producer-for", include_str!("../../packaging/init/s6-rc/usherd-srv/producer-for"), 0o644),
    ("usherd-log/type", include_str!("../../packaging/init/s6-rc/usherd-log/type"), 0o644),
    ("usherd-log/run", include_str!("../../packaging/init/s6-rc/usherd-log/run"), 0o755),
    (
        "usherd-log/notification-fd",
        include_str!("../../packaging/init/s6-rc/usherd-log/notification-fd"),
        0o644,
    ),
    ("usherd-log/consumer-for", include_str!("../../packaging/init/s6-rc/usherd-log/consumer-for"), 0o644),
    ("usherd-log/pipeline-name", include_str!("../../packaging/init/s6-rc/usherd-log/pipeline-name"), 0o644),
];

const INIT: Init = Init {
    start: "s6-rc -t 30000 -u change usherd",
    stop: "s6-rc -t 30000 -d change usherd",
    restart: "s6-svc -rwR -T 30000 /run/service/usherd-srv",
    reload: "s6-svc -h /run/service/usherd-srv",
    status: "s6-rc -a list | grep usherd-srv",
    says_started: "usherd-srv",
    says_again: "",
    supervises: true,
    bus: false,
};

fn machine() -> Machine {
    needs("s6-rc");
    let mut builder = builder();
    for (name, text, mode) in FILES {
        builder = builder.file(format!("/etc/s6-rc/source/{name}"), text, mode, 0);
    }
    builder.boot()
}

fn svscan(machine: &Machine) -> Background<'_> {
    machine.sh("mkdir -p /run/service && s6-rc-compile /run/compiled /etc/s6-rc/source");
    let svscan = machine.spawn(&["s6-svscan", "/run/service"]);
    machine.wait_for("s6-svscan", || machine.exists("/run/service/.s6-svscan/control"));
    machine.sh("s6-rc-init -c /run/compiled -l /run/s6-rc /run/service");
    svscan
}

#[test]
#[ignore = "needs s6-rc, which Debian does not package"]
fn it_lives() {
    let machine = machine();
    let _svscan = svscan(&machine);
    let service = Service::new(&machine, INIT);
    service.lives();
    service.logs_that_it_is_ready("/var/log/usherd/current");
}
