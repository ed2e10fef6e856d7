//! usherd as a unit of a systemd that is PID 1, in place of systemd-logind: Debian 13 in a container.

mod init_common;

use std::time::{Duration, Instant};

use init_common::*;
use usher_tests::{Container, DEADLINE, Oracle};

const UNIT: &str = include_str!("../../packaging/init/systemd/usherd.service");
const INIT: Init = Init {
    start: "systemctl start usherd",
    stop: "systemctl stop usherd",
    restart: "systemctl restart usherd",
    reload: "systemctl reload usherd",
    status: "systemctl status --no-pager usherd",
    says_started: "active (running)",
    says_again: "",
    supervises: true,
    bus: true,
};

/// Installed, nothing done.
fn container() -> Container {
    container_with("")
}

/// With more lines of shell before it boots.
fn container_with(prepare: &str) -> Container {
    let image = Oracle::image();
    let start = image.container().file("/usr/lib/systemd/system/usherd.service", UNIT, 0o644);
    install(start).prepare(prepare).boot()
}

/// As the unit says at its top.
fn replaces_logind(service: &Service<'_, Container>) {
    service.sh("systemctl stop systemd-logind");
    service.sh("systemctl enable usherd");
}

#[test]
fn it_lives() {
    let container = container();
    let service = Service::new(&container, INIT);
    replaces_logind(&service);
    service.lives();
    let log = service.sh("journalctl --no-pager -u usherd");
    assert!(log.contains("ready on /run/usher/broker"), "{log}");
    assert!(!log.contains("remains running after unit stopped"), "{log}");
}

/// Booted with it: nobody has started it by hand, logind is not there, and what names logind gets usherd.
#[test]
fn it_comes_up_with_the_machine_in_place_of_logind() {
    let container = container_with("systemctl enable usherd");
    let service = Service::new(&container, INIT);
    service.sh(INIT.status);
    let property = |unit: &str, name: &str| service.sh(&format!("systemctl show --value -p {name} {unit}"));
    assert_eq!(property("systemd-logind", "Id"), "usherd.service");
    assert_eq!(property("dbus-org.freedesktop.login1", "Id"), "usherd.service");
    let log = service.sh("journalctl --no-pager");
    assert!(!log.contains("systemd-logind["), "{log}");
    service.wait_for("usherd on the bus", || {
        service.try_sh("busctl status org.freedesktop.login1").1.contains("Comm=usherd")
    });
    // People are let in once usherd is there.
    let since = |unit: &str, name: &str| property(unit, name).parse::<u64>().unwrap();
    let ready = since("usherd", "ActiveEnterTimestampMonotonic");
    assert!(ready <= since("systemd-user-sessions", "InactiveExitTimestampMonotonic"), "{log}");
    // A caller on the bus brings it back, as it would bring logind back.
    service.sh(INIT.stop);
    service.sh("loginctl list-sessions");
    service.sh(INIT.status);
    service.log_in("alice").log_out();
}

#[test]
fn logind_comes_back() {
    let container = container_with("systemctl enable usherd");
    let service = Service::new(&container, INIT);
    service.log_in("alice").log_out();
    service.sh("systemctl disable --now usherd");
    service.sh("systemctl start systemd-logind");
    let id = service.sh("systemctl show --value -p Id systemd-logind");
    assert_eq!(id, "systemd-logind.service");
    let owner = service.sh("busctl status org.freedesktop.login1");
    assert!(owner.contains("Comm=systemd-logind"), "{owner}");
}

#[test]
fn it_refuses_beside_logind() {
    let container = container();
    let service = Service::new(&container, INIT);
    let (code, text) = service.try_sh(INIT.start);
    assert_ne!(code, 0, "{text}");
    service.wait_for("systemd to give it up", || {
        service.sh("systemctl show --value -p ActiveState usherd") == "failed"
    });
    let (_, text) = service.try_sh(INIT.status);
    assert!(text.contains("systemctl enable usherd && reboot"), "the status does not say what to do: {text}");
    service.sh("systemctl is-active systemd-logind");
}

/// systemd's own changes to the tree of cgroups leave what usherd has made there alone.
#[test]
fn a_daemon_reload_changes_nothing_for_sessions() {
    let container = container_with("systemctl enable usherd");
    let service = Service::new(&container, INIT);
    let mut alice = service.log_in("alice");
    let controllers = || service.sh("cat /sys/fs/cgroup/user.slice/user-1001.slice/cgroup.controllers");
    let (before, had) = (alice.picture(), controllers());
    for line in [
        "systemctl daemon-reload",
        "systemctl set-property --runtime user.slice MemoryHigh=90%",
        "systemctl daemon-reexec",
        "systemctl set-property --runtime user.slice MemoryHigh=",
    ] {
        service.sh(line);
        alice.is_as(&before, line);
        assert_eq!(controllers(), had, "{line}");
    }
    service.sh(INIT.restart);
    alice.is_as(&before, "after a restart");
    alice.log_out();
}

/// Nothing of a session keeps the machine from shutting down.
#[test]
fn the_machine_shuts_down_with_people_logged_in() {
    let mut container = container_with("systemctl enable usherd");
    let service = Service::new(&container, INIT);
    service.sh("sleep 1000 | setsid usher-pam-login --service usher-test alice >/dev/null 2>&1 &");
    service.wait_for("alice", || service.try_sh("usherctl show-user alice -p State --value").1 == "active");
    service.sh("systemctl start --no-block poweroff.target");
    let end = Instant::now() + DEADLINE;
    while container.is_running() {
        assert!(Instant::now() < end, "it does not shut down: {}", container.console());
        std::thread::sleep(Duration::from_millis(50));
    }
}
