//! su, sudo and runuser, inside a session and outside of any.

use usher_tests::{ALICE, BOB, Machine, ROOT, Shell};

/// Writes what a process knows of its session, a line each.
const SELF: &str =
    "echo \"$(id -un) $XDG_SESSION_ID $XDG_RUNTIME_DIR $XDG_SESSION_CLASS\"; grep ^0:: /proc/self/cgroup";

fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\n")
        // Debian's sudo has no session broker in its stack; other distributions' has.
        .pam_line("sudo", "session optional pam_usher.so")
        .pam_line("sudo-i", "session optional pam_usher.so")
        .boot()
}

/// alice in a session, and its id.
fn alice(machine: &Machine) -> (Shell<'_>, String) {
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    machine.wait_for("one session", || machine.sessions(&ALICE) == [id.as_str()]);
    (ssh, id)
}

fn nothing_new(machine: &Machine, id: &str) {
    assert_eq!(machine.sessions(&ALICE), [id]);
    for person in [&BOB, &ROOT] {
        assert!(machine.all_sessions(person).is_empty(), "{person:?}");
        assert!(!machine.exists(format!("/run/systemd/users/{}", person.uid)), "{person:?}");
        assert!(!machine.exists(person.runtime_dir()), "{person:?}");
    }
    // Nothing of anybody else's in her directory.
    assert_eq!(machine.run(&["find", "/run/user/1001", "-not", "-uid", "1001"]).text(), "");
}

#[test]
fn su_to_another_user_stays_in_the_session() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = alice(&machine);
    let scope = format!("0::{}", ALICE.scope(&id));
    // A login shell begins with an environment of its own, so that nothing of alice's leaks.
    let script = format!("echo usher | su - bob -c '{SELF}' 2>/dev/null");
    assert_eq!(ssh.ask(&script), format!("bob   \n{scope}"));
    // Without one, what the caller passes on stays as it is.
    let script = format!("echo usher | su bob -c '{SELF}' 2>/dev/null");
    assert_eq!(ssh.ask(&script), format!("bob {id} /run/user/1001 user\n{scope}"));
    nothing_new(&machine, &id);
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn root_by_su_leaves_no_trace_in_her_directory() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = alice(&machine);
    let scope = format!("0::{}", ALICE.scope(&id));
    assert_eq!(ssh.ask(&format!("echo usher | su - -c '{SELF}' 2>/dev/null")), format!("root   \n{scope}"));
    // What a root shell with her environment does in passing.
    ssh.ask("echo usher | su -c 'systemctl --user is-active basic.target; busctl --user list' > /dev/null 2>&1; true");
    nothing_new(&machine, &id);
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn sudo_opens_none_either() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = alice(&machine);
    let scope = format!("0::{}", ALICE.scope(&id));
    for sudo in ["sudo", "sudo -i"] {
        assert_eq!(ssh.ask(&format!("{sudo} bash -c '{SELF}'")), format!("root   \n{scope}"), "{sudo}");
    }
    // The usual way to somebody else, and two of them one in the other.
    assert_eq!(ssh.ask(&format!("sudo su - bob -c '{SELF}'")), format!("bob   \n{scope}"));
    assert_eq!(ssh.ask(&format!("sudo su - alice -c '{SELF}'")), format!("alice   \n{scope}"));
    nothing_new(&machine, &id);
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn the_end_of_su_ends_nothing() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = alice(&machine);
    // Its environment names the session; its PAM handle has not opened it.
    ssh.ask("sudo XDG_SESSION_ID=$XDG_SESSION_ID su alice -c true");
    ssh.ask("sudo XDG_SESSION_ID=$XDG_SESSION_ID pamtester usher-test alice open_session close_session");
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), "active");
    nothing_new(&machine, &id);
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn su_from_outside_opens_a_session() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    // On a terminal: somebody works there.
    let mut su = machine.su("alice");
    let id = su.ask("echo $XDG_SESSION_ID");
    assert_eq!(su.ask(SELF), format!("alice {id} /run/user/1001 user\n0::{}", ALICE.scope(&id)));
    let record = machine.state(&format!("sessions/{id}"));
    assert_eq!((record["TYPE"].as_str(), record["SERVICE"].as_str()), ("tty", "su-l"));
    assert_eq!(record["TTY"], su.ask("tty").trim_start_matches("/dev/"));
    su.close();
    machine.wait_gone(&ALICE);

    // Without one: a system service that runs something as a user. It has a manager all the same.
    let script = format!(
        "{SELF}; systemctl --user is-active basic.target; usherctl show-session self -P Type -P Class"
    );
    let su = machine.run(&["su", "-", "alice", "-c", &script]);
    let mut lines = su.text().lines();
    let words: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let ["alice", id, "/run/user/1001", "background"] = words[..] else { panic!("{su}") };
    assert_eq!(lines.next().unwrap(), format!("0::{}", ALICE.scope(id)));
    assert_eq!(lines.collect::<Vec<_>>(), ["active", "unspecified", "background"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn from_a_user_service_su_opens_a_session_of_its_own() {
    su_from_a_user_service(Machine::builder().config("[Login]\nUserStopDelaySec=0\n").boot());
}

/// As above, where `/` gives its mounts to other namespaces: what systemd and some other init systems make of it.
#[test]
fn from_a_user_service_where_mounts_are_shared() {
    su_from_a_user_service(Machine::builder().config("[Login]\nUserStopDelaySec=0\n").shared_mounts().boot());
}

/// The service is in its manager's mount namespace, and must see a directory that is mounted after the manager's start.
fn su_from_a_user_service(machine: Machine) {
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = alice(&machine);
    // As a terminal emulator does that runs as a service of the user manager.
    let script = format!("sudo su - bob -c \"{}\"", SELF.replace('"', "\\\"").replace('$', "\\$"));
    machine.as_user("alice", &["sh", "-c", &format!("echo '{script}' > ~/script")]);
    let answer = ssh.ask("systemd-run --user --quiet --wait --pipe sh ~/script");
    let (words, cgroup) = answer.split_once('\n').unwrap();
    let ["bob", his, "/run/user/1002", "user"] = words.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{answer}")
    };
    assert_eq!(cgroup, format!("0::{}", BOB.scope(his)));
    machine.wait_gone(&BOB);
    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);
    ssh.close();
    machine.wait_gone(&ALICE);
}

/// Its stack names no session broker.
#[test]
fn runuser_opens_none() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    for command in [["runuser", "-u", "alice", "--"], ["runuser", "-l", "alice", "-c"]] {
        let script = if command[1] == "-u" { vec!["sh", "-c", SELF] } else { vec![SELF] };
        let answer = machine.run(&[&command[..], &script].concat());
        assert_eq!(answer.text(), "alice   \n0::/init.scope");
    }
    assert!(!machine.exists("/run/systemd/users/1001"));
}
