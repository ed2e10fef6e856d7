//! usherctl doctor and the system bus: no policy, another owner of the name, a bus that hangs, a bus that would start another
//! broker.

mod doctor_common;

use std::time::{Duration, Instant};

use doctor_common::*;
use nix::sys::signal::Signal;
use usher_tests::Machine;

const POLICY: &str = "/usr/share/dbus-1/system.d/org.freedesktop.login1.conf";
const ACTIVATION: &str = "/usr/share/dbus-1/system-services/org.freedesktop.login1.service";

/// Owns logind's name, says so, and lives on.
const RIVAL: &str = "
import dbus, time
bus = dbus.SystemBus()
assert bus.request_name('org.freedesktop.login1') == 1
print('owned', flush=True)
time.sleep(1000)
";

fn machine() -> Machine {
    Machine::builder().config(QUICK).boot()
}

/// Asks until it says so.
fn wait_for(machine: &Machine, check: &str, verdict: &str) -> Diagnosis {
    machine.wait_some(&format!("{verdict} of {check}"), || {
        let diagnosis = doctor(machine);
        diagnosis.of(check).iter().any(|finding| finding.verdict == verdict).then_some(diagnosis)
    })
}

#[test]
fn no_bus_and_no_policy_and_a_policy() {
    let machine = machine();
    machine.sh(&format!("mv {POLICY} /tmp/policy"));
    let _usherd = machine.start_usherd();
    healthy(&machine).has("bus.socket", "note", &["There is no system bus"]);

    let mut bus = machine.start_dbus();
    let diagnosis = wait_for(&machine, "bus.login1", "problem");
    diagnosis.has(
        "bus.login1",
        "problem",
        &["does not let usherd be org.freedesktop.login1", "AccessDenied", "restart usherd"],
    );
    diagnosis.has("bus.policy", "problem", &["there is no org.freedesktop.login1.conf that does"]);
    assert_eq!(diagnosis.code, 1);

    machine.sh(&format!("mv /tmp/policy {POLICY}"));
    bus.kill9();
    let _bus = machine.start_dbus();
    wait_for(&machine, "bus.login1", "ok");
    healthy(&machine).has("bus.policy", "ok", &[POLICY]);
}

#[test]
fn another_broker_owns_the_name() {
    let machine = machine();
    let mut usherd = machine.start_usherd();
    usherd.sigstop();
    let _bus = machine.start_dbus();
    let mut rival = machine.spawn(&["/usr/bin/python3", "-c", RIVAL]);
    machine.wait_for("the rival", || rival.log().contains("owned"));
    usherd.sigcont();
    let diagnosis = wait_for(&machine, "bus.login1", "problem");
    let who = format!("python3 (process {}) owns org.freedesktop.login1", rival.pid());
    diagnosis.has("bus.login1", "problem", &[&who, "stop and disable it"]);
    rival.kill9();
    wait_for(&machine, "bus.login1", "ok");
}

#[test]
fn a_bus_that_hangs_keeps_nobody_waiting() {
    let machine = machine();
    let mut bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_for(&machine, "bus.login1", "ok");
    bus.signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let diagnosis = doctor(&machine);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    diagnosis.has("bus.login1", "problem", &["the bus does not answer"]);
    diagnosis.has("daemon.answer", "ok", &[]);
    bus.signal(Signal::SIGCONT);
    wait_for(&machine, "bus.login1", "ok");
}

#[test]
fn a_bus_that_would_start_another_broker_and_brokers_that_run() {
    let machine = Machine::builder().config(QUICK).program("/bin/sleep", "/usr/bin/turnstiled").boot();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_for(&machine, "bus.login1", "ok");
    machine.sh(&format!("sed -i s,^Exec=.*,Exec=/usr/libexec/elogind/elogind, {ACTIVATION}"));
    let _rival = machine.spawn(&["/usr/bin/turnstiled", "1000"]);
    let diagnosis = doctor(&machine);
    diagnosis.has("bus.activation", "problem", &["The bus starts /usr/libexec/elogind/elogind"]);
    diagnosis.has("brokers.running", "problem", &["turnstiled (process "]);
}
