//! usherctl says what systemd's own loginctl says, which asks the same usherd over the bus. Tables, status and what loginctl
//! says of an unknown session or seat are left out: they are different in every few versions of it. So is what begins at
//! a caller in nobody's slice: over usherd's socket the caller's own user counts then.

mod seats_common;

use seats_common::{login, machine, terminal, wait_session};
use usher_tests::{ALICE, BOB, Background, Machine, Person, ROOT};

/// The same usherd on the bus, for a loginctl that asks; nothing where there is none.
fn start_bus(machine: &Machine) -> Option<Background<'_>> {
    if !machine.exists("/usr/bin/loginctl") {
        eprintln!("not tested: this computer has no loginctl (package systemd)");
        return None;
    }
    let bus = machine.start_dbus();
    // Without this it does not even try: sd_booted(3).
    machine.sh("mkdir -p /run/systemd/system");
    machine.wait_for("the name's owner", || machine.try_run(&["loginctl", "list-seats"]).ok());
    Some(bus)
}

/// Runs the same line of words with both.
fn compare(machine: &Machine, caller: &Person, lines: &str) {
    for line in lines.lines() {
        let run = |program: &str| {
            let words: Vec<&str> = std::iter::once(program).chain(line.split_whitespace()).collect();
            let output = machine.try_as_user(caller.name, &words);
            (output.code, output.stdout, output.stderr)
        };
        let (theirs, ours) = (run("loginctl"), run("usherctl"));
        assert_eq!(ours, theirs, "{line} by {}", caller.name);
        assert!(!(ours.1.is_empty() && ours.2.is_empty()) || ours.0 == 0, "{line} says nothing");
    }
}

#[test]
fn properties_of_a_remote_session() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let Some(_bus) = start_bus(&machine) else { return };
    let mut ssh = machine.ssh_session("bob");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    let lines = format!(
        "show-session {id}
            show-session {id} --all
            show-session {id} --value
            show-session {id} {id} -p State -p Id -p Seat
            show-session {id} -P RemoteHost
            show-user bob
            show-user 1002 --all
            show-user bob bob -P Sessions"
    );
    for caller in [&ALICE, &BOB, &ROOT] {
        compare(&machine, caller, &lines);
    }
}

#[test]
fn properties_of_a_seat_and_of_who_sits_there() {
    let Some(_tty) = terminal(5) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let Some(_bus) = start_bus(&machine) else { return };
    let empty = "list-seats
        list-seats --no-legend
        show-seat seat0
        show-seat seat0 --all
        show-seat seat0 -P Sessions";
    compare(&machine, &BOB, empty);
    compare(&machine, &ROOT, empty);
    let _login = login(&machine, "alice", 5);
    let id = wait_session(&machine, &ALICE);
    for atime in ["now", "@1700000000"] {
        machine.run(&["touch", "-a", "-d", atime, "/dev/tty5"]);
        let lines = format!(
            "show-seat seat0
                show-seat seat0 seat0 --all
                show-seat seat0 --value -p Sessions -p ActiveSession
                show-session {id}
                show-session {id} --all
                show-session {id} -P Seat -P VTNr
                show-user alice
                show-user alice --all"
        );
        for caller in [&ALICE, &BOB, &ROOT] {
            compare(&machine, caller, &lines);
        }
    }
}

#[test]
fn what_is_refused() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let Some(_bus) = start_bus(&machine) else { return };
    let mut ssh = machine.ssh_session("bob");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    compare(
        &machine,
        &ROOT,
        &format!(
            "show-user root
            show-user nosuch
            user-status root
            activate {id}
            activate nope
            activate {id} {id}
            lock-session nope
            lock-session {id} nope
            unlock-session nope
            lock-sessions
            unlock-sessions
            lock-sessions {id}
            kill-session nope
            kill-session
            kill-session {id} -s 0
            kill-session {id} -s 99
            kill-session {id} -s CONT
            kill-user root
            kill-user nosuch
            terminate-session nope
            terminate-session
            terminate-user root
            terminate-seat
            terminate-seat seat9
            enable-linger nosuch
            enable-linger bob
            disable-linger bob
            list-users x"
        ),
    );
    compare(
        &machine,
        &BOB,
        &format!(
            "show-user root
            show-user nosuch
            lock-session {id} {id}
            unlock-session {id}
            lock-session nope
            kill-session nope
            kill-session {id} -s CONT
            terminate-session nope
            disable-linger bob"
        ),
    );
}
