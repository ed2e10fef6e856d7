//! RuntimeDirectory=: what a runtime directory is made as.

mod faults_common;

use faults_common::*;
use nix::sys::signal::Signal;

const ASK: &str = "echo ${XDG_SESSION_ID-none} ${XDG_RUNTIME_DIR-none}; exec sleep 1000";

fn config(form: &str) -> String {
    format!("{QUICK}RuntimeDirectory={form}\n")
}

/// Changed while people are logged in: what they have stays as it is, and goes as it came.
#[test]
fn a_plain_directory_where_it_is_wanted() {
    let machine = machine(&config("auto"));
    let mut broker = machine.start_usherd();
    let bob = Login::running(&machine, "bob", ASK);
    std::fs::write(machine.file("/etc/usher/usher.conf"), config("directory")).expect("usher.conf");
    broker.signal(Signal::SIGHUP);
    machine.wait_for("a reload", || broker.log().contains("reading the configuration again"));
    machine.run(&["usherctl", "list-sessions"]);

    let alice = Login::running(&machine, "alice", ASK);
    machine.wait_for("its environment", || alice.su.log().contains(RUNTIME));
    assert!(machine.mounted(RUNTIME).is_none() && machine.mounted("/run/user/1002").is_some());
    assert_eq!(machine.run(&["stat", "-c", "%u %g %a %F", RUNTIME]).text(), "1001 1001 700 directory");
    machine.as_user("alice", &["touch", &format!("{RUNTIME}/mine")]);
    assert!(!broker.log().contains("not permitted here"), "it is as it was wanted: {}", broker.log());
    broker.kill9();
    broker.start();
    for login in [alice, bob] {
        login.log_out();
    }
    wait_nothing_left(&machine);
}

#[test]
fn a_tmpfs_or_nothing() {
    let machine = machine(&config("tmpfs"));
    let broker = start_usherd_by(&machine, &["setpriv", "--bounding-set=-sys_admin"]);
    let login = Login::running(&machine, "alice", ASK);
    machine.wait_for("its environment", || login.su.log().contains(&format!("{} none", login.session)));
    let lines = module_lines(&machine);
    assert!(
        lines.len() == 1 && lines[0].contains("RuntimeDirectory=tmpfs permits no plain directory"),
        "{lines:?}"
    );
    assert!(broker.log().contains("give usherd CAP_SYS_ADMIN, or set it to auto"), "{}", broker.log());
    assert!(!machine.exists(RUNTIME));
    login.log_out();
    wait_nothing_left(&machine);
}
