//! usherd under dinit, told by dinitctl. Debian does not package dinit, so these run only when asked for:
//! `cargo test -p usher-tests --test init_dinit -- --ignored`.

mod init_common;

use init_common::*;
use usher_tests::{Background, Machine};

const SERVICE: &str = include_str!("../../packaging/init/dinit/usherd");

/// Services that it names, and dinit's own first one.
const OTHERS: [&str; 5] = ["boot", "dbus", "greetd", "polkitd", "sshd"];

const INIT: Init = Init {
    start: "dinitctl -s start usherd",
    stop: "dinitctl -s stop usherd",
    restart: "dinitctl -s restart usherd",
    reload: "dinitctl -s signal HUP usherd",
    status: "dinitctl -s is-started usherd",
    says_started: "STARTED",
    says_again: "(already) started",
    supervises: true,
    bus: false,
};

fn machine() -> Machine {
    needs("dinit");
    let mut builder = builder().file("/etc/dinit.d/usherd", SERVICE, 0o644, 0);
    for other in OTHERS {
        builder = builder.file(format!("/etc/dinit.d/{other}"), "type = internal\n", 0o644, 0);
    }
    builder.boot()
}

fn dinit(machine: &Machine) -> Background<'_> {
    let dinit = machine.spawn(&["dinit", "--system", "--services-dir", "/etc/dinit.d"]);
    machine.wait_for("dinit", || machine.try_run(&["dinitctl", "-s", "list"]).ok());
    dinit
}

#[test]
#[ignore = "needs dinit 0.17 or newer, which Debian does not package"]
fn it_lives() {
    let machine = machine();
    let _dinit = dinit(&machine);
    let service = Service::new(&machine, INIT);
    service.lives();
    service.logs_that_it_is_ready("/var/log/usherd.log");
}

#[test]
#[ignore = "needs dinit 0.17 or newer, which Debian does not package"]
fn it_refuses_beside_another_broker() {
    let machine = machine();
    let _dinit = dinit(&machine);
    Service::new(&machine, INIT).refuses_beside_another("failed to start");
}

#[test]
#[ignore = "needs dinit 0.17 or newer, which Debian does not package"]
fn its_description_has_no_mistake() {
    let machine = machine();
    machine.run(&["dinitcheck", "--services-dir", "/etc/dinit.d", "usherd"]);
}
