//! usherctl doctor where usherd is not as it should be: absent, dead, stopped, with mistakes in its configuration, or with a
//! socket that somebody has touched.

mod doctor_common;

use std::time::{Duration, Instant};

use doctor_common::*;
use nix::sys::signal::Signal;
use usher_tests::Machine;

/// It waits 4 s for an answer; a busy computer takes longer for the rest.
const SECONDS: Duration = Duration::from_secs(10);

fn machine() -> Machine {
    Machine::builder().config(QUICK).boot()
}

#[test]
fn absent_dead_and_stopped() {
    let machine = machine();
    let diagnosis = doctor(&machine);
    assert_eq!(diagnosis.code, 1);
    diagnosis.has(
        "daemon.answer",
        "problem",
        &["usherd is not running: logins get no session", "start its service"],
    );
    diagnosis.has("daemon.configuration", "skipped", &["usherd does not answer"]);
    // What needs no usherd is looked at all the same.
    diagnosis.has("pam.logins", "ok", &["sshd"]);

    let mut usherd = machine.start_usherd();
    healthy(&machine);
    usherd.sigstop();
    for user in ["root", "alice"] {
        let begun = Instant::now();
        let diagnosis = doctor_as(&machine, user);
        let took = begun.elapsed();
        assert!(took < SECONDS, "{user}: {took:?}");
        assert_eq!(diagnosis.code, 1);
        let advice = format!("kill -CONT {}", usherd.pid());
        diagnosis.has("daemon.answer", "problem", &["has been stopped by a signal", &advice]);
    }
    usherd.sigcont();
    machine.wait_for("usherd to answer", || doctor(&machine).code == 0);
    usherd.kill9();
    let diagnosis = doctor(&machine);
    diagnosis.has("daemon.answer", "problem", &["left its socket behind", "start its service"]);
}

#[test]
fn mistakes_in_the_configuration_until_they_are_corrected() {
    let machine = Machine::builder().config("[Login]\nManager=none\nUserStopDelay=0\n").boot();
    let mut usherd = machine.start_usherd();
    let diagnosis = doctor(&machine);
    assert_eq!(diagnosis.code, 1);
    let advice = format!("kill -HUP {}", usherd.pid());
    diagnosis.has(
        "daemon.configuration",
        "warning",
        &["/etc/usher/usher.conf:3: UserStopDelay: unknown key", &advice],
    );
    assert_eq!(diagnosis.wrong().len(), 1, "{diagnosis:#?}");
    machine.sh("echo '[Login]\nManager=mine' > /etc/usher/usher.conf");
    usherd.signal(Signal::SIGHUP);
    machine.wait_for("the new configuration", || {
        let diagnosis = doctor(&machine);
        diagnosis
            .of("daemon.configuration")
            .iter()
            .any(|finding| finding.words.contains("there is no mine.conf"))
    });
    doctor(&machine).has("managers.chosen", "problem", &["mine (Manager=) cannot be used"]);
    machine.sh("echo '[Login]\nManager=none' > /etc/usher/usher.conf");
    usherd.signal(Signal::SIGHUP);
    machine.wait_for("no mistakes", || doctor(&machine).code == 0);
}

#[test]
fn sockets_that_somebody_has_touched() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    machine.sh("chmod 600 /run/usher/broker; chown 7 /run/usher/broker.root");
    let diagnosis = doctor(&machine);
    diagnosis.has("daemon.socket", "problem", &["/run/usher/broker has mode 0600, not 0666"]);
    diagnosis.has("daemon.root-socket", "problem", &["/run/usher/broker.root belongs to uid 7"]);
    // Whom the mode keeps out.
    let diagnosis = doctor_as(&machine, "alice");
    diagnosis.has("daemon.answer", "problem", &["cannot be asked: Permission denied"]);
    assert_eq!(diagnosis.code, 1);
    machine.sh("rm /run/usher/broker.root; chmod 666 /run/usher/broker");
    let diagnosis = doctor(&machine);
    diagnosis.has("daemon.root-socket", "warning", &["There is no /run/usher/broker.root"]);
    diagnosis.has("daemon.answer", "ok", &[]);
    machine.sh("rm /run/usher/broker");
    doctor(&machine).has("daemon.answer", "problem", &["runs, and there is no socket /run/usher/broker"]);
}

#[test]
fn without_cgroups() {
    let machine = Machine::builder().config(QUICK).cgroup_readonly().boot();
    let _usherd = machine.start_usherd();
    let diagnosis = doctor(&machine);
    diagnosis.has("cgroups.mount", "warning", &["mounted read-only on /sys/fs/cgroup"]);
    diagnosis.has("cgroups.usherd", "warning", &["usherd uses no cgroups: ", "delegated to this container"]);
}
