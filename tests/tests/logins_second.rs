//! The second login of a user, and the last logout: one manager and one runtime directory for all of them.

use usher_tests::{ALICE, Machine, Usherd};

fn machine(delay: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec={delay}\n")).boot()
}

fn mount_id(machine: &Machine) -> String {
    machine.run(&["findmnt", "-no", "ID", "/run/user/1001"]).text().to_owned()
}

fn user_state(machine: &Machine) -> (String, String) {
    (machine.state_of("users/1001", "STATE"), machine.state_of("users/1001", "STOPPING"))
}

fn is(state: &str, stopping: &str) -> (String, String) {
    (state.to_owned(), stopping.to_owned())
}

/// Logs alice in, out, and waits until only the stop delay keeps her.
fn wait_for_grace(machine: &Machine) {
    machine.ssh("alice", "true");
    machine.wait_for("the session to be gone", || machine.sessions(&ALICE).is_empty());
    machine.wait_for("the user to be closing", || user_state(machine) == is("closing", "no"));
}

#[test]
fn both_sessions_share_manager_and_directory() {
    let machine = machine("0");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let first = ssh.ask("echo $XDG_SESSION_ID");
    let (manager, mount) = (machine.manager(&ALICE).unwrap(), mount_id(&machine));
    ssh.ask("echo kept > $XDG_RUNTIME_DIR/file");

    let mut login = machine.login("alice");
    let second = login.ask("echo $XDG_SESSION_ID");
    assert_ne!(first, second);
    assert_eq!(machine.sessions(&ALICE), [first.as_str(), second.as_str()]);
    assert_eq!(login.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", ALICE.scope(&second)));
    assert_eq!(
        login.ask("cat $XDG_RUNTIME_DIR/file; systemctl --user is-active basic.target"),
        "kept\nactive"
    );
    let record = machine.state(&format!("sessions/{second}"));
    assert_eq!((record["SERVICE"].as_str(), record["REMOTE"].as_str()), ("login", "0"));
    assert_eq!(record["TTY"], login.ask("tty").trim_start_matches("/dev/"));
    assert_eq!(record.get("SEAT"), None, "a pseudo-terminal is on no seat");

    // The one that stood for her goes: the other one does now, and nothing else changes.
    assert_eq!(machine.state_of("users/1001", "DISPLAY"), first);
    ssh.close();
    machine.wait_for("the first session to be gone", || machine.sessions(&ALICE) == [second.as_str()]);
    machine.wait_for("the user's file", || machine.state_of("users/1001", "DISPLAY") == second);
    assert_eq!(user_state(&machine), is("active", "no"));
    assert_eq!((machine.manager(&ALICE), mount_id(&machine)), (Some(manager), mount));
    assert_eq!(
        login.ask("cat $XDG_RUNTIME_DIR/file; systemctl --user is-active basic.target"),
        "kept\nactive"
    );
    login.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn after_the_last_logout_the_stop_delay_keeps_everything() {
    let machine = machine("1s");
    let _usherd = machine.start_usherd();
    let ssh = machine.ssh_session("alice");
    let (manager, mount) = (machine.manager(&ALICE), mount_id(&machine));
    ssh.close();
    machine.wait_for("the user to be closing", || user_state(&machine) == is("closing", "no"));
    assert_eq!((machine.manager(&ALICE), mount_id(&machine)), (manager, mount));
    machine.wait_for("the stop to begin or be over", || user_state(&machine) != is("closing", "no"));
    machine.wait_gone(&ALICE);
}

#[test]
fn a_login_within_the_stop_delay_finds_everything_as_it_was() {
    let machine = machine("infinity");
    let _usherd = machine.start_usherd();
    wait_for_grace(&machine);
    let (manager, mount) = (machine.manager(&ALICE), mount_id(&machine));
    assert!(manager.is_some());
    let login = machine.login("alice");
    assert_eq!(user_state(&machine), is("active", "no"));
    assert_eq!((machine.manager(&ALICE), mount_id(&machine)), (manager, mount));
    login.close();
    machine.wait_for("the user to be closing again", || user_state(&machine) == is("closing", "no"));
    machine.run(&["usherctl", "terminate-user", "alice"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_changed_stop_delay_holds_at_once() {
    let machine = machine("infinity");
    let mut usherd = machine.start_usherd();
    wait_for_grace(&machine);
    machine.sh("printf '[Login]\nUserStopDelaySec=0\n' > /etc/usher/usher.conf");
    usherd.signal(nix::sys::signal::Signal::SIGHUP);
    machine.wait_gone(&ALICE);
}

#[test]
fn the_stop_delay_goes_on_after_a_restart() {
    let machine = machine("1s");
    let mut usherd = machine.start_usherd();
    wait_for_grace(&machine);
    usherd.kill9();
    assert!(machine.manager(&ALICE).is_some());
    usherd.start();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_login_while_the_last_one_is_torn_down_gets_everything_anew() {
    let machine = machine("0");
    let _usherd = machine.start_usherd();
    // Whatever the teardown of the last one is doing by then, the login is whole.
    for round in 0..4 {
        machine.ssh("alice", "true");
        let script = "test -O $XDG_RUNTIME_DIR/systemd/private && systemctl --user is-active basic.target && \
                      echo x > $XDG_RUNTIME_DIR/x && findmnt -no FSTYPE $XDG_RUNTIME_DIR";
        let answer = machine.ssh("alice", script);
        assert_eq!(answer.text(), "active\ntmpfs", "round {round}");
    }
    machine.wait_gone(&ALICE);
}

#[test]
fn shared_memory_and_queues_go_with_the_user() {
    let machine = machine("0");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("ipcmk --shmem 4096 --queue --semaphore 2 && touch /dev/shm/hers /dev/mqueue/hers");
    assert!(machine.exists("/dev/mqueue/hers"));
    machine.sh("ipcmk --shmem 4096; echo x > /dev/shm/roots");
    assert!(machine.run(&["ipcs"]).stdout.contains("alice"));
    ssh.close();
    machine.wait_gone(&ALICE);
    let left = machine.run(&["ipcs"]);
    assert!(!left.stdout.contains("alice") && left.stdout.contains("root"), "{left}");
    assert_eq!(machine.run(&["ls", "/dev/shm", "/dev/mqueue"]).text(), "/dev/mqueue:\n\n/dev/shm:\nroots");
}

#[test]
fn usherd_has_forgotten_everything_about_them() {
    let machine = machine("0");
    let usherd = machine.start_usherd();
    let descriptors = |usherd: &Usherd<'_>| {
        machine.run(&["ls", &format!("/proc/{}/fd", usherd.pid())]).text().lines().count()
    };
    machine.ssh("alice", "true");
    machine.wait_gone(&ALICE);
    let before = descriptors(&usherd);
    machine.ssh("alice", "true");
    machine.login("alice").close();
    machine.wait_gone(&ALICE);
    machine.wait_for("its descriptors to be closed", || descriptors(&usherd) == before);
    assert_eq!(machine.run(&["usherctl", "list-users", "--no-legend"]).text(), "");
    assert_eq!(machine.run(&["usherctl", "list-sessions", "--no-legend"]).text(), "");
    for directory in ["/run/systemd/sessions", "/run/systemd/users", "/run/usher/notify", "/run/user"] {
        assert_eq!(machine.run(&["ls", "-A", directory]).text(), "", "{directory}");
    }
    assert_eq!(machine.cgroup_children("/user.slice"), Vec::<String>::new());
}
