//! Targets in users' managers that follow the seat: sound is for whoever is in front of it.

use usher_tests::load::{self, Logins};
use usher_tests::{ALICE, BOB, Machine, PamLogin, Person};

/// What only one user at a time can do.
const AUDIO: &str = "[Unit]\nPartOf=active-session.target\n\n[Service]\nExecStart=/bin/sleep infinity\n\n\
    [Install]\nWantedBy=active-session.target\n";

const ACTIVE: &str = "active-session.target";
const LOGGED_IN: &str = "logged-in.target";

/// A display manager on a seat without virtual terminals; an audio daemon for both users.
fn machine() -> Machine {
    let mut builder = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\n")
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so");
    for user in ["alice", "bob"] {
        builder = builder.user_unit(user, "audio.service", AUDIO);
    }
    let machine = builder.boot();
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    for user in ["alice", "bob"] {
        machine.as_user(user, &["systemctl", "--user", "enable", "audio.service"]);
    }
    machine
}

fn sit_down<'m>(machine: &'m Machine, user: &str) -> (PamLogin<'m>, String) {
    let mut login = machine.pam_login_by("lightdm", user);
    let session = login.session();
    assert_eq!(machine.state_of(&format!("sessions/{session}"), "SEAT"), "seat0", "{}", machine.dump());
    (login, session)
}

/// What a unit is, as its manager says.
fn unit(machine: &Machine, person: &Person, unit: &str) -> String {
    let runtime_dir = format!("XDG_RUNTIME_DIR={}", person.runtime_dir());
    let words = ["env", &runtime_dir, "systemctl", "--user", "is-active", unit];
    machine.try_as_user(person.name, &words).stdout.trim().to_owned()
}

fn wait(machine: &Machine, person: &Person, expected: &[(&str, &str)]) {
    for (name, state) in expected {
        machine.wait_for(&format!("{name} of {} to be {state}", person.name), || {
            unit(machine, person, name) == *state
        });
    }
}

const FRONT: &[(&str, &str)] = &[(ACTIVE, "active"), ("audio.service", "active"), (LOGGED_IN, "active")];
const BACK: &[(&str, &str)] = &[(ACTIVE, "inactive"), ("audio.service", "inactive"), (LOGGED_IN, "active")];
const AWAY: &[(&str, &str)] = &[(ACTIVE, "inactive"), ("audio.service", "inactive"), (LOGGED_IN, "inactive")];

#[test]
fn sound_is_for_whoever_is_in_front() {
    let machine = machine();
    let usherd = machine.start_usherd();
    let (alices, alice) = sit_down(&machine, "alice");
    wait(&machine, &ALICE, FRONT);
    let (bobs, bob) = sit_down(&machine, "bob");
    wait(&machine, &ALICE, BACK);
    wait(&machine, &BOB, FRONT);
    machine.run(&["usherctl", "activate", &alice]);
    wait(&machine, &ALICE, FRONT);
    wait(&machine, &BOB, BACK);
    // Of many switches the last one counts.
    for _ in 0..10 {
        machine.run(&["usherctl", "activate", &bob]);
        machine.run(&["usherctl", "activate", &alice]);
    }
    machine.run(&["usherctl", "activate", &bob]);
    wait(&machine, &BOB, FRONT);
    wait(&machine, &ALICE, BACK);
    // Nothing is under way any more that could change that.
    machine.wait_for("usherd to have no helpers", || {
        machine.try_run(&["pgrep", "-x", "systemctl"]).stdout.is_empty()
    });
    wait(&machine, &BOB, FRONT);
    wait(&machine, &ALICE, BACK);
    bobs.log_out();
    machine.wait_gone(&BOB);
    machine.run(&["usherctl", "activate", &alice]);
    wait(&machine, &ALICE, FRONT);
    alices.log_out();
    machine.wait_gone(&ALICE);
    assert!(!usherd.log().contains("do not follow"), "{}", usherd.log());
}

#[test]
fn who_is_only_connected_is_logged_in_and_hears_nothing() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    machine.start_sshd();
    let mut remote = machine.ssh_session("alice");
    assert_eq!(remote.ask("echo $XDG_RUNTIME_DIR").trim(), "/run/user/1001");
    wait(&machine, &ALICE, BACK);
    let (bobs, _) = sit_down(&machine, "bob");
    wait(&machine, &BOB, FRONT);
    wait(&machine, &ALICE, BACK);
    // She comes to the seat, too, and goes again; the other session stays.
    let (alices, _) = sit_down(&machine, "alice");
    wait(&machine, &ALICE, FRONT);
    wait(&machine, &BOB, BACK);
    alices.log_out();
    wait(&machine, &ALICE, BACK);
    // Whose manager stays for another reason is not logged in.
    machine.run(&["usherctl", "enable-linger", "alice"]);
    remote.close();
    wait(&machine, &ALICE, AWAY);
    drop(bobs);
}

/// A script that logs in again and again, of a user whose manager stays.
#[test]
fn who_comes_right_back_has_not_been_away() {
    const GREETING: &str = "[Unit]\nPartOf=logged-in.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
        ExecStart=/bin/sh -c 'echo >>%h/greetings'\n\n[Install]\nWantedBy=logged-in.target\n";
    let machine = Machine::builder().user_unit("alice", "greeting.service", GREETING).boot();
    machine.as_user("alice", &["systemctl", "--user", "enable", "greeting.service"]);
    let usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    machine.wait_for("alice's manager to be ready", || {
        machine.run(&["usherctl", "show-user", "alice", "-p", "Manager", "--value"]).text() == "ready"
    });
    // Long enough to be noticed, each of them: who has gone after 5 ms has not been there.
    let logins = Logins { users: "alice", count: 50, rest: 15, ..Logins::default() };
    let outcome = load::cycles(&machine, logins).expect("logins one after the other");
    assert_eq!(outcome.failures, [""; 0]);
    let states: &[(&str, &str)] = &[(LOGGED_IN, "inactive"), ("greeting.service", "inactive")];
    wait(&machine, &ALICE, states);
    let greetings = machine.read("/home/alice/greetings").lines().count();
    assert!((1..50).contains(&greetings), "greeted {greetings} times at 50 logins");
    assert!(!usherd.log().contains("do not follow"), "{}", usherd.log());
}

#[test]
fn neither_usherds_nor_the_managers_restart_changes_who_is_in_front() {
    let machine = machine();
    let mut usherd = machine.start_usherd();
    let (mut alices, alice) = sit_down(&machine, "alice");
    let (mut bobs, _) = sit_down(&machine, "bob");
    wait(&machine, &BOB, FRONT);
    wait(&machine, &ALICE, BACK);
    // What usherd has told a manager, and what it has not, is set right by the next one.
    usherd.kill9();
    let as_alice = |words: &[&str]| {
        let runtime_dir = format!("XDG_RUNTIME_DIR={}", ALICE.runtime_dir());
        machine.as_user("alice", &[&["env", &runtime_dir, "systemctl", "--user"], words].concat());
    };
    as_alice(&["start", ACTIVE]);
    as_alice(&["stop", LOGGED_IN]);
    wait(&machine, &ALICE, &[(ACTIVE, "active"), (LOGGED_IN, "inactive")]);
    usherd.start();
    wait(&machine, &ALICE, BACK);
    wait(&machine, &BOB, FRONT);
    // A manager that has died.
    let manager = machine.manager(&BOB).expect("bob's manager");
    machine.run(&["kill", "-9", &manager.to_string()]);
    machine.wait_for("bob's next manager", || machine.manager(&BOB).is_some_and(|next| next != manager));
    wait(&machine, &BOB, FRONT);
    // What has changed while no manager was ready.
    let manager = machine.manager(&ALICE).expect("alice's manager");
    machine.run(&["kill", "-9", &manager.to_string()]);
    machine.run(&["usherctl", "activate", &alice]);
    wait(&machine, &ALICE, FRONT);
    wait(&machine, &BOB, BACK);
    // Somebody who logs out while there is no usherd.
    usherd.kill9();
    alices.kill9();
    usherd.start();
    machine.wait_gone(&ALICE);
    wait(&machine, &BOB, BACK);
    assert!(bobs.lives());
}

#[test]
fn where_the_targets_are_masked_or_missing_nothing_is_said() {
    let machine = machine();
    machine.sh("ln -s /dev/null /etc/systemd/user/active-session.target
        rm /usr/lib/systemd/user/logged-in.target");
    let usherd = machine.start_usherd();
    let (_alices, _) = sit_down(&machine, "alice");
    wait(&machine, &ALICE, &[(ACTIVE, "inactive"), (LOGGED_IN, "inactive")]);
    machine.sh("rm /etc/systemd/user/active-session.target");
    // They count as soon as they are there.
    let (bobs, _) = sit_down(&machine, "bob");
    wait(&machine, &BOB, &[(ACTIVE, "active")]);
    drop(bobs);
    assert!(!usherd.log().contains("do not follow"), "{}", usherd.log());
}
