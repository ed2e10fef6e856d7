//! `systemd-run --user --scope` in a login session: the user's manager asks whoever is org.freedesktop.systemd1 to move the
//! process into a unit of its own, and that is usherd where PID 1 is not systemd.

use usher_tests::{ALICE, BOB, Machine, Shell};

/// What the caller is in, as it stands in the machine.
const CGROUP: &str = "grep ^0:: /proc/self/cgroup";
const MANAGER: &str =
    "busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager";

/// Asks for what a user's manager asks for: unit, place below it, process.
const ATTACH: &str = "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
                      AttachProcessesToUnit ssau";

fn machine() -> Machine {
    Machine::builder().config("[Login]\nUserStopDelaySec=0\n").boot()
}

fn wait_on_bus(machine: &Machine) {
    for name in ["org.freedesktop.login1", "org.freedesktop.systemd1"] {
        machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", name]).ok());
    }
}

fn login<'m>(machine: &'m Machine, name: &str) -> (Shell<'m>, String) {
    let mut ssh = machine.ssh_session(name);
    let id = ssh.ask("echo $XDG_SESSION_ID");
    (ssh, id)
}

#[test]
fn a_process_of_a_session_becomes_a_unit() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let (mut ssh, id) = login(&machine, "alice");
    assert_eq!(ssh.ask(CGROUP), format!("0::{}", ALICE.scope(&id)));
    let inside = ssh.ask(&format!("systemd-run --user --scope --quiet sh -c '{CGROUP}'"));
    let (slice, unit) = inside.rsplit_once('/').unwrap();
    assert_eq!(slice, format!("0::{}/app.slice", ALICE.service()));
    assert!(unit.starts_with("run-") && unit.ends_with(".scope"), "{inside}");

    // By a name, for a while: the manager knows it, and stops it.
    ssh.ask("(systemd-run --user --scope --quiet --unit=mine sleep 1000 > /dev/null 2>&1 &)");
    let scope = format!("{}/app.slice/mine.scope", ALICE.service());
    machine.wait_for("the process in its scope", || {
        machine.cgroup_procs(&scope).is_some_and(|pids| pids.len() == 1)
    });
    assert_eq!(ssh.ask("systemctl --user is-active mine.scope"), "active");
    ssh.ask("systemctl --user stop mine.scope");
    machine.wait_for("the scope's end", || machine.cgroup_procs(&scope).is_none_or(|pids| pids.is_empty()));
    // The shell itself has stayed where it was.
    assert_eq!(ssh.ask(CGROUP), format!("0::{}", ALICE.scope(&id)));
    ssh.close();
    machine.wait_gone(&ALICE);
}

/// contract/dbus.md section 1: no session is that of a process in the manager's units; the user's display session is near.
#[test]
fn the_process_is_in_no_session_any_more() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let (mut ssh, id) = login(&machine, "alice");
    let path = format!("o \"/org/freedesktop/login1/session/_3{id}\"");
    let mut session_of = |run: &str, word: &str| ssh.try_ask(&format!("{run} {MANAGER} GetSession s {word}"));
    const SCOPE: &str = "systemd-run --user --scope --quiet";
    for word in ["self", "auto"] {
        assert_eq!(session_of("", word), (0, path.clone()), "{word}");
    }
    assert_eq!(session_of(SCOPE, "auto"), (0, path));
    let (code, said) = session_of(SCOPE, "self");
    assert!(code != 0 && said.contains("does not belong to any known session"), "{said}");
    let user = ssh.ask(&format!("{SCOPE} {MANAGER} GetUser u 4294967295"));
    assert_eq!(user, "o \"/org/freedesktop/login1/user/_1001\"");
    ssh.close();
}

#[test]
fn nobody_takes_what_is_not_his() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let (mut alice, id) = login(&machine, "alice");
    let (mut bob, _) = login(&machine, "bob");
    let pid = alice.ask("(sleep 1000 > /dev/null 2>&1 & echo $!)");
    let is_there =
        |pid: &str| machine.cgroup_procs(&ALICE.scope(&id)).unwrap().contains(&pid.parse().unwrap());
    assert!(is_there(&pid));
    let units = [BOB.uid, ALICE.uid].map(|uid| format!("user@{uid}.service"));
    for unit in ["\"\"", &units[0], &units[1]] {
        for process in [pid.as_str(), "1"] {
            let (code, said) = bob.try_ask(&format!("{ATTACH} {unit} /app.slice/taken.scope 1 {process}"));
            assert!(code != 0 && said.contains("Call failed"), "{unit} {process}: {said}");
        }
    }
    // Nor by his manager, which he may well ask to.
    let asked = format!(
        "busctl --user call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
         StartTransientUnit 'ssa(sv)a(sa(sv))' taken.scope fail 1 PIDs au 1 {pid} 0"
    );
    bob.try_ask(&asked);
    let state = "systemctl --user show --property=ActiveState --value taken.scope";
    machine.wait_for("bob's scope to have come to nothing", || bob.ask(state) != "activating");
    let taken = machine.cgroup_procs(&format!("{}/app.slice/taken.scope", BOB.service()));
    assert!(taken.is_none_or(|pids| pids.is_empty()));
    assert!(is_there(&pid), "{}", machine.dump());
    assert_eq!(machine.processes_of(&ALICE).matches("sleep 1000").count(), 1);
    alice.close();
    bob.close();
}
