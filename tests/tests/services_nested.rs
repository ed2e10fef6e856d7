//! su and sudo from inside a session, in each of the ways that Nested= has.

use usher_tests::{ALICE, BOB, Machine, ROOT, Shell};

const SELF: &str =
    "echo \"[$XDG_SESSION_ID] [$XDG_RUNTIME_DIR] [$DBUS_SESSION_BUS_ADDRESS]\"; grep ^0:: /proc/self/cgroup";

fn machine(nested: &str) -> Machine {
    Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\n[Service su su-l sudo*]\nNested={nested}\n"))
        .pam_line("sudo", "session optional pam_usher.so")
        .pam_line("sudo-i", "session optional pam_usher.so")
        .boot()
}

/// root in a session of root's own, with a runtime directory.
fn root(machine: &Machine) -> (Shell<'_>, String) {
    let mut su = machine.su("root");
    let id = su.ask("echo $XDG_SESSION_ID");
    assert_eq!(su.ask("echo $XDG_RUNTIME_DIR"), "/run/user/0");
    machine.wait_for("root's session", || machine.sessions(&ROOT) == [id.as_str()]);
    (su, id)
}

/// Every way that there is from root to alice. The second word: whether root's environment is passed on by it.
fn ways() -> [(String, bool); 4] {
    let quoted = SELF.replace('"', "\\\"").replace('$', "\\$");
    [
        (format!("su - alice -c \"{quoted}\""), false),
        (format!("su alice -c \"{quoted}\""), true),
        (format!("sudo -u alice sh -c \"{quoted}\""), false),
        (format!("sudo -iu alice sh -c '{SELF}'"), false),
    ]
}

fn nothing_of_roots(machine: &Machine) {
    // It may be about to go: what it was mounted on is root's.
    let found = machine.sh("find /run/user/1001 -mindepth 1 -not -uid 1001 2>/dev/null || true");
    assert_eq!(found.text(), "");
}

#[test]
fn inherit_sets_nothing() {
    let machine = machine("inherit");
    let _usherd = machine.start_usherd();
    let (mut su, id) = root(&machine);
    for (way, _) in ways().iter().filter(|(_, passes_on)| !passes_on) {
        assert_eq!(su.ask(way), format!("[] [] []\n0::{}", ROOT.scope(&id)), "{way}");
    }
    assert!(!machine.exists("/run/user/1001"));
    su.close();
    machine.wait_gone(&ROOT);
}

#[test]
fn runtime_only_gives_the_targets_own_directory_or_none() {
    let machine = machine("runtime-only");
    let _usherd = machine.start_usherd();
    let (mut su, id) = root(&machine);
    let scope = ROOT.scope(&id);
    // She is not here: there is no directory, and root's is not hers.
    for (way, _) in ways() {
        let said = su.ask(&way);
        assert!(!said.contains("/run/user"), "{way}: {said}");
        assert!(said.ends_with(&format!("0::{scope}")), "{way}: {said}");
    }
    assert!(!machine.exists("/run/user/1001") && machine.all_sessions(&ALICE).is_empty());

    let mut ssh = machine.ssh_session("alice");
    let hers = ssh.ask("echo $XDG_SESSION_ID");
    machine.wait_for("her bus", || machine.exists("/run/user/1001/bus"));
    for (way, passes_on) in ways() {
        let said = su.ask(&way);
        let (variables, cgroup) = said.split_once('\n').expect("two lines");
        let expected = "[/run/user/1001] [unix:path=/run/user/1001/bus]";
        // The session is the outer one still, where its environment is passed on.
        let session = if passes_on { id.as_str() } else { "" };
        assert_eq!(variables, format!("[{session}] {expected}"), "{way}");
        assert_eq!(cgroup, format!("0::{scope}"), "{way}");
        assert_eq!(su.ask("sudo -u alice systemctl --user is-active basic.target"), "active");
    }
    assert_eq!(machine.sessions(&ALICE), [hers.as_str()]);
    nothing_of_roots(&machine);
    ssh.close();
    su.close();
    machine.wait_gone(&ALICE);
    machine.wait_gone(&ROOT);
}

#[test]
fn new_opens_a_session_inside_one() {
    let machine = machine("new");
    let _usherd = machine.start_usherd();
    let (mut su, id) = root(&machine);
    for (way, _) in ways() {
        let said = su.ask(&way);
        let (variables, cgroup) = said.split_once('\n').expect("two lines");
        let hers = variables.split([' ', '[', ']']).find(|word| !word.is_empty()).expect("a session");
        assert_ne!(hers, id, "{way}");
        assert!(
            variables.contains("[/run/user/1001]") && !variables.contains("/run/user/0"),
            "{way}: {said}"
        );
        assert_eq!(cgroup, format!("0::{}", ALICE.scope(hers)), "{way}");
        nothing_of_roots(&machine);
        machine.wait_gone(&ALICE);
        assert_eq!(machine.sessions(&ROOT), [id.as_str()], "{way}");
    }
    // Whoever came from there is there again.
    assert_eq!(su.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", ROOT.scope(&id)));
    assert!(machine.all_sessions(&BOB).is_empty());
    su.close();
    machine.wait_gone(&ROOT);
}
