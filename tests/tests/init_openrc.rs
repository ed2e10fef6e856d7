//! usherd by the real openrc-run and supervise-daemon, told by rc-service.

mod init_common;

use init_common::openrc::*;
use init_common::*;
use usher_tests::Machine;

fn machine_with(rc_conf: &str) -> Machine {
    let machine = builder()
        .file("/etc/init.d/usherd", SCRIPT, 0o755, 0)
        .file("/etc/conf.d/usherd", CONFD, 0o644, 0)
        .file("/etc/init.d/localmount", LOCALMOUNT, 0o755, 0)
        .file("/etc/rc.conf", rc_conf, 0o644, 0)
        .boot();
    // As openrc itself has it once the machine is up.
    machine.sh(UP);
    machine
}

#[test]
fn it_lives() {
    let machine = machine_with("");
    Service::new(&machine, INIT).lives();
    let log = machine.syslog();
    assert!(log.lines().any(|line| line.starts_with("<30>usherd[") && line.contains("ready on")), "{log}");
}

/// OpenRC gives each service a cgroup and, where it is told to, kills everybody in it after a stop. Nobody's programs are in
/// usherd's, and usherd's own is left alone.
#[test]
fn it_lives_where_openrc_empties_cgroups() {
    let machine = machine_with("rc_cgroup_mode=\"unified\"\nrc_cgroup_cleanup=\"YES\"\n");
    let service = Service::new(&machine, INIT);
    service.sh(INIT.start);
    let own = machine.read(format!("/proc/{}/cgroup", service.pid().unwrap()));
    assert!(own.ends_with("usherd\n"), "OpenRC has not given it a cgroup: {own}");
    service.sh(INIT.stop);
    service.lives();
}

#[test]
fn it_refuses_beside_another_broker() {
    let machine = machine_with("");
    Service::new(&machine, INIT).refuses_beside_another("the system log says why");
    let log = machine.syslog();
    assert!(log.lines().any(|line| line.starts_with("<27>usherd[") && line.contains("elogind")), "{log}");
}

/// One that crashes again and again is given up, and "status" says so.
#[test]
fn it_is_given_up_when_it_crashes_all_the_time() {
    let machine = machine_with("");
    std::fs::write(machine.file("/etc/conf.d/usherd"), "respawn_max=3\nrespawn_period=60\n").unwrap();
    let service = Service::new(&machine, INIT);
    service.sh(INIT.start);
    for crash in 1..=3 {
        let pid = service.pid().unwrap();
        service.sh(&format!("kill -KILL {pid}"));
        service
            .wait_for(&format!("usherd after crash {crash}"), || service.pid().is_some_and(|now| now != pid));
    }
    service.sh(&format!("kill -KILL {}", service.pid().unwrap()));
    service.wait_for("the supervisor to give up", || service.process("supervise-daemo").is_none());
    let (code, text) = service.try_sh(INIT.status);
    // The word differs between versions.
    assert!(code != 0 && ["crashed", "stopped"].iter().any(|word| text.contains(word)), "{code} {text}");
}

/// openrc itself says to the services that the machine goes down.
#[test]
fn as_the_machine_goes_down_it_ends_everybody() {
    let machine = machine_with("");
    let service = Service::new(&machine, INIT);
    service.sh("mkdir -p /etc/runlevels/default /etc/runlevels/shutdown; echo default > /run/openrc/softlevel; rc-update add usherd");
    service.ends_everybody("openrc shutdown");
}

/// What Debian's package has at this place: OpenRC runs it as it is.
#[test]
fn the_lsb_script_works_too() {
    let machine = machine_with("");
    std::fs::write(machine.file("/etc/init.d/usherd"), include_str!("../../packaging/init/sysvinit/usherd"))
        .unwrap();
    std::fs::write(machine.file("/etc/default/usherd"), include_str!("../../packaging/init/default"))
        .unwrap();
    let service = Service::new(&machine, INIT);
    service.sh(INIT.start);
    let mut alice = service.log_in("alice");
    let before = alice.picture();
    service.sh(INIT.restart);
    alice.is_as(&before, "after a restart");
    service.sh(INIT.stop);
    assert_eq!(service.pid(), None);
    alice.is_as(&before, "after a stop");
}
