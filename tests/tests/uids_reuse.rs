//! A number that is somebody else's by now, an account that goes while its user is here, and a user with two names.

mod names_common;

use std::time::{Duration, Instant};

use names_common::*;
use usher_tests::{ALICE, Machine, Shell};

/// Gives alice's number to carl, or takes alice's account away; both by the files, as useradd(8) does it.
const CARL: &str = "carl:*:1001:1001::/home/carl:/bin/bash";

fn machine(config: &str) -> Machine {
    Machine::builder().config(config).boot()
}

fn delete_alice(machine: &Machine) {
    machine.sh("sed -i /^alice:/d /etc/passwd /etc/shadow");
}

fn make_carl(machine: &Machine) {
    machine.sh(&format!("echo '{CARL}' >> /etc/passwd; mkdir /home/carl; chown +1001:+1001 /home/carl"));
}

fn shown(machine: &Machine) -> String {
    let words = ["usherctl", "show-user", "1001", "-P", "Name", "-P", "Linger"];
    machine.run(&words).text().replace('\n', " ")
}

/// Waits until nothing is left of 1001, whose name may be unknown.
fn wait_gone(machine: &Machine) {
    machine.wait_for("1001 to be gone", || {
        !machine.exists("/run/systemd/users/1001")
            && !machine.exists("/run/user/1001")
            && machine.cgroup_procs(&ALICE.slice()).is_none()
    });
}

fn carl_logs_in(machine: &Machine) -> Shell<'_> {
    let mut login = machine.su("carl");
    assert_eq!(login.ask("id -un; echo $XDG_RUNTIME_DIR"), "carl\n/run/user/1001");
    login
}

fn shows_carl(machine: &Machine, linger: &str) {
    machine.wait_for("carl and nobody else", || shown(machine) == format!("carl {linger}"));
    assert_eq!(machine.state_of("users/1001", "NAME"), "carl");
    let rows = machine.run(&["usherctl", "list-users"]).stdout;
    assert!(rows.contains("1001 carl") && !rows.contains("alice"), "{rows}");
    assert!(machine.run(&["usherctl", "user-status", "1001"]).stdout.starts_with("carl (1001)\n"));
}

#[test]
fn a_deleted_users_processes_do_not_give_their_name_to_the_next_user() {
    let machine = machine("[Login]\nUserStopDelaySec=0\nManager=none\n");
    let mut usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("nohup setsid sleep 1000 > /dev/null 2>&1 &");
    let left = machine.sessions(&ALICE).pop().unwrap();
    ssh.close();
    machine.wait_for("what she left behind", || {
        machine.state_of(&format!("sessions/{left}"), "STATE") == "closing"
    });
    delete_alice(&machine);
    make_carl(&machine);
    let login = carl_logs_in(&machine);
    shows_carl(&machine, "no");
    let new = machine.sessions(&ALICE).pop().unwrap();
    assert_eq!(machine.state_of(&format!("sessions/{new}"), "USER"), "carl");
    usherd.restart();
    shows_carl(&machine, "no");
    login.close();
    machine.run(&["usherctl", "terminate-user", "carl"]);
    wait_gone(&machine);
}

#[test]
fn nor_does_a_deleted_users_linger_flag_keep_the_next_user() {
    let machine = machine("[Login]\nUserStopDelaySec=0\nManager=none\n");
    let mut usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    delete_alice(&machine);
    make_carl(&machine);
    let login = carl_logs_in(&machine);
    shows_carl(&machine, "no");
    login.close();
    wait_gone(&machine);
    assert_eq!(flagged(&machine), ["alice"], "it is there for the administrator to remove");
    usherd.restart();
    machine.wait_for("the flag's user to be looked up", || usherd.log().contains("user alice lingers but"));
    assert!(!machine.exists("/run/systemd/users/1001"));
    // Whoever sets a flag for the number sets it for its user of today.
    machine.run(&["usherctl", "enable-linger", "1001"]);
    shows_carl(&machine, "yes");
    assert_eq!(flagged(&machine), ["alice", "carl"]);
    machine.run(&["usherctl", "disable-linger", "carl"]);
    wait_gone(&machine);
}

/// The manager is a light one: the real one asks the name service itself.
#[test]
fn an_account_that_is_deleted_while_its_user_is_logged_in() {
    for ending in ["logout", "terminate-session", "terminate-user", "kill-user"] {
        let machine = with_late_names(LIGHT, "answer", "");
        let mut usherd = machine.start_usherd();
        let mut login = machine.ssh_session("alice");
        let id = login.ask("echo $XDG_SESSION_ID");
        machine.run(&["usherctl", "enable-linger", "alice"]);
        delete_alice(&machine);
        // If usherd asked for her now, it would wait for ever.
        set_mode(&machine, USHERD_HANGS);
        usherd.restart();
        assert_eq!(shown(&machine), "alice yes");
        assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), "active");
        let start = Instant::now();
        machine.run(&["usherctl", "disable-linger", "1001"]);
        assert_eq!((shown(&machine), flagged(&machine)), ("alice no".to_owned(), vec![]));
        match ending {
            "logout" => login.close(),
            "kill-user" => drop(machine.run(&["usherctl", "kill-user", "-s", "KILL", "1001"])),
            "terminate-session" => drop(machine.run(&["usherctl", ending, &id])),
            _ => drop(machine.run(&["usherctl", ending, "1001"])),
        }
        wait_gone(&machine);
        assert!(start.elapsed() < Duration::from_secs(8), "{ending} took {:?}", start.elapsed());
        assert!(machine.all_sessions(&ALICE).is_empty());
        assert_eq!(helpers(&machine), 0);
    }
}

#[test]
fn two_names_for_one_number_are_one_user() {
    let machine = machine("[Login]\nUserStopDelaySec=0\nManager=none\n");
    machine.sh("echo 'ally:*:1001:1001::/home/alice:/bin/bash' >> /etc/passwd");
    let mut usherd = machine.start_usherd();
    let by_one = machine.su("alice");
    assert_eq!(shown(&machine), "alice no");
    let by_other = machine.su("ally");
    assert_eq!(shown(&machine), "ally no", "the newest login's name");
    assert_eq!(machine.sessions(&ALICE).len(), 2);
    let rows = machine.run(&["usherctl", "list-users"]).stdout;
    assert!(rows.ends_with("\n\n1 users listed.\n") || rows.contains("1 user"), "{rows}");
    by_one.close();
    by_other.close();
    wait_gone(&machine);

    // The flag of either keeps the user, whichever name the login had.
    for (flag, login) in [("alice", "ally"), ("ally", "alice")] {
        assert_eq!(usherd.stop(), 0);
        flags(&machine, &[flag]);
        usherd.start();
        machine.wait_for("the user to linger", || machine.state_of("users/1001", "STATE") == "lingering");
        let shell = machine.su(login);
        assert_eq!(shown(&machine), format!("{login} yes"));
        usherd.restart();
        shell.close();
        machine.wait_for("the user to linger", || machine.state_of("users/1001", "STATE") == "lingering");
        // And by either name the user ceases to.
        machine.run(&["usherctl", "disable-linger", login]);
        assert_eq!(flagged(&machine), Vec::<String>::new());
        wait_gone(&machine);
    }
    flags(&machine, &["alice", "ally"]);
    usherd.restart();
    machine.wait_for("the user to linger", || machine.state_of("users/1001", "STATE") == "lingering");
    machine.wait_for("both flags to be known", || helpers(&machine) == 0);
    machine.run(&["usherctl", "disable-linger", "1001"]);
    assert_eq!(flagged(&machine), Vec::<String>::new());
    wait_gone(&machine);
}
