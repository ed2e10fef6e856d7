//! Linger: a user manager without a login, from the flag on, over restarts and logouts.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use usher_tests::{ALICE, BOB, Machine, Person};

fn machine() -> Machine {
    Machine::builder().config("[Login]\nUserStopDelaySec=0\n").boot()
}

fn flag(person: &Person) -> String {
    format!("/var/lib/systemd/linger/{}", person.name)
}

fn wait_lingering(machine: &Machine, person: &Person) -> i32 {
    let file = format!("users/{}", person.uid);
    machine.wait_for("the user to linger", || machine.state_of(&file, "STATE") == "lingering");
    machine.wait_for("the manager to be ready", || machine.state_of(&file, "USHER_MANAGER_READY") == "1");
    machine.manager(person).expect("a manager that is ready")
}

fn show(machine: &Machine, person: &Person, property: &str) -> String {
    machine.run(&["usherctl", "show-user", person.name, "-P", property]).text().to_owned()
}

#[test]
fn a_user_may_linger_of_her_own_accord() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["usherctl", "enable-linger"]);
    let file = fs::metadata(machine.file(flag(&ALICE))).unwrap();
    assert_eq!((file.uid(), file.permissions().mode() & 0o7777, file.len()), (0, 0o644, 0));
    let manager = wait_lingering(&machine, &ALICE);
    assert!(machine.mounted("/run/user/1001").is_some());
    assert!(machine.sessions(&ALICE).is_empty());
    assert_eq!(show(&machine, &ALICE, "Linger"), "yes");
    assert_eq!(show(&machine, &ALICE, "ManagerPID"), manager.to_string());
    let rows = machine.run(&["usherctl", "list-users"]);
    assert!(rows.stdout.contains("1001 alice yes    lingering\n"), "{rows}");
    let bus = ["XDG_RUNTIME_DIR=/run/user/1001", "systemctl", "--user", "is-active", "basic.target"];
    assert_eq!(machine.as_user("alice", &[&["env"][..], &bus].concat()).text(), "active");

    // A second time, and off again, also a second time.
    machine.as_user("alice", &["usherctl", "enable-linger", "alice"]);
    assert_eq!(machine.manager(&ALICE), Some(manager));
    machine.as_user("alice", &["usherctl", "disable-linger"]);
    assert!(!machine.exists(flag(&ALICE)));
    machine.wait_gone(&ALICE);
    machine.as_user("alice", &["usherctl", "disable-linger"]);
}

#[test]
fn root_decides_for_others_and_others_do_not() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "bob", "1001"]);
    wait_lingering(&machine, &BOB);
    wait_lingering(&machine, &ALICE);
    for verb in ["enable-linger", "disable-linger"] {
        let refused = machine.try_as_user("alice", &["usherctl", verb, "bob"]);
        assert_eq!(refused.code, 1, "{refused}");
        let doing = verb.replace("-", " ");
        assert!(refused.stderr.contains(&format!("Could not {doing}: ")), "{refused}");
        assert!(refused.stderr.contains("Only root and the user with uid 1002"), "{refused}");
    }
    assert!(machine.exists(flag(&BOB)));
    machine.run(&["usherctl", "disable-linger", "bob"]);
    machine.wait_gone(&BOB);
    let unknown = machine.try_run(&["usherctl", "enable-linger", "mallory"]);
    assert_eq!(unknown.code, 1, "{unknown}");
    assert_eq!(machine.run(&["ls", "/var/lib/systemd/linger"]).text(), "alice");
}

#[test]
fn flags_are_applied_at_start_and_kept_over_a_restart() {
    let machine = machine();
    machine.sh(
        "mkdir -p /var/lib/systemd/linger; cd /var/lib/systemd/linger; touch alice mallory .hidden 'no name'",
    );
    let mut usherd = machine.start_usherd();
    let manager = wait_lingering(&machine, &ALICE);
    usherd.restart();
    assert_eq!(wait_lingering(&machine, &ALICE), manager);
    // What was changed while nobody looked counts from the next start on.
    assert_eq!(usherd.stop(), 0);
    assert!(machine.manager(&ALICE).is_some());
    machine.sh("cd /var/lib/systemd/linger; rm alice; touch bob");
    usherd.start();
    wait_lingering(&machine, &BOB);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_logout_leaves_a_lingering_user_as_she_is() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let manager = wait_lingering(&machine, &ALICE);
    let mut ssh = machine.ssh_session("alice");
    assert_eq!(machine.state_of("users/1001", "STATE"), "active");
    ssh.ask("echo kept > $XDG_RUNTIME_DIR/file; systemd-run --user --quiet --unit=stays sleep 1000");
    ssh.close();
    assert_eq!(wait_lingering(&machine, &ALICE), manager);
    assert_eq!(machine.read("/run/user/1001/file"), "kept\n");
    let unit = format!("{}/app.slice/stays.service", ALICE.service());
    assert_eq!(machine.cgroup_procs(&unit).map(|pids| pids.len()), Some(1));

    // Off during a session: nothing changes until the logout.
    let login = machine.login("alice");
    machine.run(&["usherctl", "disable-linger", "alice"]);
    assert_eq!(machine.state_of("users/1001", "STATE"), "active");
    assert_eq!(machine.manager(&ALICE), Some(manager));
    login.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn linger_enabled_in_a_session_outlives_it() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("usherctl enable-linger");
    let manager = machine.manager(&ALICE).unwrap();
    ssh.close();
    assert_eq!(wait_lingering(&machine, &ALICE), manager);
    machine.run(&["usherctl", "disable-linger", "alice"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_terminated_user_lingers_again_after_the_next_login() {
    let machine = machine();
    let mut usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let manager = wait_lingering(&machine, &ALICE);
    machine.run(&["usherctl", "terminate-user", "alice"]);
    machine.wait_gone(&ALICE);
    assert!(machine.exists(flag(&ALICE)));
    machine.ssh("alice", "true");
    let next = wait_lingering(&machine, &ALICE);
    assert_ne!(next, manager);
    // Or after the next start of the machine, or of usherd.
    machine.run(&["usherctl", "terminate-user", "alice"]);
    machine.wait_gone(&ALICE);
    usherd.restart();
    wait_lingering(&machine, &ALICE);
}
