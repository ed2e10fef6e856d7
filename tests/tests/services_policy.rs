//! Class=, Manager= and Seat= of a PAM service, and a policy with mistakes in it.

use nix::sys::signal::Signal;
use usher_tests::{ALICE, BOB, Machine, Usherd};

const CONF: &str = "/etc/usher/usher.conf";
/// The application opens a session, shows what it was told and its record, and closes it.
const SHOW: &str = "#!/bin/sh\n[ $PAM_TYPE = close_session ] && exit\n[ -z \"$XDG_SESSION_ID\" ] && exit\n\
    echo in session of class $XDG_SESSION_CLASS\ncat /run/systemd/sessions/$XDG_SESSION_ID\n";
const LOGIN: &str = "[Login]\nUserStopDelaySec=0\n";

fn machine(services: &str) -> Machine {
    let mut builder = Machine::builder().config(&format!("{LOGIN}{services}"));
    for (service, argument) in [("job", ""), ("said", "class=greeter"), ("kiosk", ""), ("other", "")] {
        builder = builder.pam_line(service, &format!("session optional pam_usher.so {argument}"));
        builder = builder.pam_line(service, "session optional pam_exec.so stdout /etc/show.sh");
    }
    builder.file("/etc/show.sh", SHOW, 0o755, 0).boot()
}

/// Has the configuration read again, and waits until that is done.
fn reload(machine: &Machine, broker: &mut Usherd<'_>, services: &str) {
    std::fs::write(machine.file(CONF), format!("{LOGIN}{services}")).expect("usher.conf");
    let before = broker.log().matches("reading the configuration again").count();
    broker.signal(Signal::SIGHUP);
    machine.wait_for("a reload", || broker.log().matches("reading the configuration again").count() > before);
    machine.run(&["usherctl", "list-sessions"]);
}

fn class_of(machine: &Machine, session: &str) -> String {
    machine.state_of(&format!("sessions/{session}"), "CLASS")
}

#[test]
fn the_class_of_a_service_outranks_the_login() {
    let machine = machine("[Service job said]\nClass=user-light\n");
    let _usherd = machine.start_usherd();
    let mut job = machine.pam_login_by("job", "alice");
    let session = job.session();
    assert_eq!(class_of(&machine, &session), "user-light");
    assert_eq!(machine.manager(&ALICE), None);
    // Neither the environment nor the module's argument gets past it, and the login is told.
    let told = machine.run(&[
        "pamtester",
        "-E",
        "XDG_SESSION_CLASS=background",
        "said",
        "bob",
        "open_session",
        "close_session",
    ]);
    assert!(
        told.stdout.contains("in session of class user-light") && told.stdout.contains("CLASS=user-light"),
        "{told}"
    );
    job.log_out();
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

#[test]
fn none_is_no_session_at_all() {
    let machine = machine("[Service job]\nClass=none\n");
    let _usherd = machine.start_usherd();
    let mut job = machine.pam_login_by("job", "alice");
    let entered = job.entered();
    assert_eq!((entered.session, entered.runtime_dir), (None, None));
    assert!(!machine.exists("/run/systemd/users/1001") && !machine.exists("/run/user/1001"));
    job.log_out();
}

#[test]
fn reuse_takes_the_manager_that_runs_and_starts_none() {
    let machine = machine("[Service job]\nManager=reuse\nClass=user\n");
    let _usherd = machine.start_usherd();
    let mut job = machine.pam_login_by("job", "alice");
    job.entered();
    assert_eq!(machine.manager(&ALICE), None);
    let mut full = machine.pam_login("alice");
    full.entered();
    machine.wait_for("a manager", || machine.manager(&ALICE).is_some());
    full.log_out();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert!(machine.manager(&ALICE).is_some(), "it is in use");
    job.log_out();
    machine.wait_gone(&ALICE);
}

#[test]
fn none_lets_the_manager_go_but_not_the_directory() {
    let machine = machine("[Service job]\nManager=none\nClass=user\n");
    let _usherd = machine.start_usherd();
    let mut job = machine.pam_login_by("job", "alice");
    job.entered();
    let mut full = machine.pam_login("alice");
    full.entered();
    let manager = machine.wait_some("a manager", || machine.manager(&ALICE));
    full.log_out();
    machine.wait_for("the manager to go", || !machine.exists(format!("/proc/{manager}")));
    assert_eq!(machine.sessions(&ALICE).len(), 1);
    assert!(machine.exists("/run/user/1001"));
    assert_eq!(machine.manager(&ALICE), None);
    job.log_out();
    machine.wait_gone(&ALICE);
}

#[test]
fn mistakes_are_named_and_the_old_policy_stays() {
    let machine = machine("[Service job]\nClass=user-light\n");
    let mut broker = machine.start_usherd();
    reload(
        &machine,
        &mut broker,
        "[Service job]\nClass=superuser\nManager=start\nColour=red\n[Service systemd-user]\nClass=user\n",
    );
    let log = broker.log();
    for start in [
        "4: Class: 'superuser' is refused: expected a class",
        "6: Colour: no key of a [Service] section",
        "7: section [Service systemd-user] 'systemd-user' is refused",
    ] {
        assert!(log.contains(&format!("WARN {CONF}:{start}")), "no '{start}' in {log}");
    }
    assert!(log.contains("stays in force"), "{log}");
    let mut job = machine.pam_login_by("job", "alice");
    let session = job.session();
    assert_eq!(class_of(&machine, &session), "user-light");
    job.log_out();
    machine.wait_gone(&ALICE);

    reload(&machine, &mut broker, "[Service job]\nClass=background-light\n");
    let mut job = machine.pam_login_by("job", "alice");
    let session = job.session();
    assert_eq!(class_of(&machine, &session), "background-light");
    job.log_out();
    machine.wait_gone(&ALICE);
}
