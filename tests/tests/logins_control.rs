//! Ending and signalling sessions and users, and who may.

use usher_tests::{ALICE, BOB, DEADLINE, Machine, Person, ROOT};

fn machine() -> Machine {
    Machine::builder().config("[Login]\nUserStopDelaySec=0\nSessionStopTimeoutSec=1s\n").boot()
}

/// Writes the name of the first signal of three that all others ignore.
const LISTENER: &str = "\
import os, signal, sys
wanted = {signal.SIGURG, signal.SIGWINCH, signal.SIGCONT}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
open(sys.argv[1] + '.ready', 'w').close()
name = signal.Signals(signal.sigwait(wanted)).name
open(sys.argv[1] + '.new', 'w').write(name)
os.rename(sys.argv[1] + '.new', sys.argv[1])
signal.pause()
";

/// The line that starts a listener, for a shell or for `systemd-run`.
fn listener(report: &str) -> String {
    format!("python3 /etc/listener.py {report}")
}

fn wait_ready(machine: &Machine, report: &str) {
    machine.wait_for("the listener", || machine.exists(format!("{report}.ready")));
}

fn usherctl(machine: &Machine, caller: &Person, words: &[&str]) -> (i32, String) {
    let output = machine.try_as_user(caller.name, &[&["usherctl"][..], words].concat());
    (output.code, output.stderr)
}

#[test]
fn terminate_session_ends_one_and_leaves_the_other() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, mut login) = (machine.ssh_session("alice"), machine.login("alice"));
    let id = ssh.ask("echo $XDG_SESSION_ID");
    assert_eq!(usherctl(&machine, &ROOT, &["terminate-session", &id]).0, 0);
    ssh.wait_closed(DEADLINE);
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert_eq!(login.ask("systemctl --user is-active basic.target"), "active");
    // The other one ends itself.
    login.say("usherctl terminate-session self");
    login.wait_closed(DEADLINE);
    machine.wait_gone(&ALICE);
}

#[test]
fn terminate_user_ends_sessions_manager_and_services() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let (mut ssh, mut login) = (machine.ssh_session("alice"), machine.login("alice"));
    ssh.ask("systemd-run --user --quiet --unit=stays sleep 1000");
    assert_eq!(usherctl(&machine, &ALICE, &["terminate-user", ""]).0, 0);
    ssh.wait_closed(DEADLINE);
    login.wait_closed(DEADLINE);
    machine.wait_gone(&ALICE);
    // And she may come back.
    assert_eq!(machine.ssh("alice", "systemctl --user is-active basic.target").text(), "active");
    machine.wait_gone(&ALICE);
}

#[test]
fn kill_session_reaches_all_of_it_or_its_leader() {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\n")
        .file("/etc/listener.py", LISTENER, 0o644, 0)
        .boot();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    ssh.ask(&format!("({} &)", listener("~/in")));
    ssh.ask(&format!("systemd-run --user --quiet {}", listener("%h/out").replace("%h", "/home/alice")));
    wait_ready(&machine, "/home/alice/in");
    wait_ready(&machine, "/home/alice/out");
    let leader = ["kill-session", "--kill-whom=leader", "-s", "SIGURG", &id];
    assert_eq!(usherctl(&machine, &ALICE, &leader).0, 0);
    assert_eq!(usherctl(&machine, &ALICE, &["kill-session", "-s", "WINCH", &id]).0, 0);
    machine.wait_for("the signal", || machine.exists("/home/alice/in"));
    assert_eq!(machine.read("/home/alice/in"), "SIGWINCH", "the leader's signal went to others, too");
    assert!(!machine.exists("/home/alice/out"), "the signal has left the session");

    assert_eq!(usherctl(&machine, &ROOT, &["kill-user", "-s", "18", "alice"]).0, 0);
    machine.wait_for("the signal", || machine.read("/home/alice/out") == "SIGCONT");
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), "active");

    assert_eq!(usherctl(&machine, &ALICE, &["kill-session", "--signal=KILL", &id]).0, 0);
    ssh.wait_closed(DEADLINE);
    machine.wait_gone(&ALICE);
}

#[test]
fn kill_user_kills_everything() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("systemd-run --user --quiet --unit=stays sleep 1000");
    assert_eq!(usherctl(&machine, &ALICE, &["kill-user", "-s", "KILL", "alice"]).0, 0);
    ssh.wait_closed(DEADLINE);
    machine.wait_gone(&ALICE);
}

#[test]
fn everybody_may_do_to_his_own_and_root_to_all() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let shells = ["alice", "bob", "root"].map(|name| machine.ssh_session(name));
    let ids = [ALICE, BOB, ROOT].map(|person| machine.sessions(&person)[0].clone());
    let denied = |owner: &Person| format!("Only root and the user with uid {} may", owner.uid);
    for (owner, id) in [ALICE, BOB, ROOT].iter().zip(&ids) {
        for caller in [&ALICE, &BOB, &ROOT] {
            let allowed = caller.uid == 0 || caller.uid == owner.uid;
            // Nothing here ends anything: CONT and signal 0 change nothing, termination is tried where it is refused.
            let mut commands = vec![
                vec!["kill-session", "-s", "CONT", id.as_str()],
                vec!["kill-user", "-s", "CONT", owner.name],
                vec!["enable-linger", owner.name],
                vec!["disable-linger", owner.name],
            ];
            if !allowed {
                commands.extend([vec!["terminate-session", id.as_str()], vec!["terminate-user", owner.name]]);
            }
            for command in commands {
                let (code, stderr) = usherctl(&machine, caller, &command);
                let what = format!("{} does {command:?} to {}: {stderr}", caller.name, owner.name);
                assert_eq!(code, i32::from(!allowed), "{what}");
                assert!(allowed || stderr.contains(&denied(owner)), "{what}");
            }
            // Looking is free.
            assert_eq!(usherctl(&machine, caller, &["session-status", id]).0, 0);
            assert_eq!(usherctl(&machine, caller, &["show-user", owner.name]).0, 0);
        }
    }
    assert_eq!(machine.run(&["ls", "-A", "/var/lib/systemd/linger"]).text(), "");
    for (person, id) in [ALICE, BOB, ROOT].iter().zip(&ids) {
        assert_eq!(machine.sessions(person), [id.as_str()]);
        assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), "active");
    }
    drop(shells);
    for person in [ALICE, BOB, ROOT] {
        machine.wait_gone(&person);
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    for (words, text) in [
        (&["show-session", "nope"][..], "Failed to get path for session 'nope': No session 'nope' known"),
        (&["terminate-session", "nope"], "Failed to issue method call: No session 'nope' known"),
        (&["kill-session", "99"], "Could not kill session: No session '99' known"),
        (&["show-user", "bob"], "Failed to get user: User ID 1002 is not logged in or lingering"),
        (&["show-user", "mallory"], "Failed to look up user mallory: No such process"),
        (&["bogus"], "Unknown command verb 'bogus'"),
        (&["kill-session", "-s", "NOPE", "1"], "NOPE"),
    ] {
        let (code, stderr) = usherctl(&machine, &ROOT, words);
        assert_eq!(code, 1, "{words:?}: {stderr}");
        assert!(stderr.contains(text), "{words:?}: {stderr}");
    }
    // A manager's session has no scope to signal.
    let _ssh = machine.ssh_session("alice");
    let manager = machine.all_sessions(&ALICE).into_iter().find(|(_, class)| class == "manager").unwrap().0;
    let (code, stderr) = usherctl(&machine, &ROOT, &["kill-session", &manager]);
    assert_eq!(code, 1);
    assert!(stderr.contains(&format!("Session '{manager}' has no associated scope")), "{stderr}");
}
