//! Settings that make no sense, settings that change, and machines on which usherd must not start.

mod faults_common;

use std::time::Duration;

use faults_common::*;
use nix::sys::signal::Signal;
use usher_tests::{Machine, Usherd};

const CONF: &str = "/etc/usher/usher.conf";

fn write(machine: &Machine, text: &str) {
    std::fs::write(machine.file(CONF), text).expect("usher.conf");
}

/// Has the configuration read again, and waits until that is done.
fn reload(machine: &Machine, broker: &mut Usherd<'_>) {
    let before = broker.log().matches("reading the configuration again").count();
    broker.signal(Signal::SIGHUP);
    machine.wait_for("a reload", || broker.log().matches("reading the configuration again").count() > before);
    machine.run(&["usherctl", "list-sessions"]);
}

/// A property of the broker itself.
fn property(machine: &Machine, name: &str) -> String {
    machine.run(&["usherctl", "show-session", "-p", name, "--value"]).text().to_owned()
}

#[test]
fn nonsense_is_reported_line_by_line_and_the_defaults_hold() {
    let text = "UserStopDelaySec=5\n[Login]\nUserStopDelaySec=soon\nKillUserProcesses=perhaps\nNoSuchKey=1\nthis is no line\n\
                SessionsMax=-1\nManager=relative/path\nManagerReadyWaitSec=infinity\n[Nonsense]\nKillUserProcesses=yes\n\u{1b}[31m\n";
    let machine = machine(text);
    let broker = machine.start_usherd();
    let log = broker.log();
    for start in [
        "1: UserStopDelaySec:",
        "3: UserStopDelaySec: 'soon' is refused",
        "4: KillUserProcesses: 'perhaps' is refused",
        "5: NoSuchKey: unknown key",
        "6: neither",
        "7: SessionsMax: '-1' is refused",
        "8: Manager: 'relative/path' is refused",
        "9: ManagerReadyWaitSec: 'infinity' is refused",
        "10: section [Nonsense] is unknown",
        "12: neither",
    ] {
        assert!(
            log.lines().any(|line| line.contains(&format!("WARN {CONF}:{start}"))),
            "no '{start}' in {log}"
        );
    }
    assert!(!log.contains('\u{1b}'), "{log}");
    assert_eq!(property(&machine, "UserStopDelayUSec"), "10s");
    assert_eq!(property(&machine, "KillUserProcesses"), "no");
    assert_eq!(property(&machine, "SessionsMax"), "8192");
    let login = Login::of(&machine, "alice");
    machine.wait_for("the default manager", || ready_manager(&machine).is_some());
    login.log_out();
}

#[test]
fn a_file_that_cannot_be_read() {
    let machine = Machine::boot();
    for make in [
        "mkdir /etc/usher/usher.conf",
        "ln -s /etc/usher/usher.conf /etc/usher/usher.conf",
        "head -c 100000 /dev/urandom > /etc/usher/usher.conf",
        "tr '\\0' '[' < /dev/zero | head -c 1000000 > /etc/usher/usher.conf",
        "mkdir -p /etc/usher/usher.conf.d/x.conf",
    ] {
        machine.sh(&format!("rm -rf /etc/usher; mkdir /etc/usher; {make}"));
        let mut broker = machine.start_usherd();
        assert!(broker.log().contains("WARN /etc/usher/usher.conf"), "{make}: {}", broker.log());
        assert!(broker.log().len() < 2_000_000 && property(&machine, "UserStopDelayUSec") == "10s", "{make}");
        assert_eq!(broker.stop(), 0);
    }
}

#[test]
fn a_reload_changes_the_stop_delay_of_those_who_are_in_it() {
    let machine = machine("[Login]\nUserStopDelaySec=infinity\nManager=none\n");
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    login.log_out();
    machine.wait_for("the logout", || sessions(&machine).is_empty());
    assert!(machine.exists(user_file(ALICE)) && machine.mounted(RUNTIME).is_some());

    // What cannot be understood changes nothing.
    write(&machine, "[Login]\nUserStopDelaySec=infinity\nKillUserProcesses=nonsense\n");
    reload(&machine, &mut broker);
    assert!(
        broker.log().contains("WARN /etc/usher/usher.conf:3: KillUserProcesses: 'nonsense' is refused"),
        "{}",
        broker.log()
    );
    assert!(machine.exists(user_file(ALICE)));

    write(&machine, "[Login]\nUserStopDelaySec=100ms\nManager=none\n");
    reload(&machine, &mut broker);
    wait_nothing_left(&machine);
    assert_eq!(property(&machine, "UserStopDelayUSec"), "100ms");

    let bob = Login::of(&machine, "bob");
    bob.log_out();
    machine.wait_within(Duration::from_secs(5), "the new delay to be over", || left(&machine).is_empty());
}

#[test]
fn a_second_usherd_refuses_and_the_first_goes_on() {
    let machine = machine(QUICK);
    let mut first = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    for _ in 0..2 {
        let second = machine.try_run(&["/usr/sbin/usherd"]);
        assert_eq!(second.code, 1, "{second}");
        assert!(second.stderr.contains("another usherd is running"), "{second}");
    }
    assert!(first.is_running());
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
    login.log_out();
    wait_nothing_left(&machine);
    // A hanging one is one, too.
    first.sigstop();
    assert_eq!(machine.try_run(&["/usr/sbin/usherd"]).code, 1);
    first.sigcont();
    first.restart();
}

#[test]
fn only_root_runs_it() {
    let machine = machine(QUICK);
    let output = machine.try_as_user("alice", &["/usr/sbin/usherd"]);
    assert!(output.code == 1 && output.stderr.contains("must run as root"), "{output}");
    assert!(!machine.exists("/run/usher"));
}

#[test]
fn beside_another_broker_it_refuses() {
    let machine = machine(QUICK);
    for (name, advice) in [("systemd-logind", "systemctl enable usherd"), ("elogind", "disable its service")]
    {
        let program = format!("/tmp/{name}");
        machine.run(&["cp", "/bin/sleep", &program]);
        machine.run(&["chmod", "755", &program]);
        let mut rival = machine.spawn(&[&program, "1000"]);
        let comm = format!("/proc/{}/comm", rival.pid());
        machine.wait_for("the rival", || machine.read(&comm).trim() == name);
        let output = machine.try_run(&["/usr/sbin/usherd"]);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains(&format!("{name} (process {})", rival.pid())), "{output}");
        assert!(output.stderr.contains(advice), "{output}");
        assert!(!machine.exists("/run/systemd/sessions"), "it has touched the other one's files");
        rival.kill9();
        // Anybody may call a program of his so; that is no broker.
        let _joker = machine.spawn_as("alice", &[&program, "1000"]);
        // And a container's broker has the container's sessions.
        let mut contained = machine.spawn(&["unshare", "--pid", "--fork", "--kill-child", &program, "1000"]);
        machine.wait_for("the container's", || machine.try_run(&["pgrep", "-c", "-x", name]).text() == "2");
        let mut broker = machine.start_usherd();
        assert_eq!(broker.stop(), 0);
        contained.kill9();
        machine.sh("rm -r /run/systemd");
    }
}
