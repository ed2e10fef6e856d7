//! The real polkitd: what it knows of usher's actions, and whom it takes to sit at the computer. It asks nobody for that
//! but libsystemd, which reads usher's files and the cgroup of the process (contract/state-files.md section 6).

use std::collections::BTreeSet;

use usher_tests::{ALICE, BOB, Machine, PamLogin};

/// In front of the seat: any, inactive and active are auth_admin_keep, yes, yes.
const CHVT: &str = "chvt";
/// auth_admin_keep, auth_admin_keep, yes.
const POWER_OFF: &str = "power-off";
/// no, yes, yes.
const POWER_KEY: &str = "inhibit-handle-power-key";
/// yes, yes, yes.
const OWN_LINGER: &str = "set-self-linger";
/// auth_admin_keep, auth_admin_keep, auth_admin_keep.
const MANAGE: &str = "manage";

/// What pkcheck(1) says by its exit code.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Yes,
    No,
    /// If somebody gives a password.
    Password,
}
use Answer::{No, Password, Yes};

/// A column of the table of actions: the answers for [`ACTIONS`].
type Column = [Answer; 5];
const ACTIONS: [&str; 5] = [CHVT, POWER_OFF, POWER_KEY, OWN_LINGER, MANAGE];
const ANY: Column = [Password, Password, No, Yes, Password];
const INACTIVE: Column = [Yes, Password, Yes, Yes, Password];
const ACTIVE: Column = [Yes, Yes, Yes, Yes, Password];

/// A display manager, as its own words to PAM say; a service of alice's that does nothing; and no virtual terminals, so
/// that nothing depends on what is on the host's screen: the seat shows who came last.
fn machine() -> Machine {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\n")
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .user_unit("alice", "nap.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        .boot();
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

/// What polkit says of a process, to root and to the user whose process it is.
fn column(machine: &Machine, user: &str, pid: i32) -> Column {
    ACTIONS.map(|action| {
        let [root, own] = ["root", user].map(|asker| check(machine, asker, action, pid));
        assert_eq!(root, own, "{action} of {pid}, as root and as {user} sees it");
        root
    })
}

fn check(machine: &Machine, asker: &str, action: &str, pid: i32) -> Answer {
    let words = ["pkcheck", "--action-id", &format!("org.freedesktop.login1.{action}"), "--process"];
    let output = machine.try_as_user(asker, &[&words[..], &[&pid.to_string()]].concat());
    match output.code {
        0 => Yes,
        1 => No,
        2 => Password,
        _ => panic!("`{}` {pid}: {output}\n{}", words.join(" "), machine.dump()),
    }
}

/// A login at the computer, and a process of the user in its session.
fn sit_down<'m>(machine: &'m Machine, user: &str) -> (PamLogin<'m>, i32) {
    let mut login = machine.pam_login_by("lightdm", user);
    let file = format!("sessions/{}", login.session());
    assert_eq!(machine.state_of(&file, "SEAT"), "seat0", "{}", machine.dump());
    let pid = login.leave();
    (login, pid)
}

#[test]
fn polkit_knows_ushers_actions() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let shipped = include_str!("../../packaging/polkit-1/org.freedesktop.login1.policy");
    let ids: BTreeSet<&str> =
        shipped.split("<action id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids.len(), 37);
    let listed = machine.run(&["pkaction"]).stdout;
    let known = listed.lines().filter(|id| id.starts_with("org.freedesktop.login1."));
    assert_eq!(known.collect::<BTreeSet<_>>(), ids);
    let shown = machine.run(&["pkaction", "--verbose", "--action-id", "org.freedesktop.login1.chvt"]).stdout;
    for (key, value) in [
        ("description", "Switch to another session"),
        ("vendor", "usher"),
        ("implicit any", "auth_admin_keep"),
        ("implicit inactive", "yes"),
        ("implicit active", "yes"),
    ] {
        let found = shown.lines().filter_map(|line| line.trim().split_once(':'));
        assert!(found.map(|(k, v)| (k, v.trim())).any(|pair| pair == (key, value)), "{key} in {shown}");
    }
}

#[test]
fn who_sits_at_the_computer_may_more() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let _usherd = machine.start_usherd();
    let (mut alices, alice) = sit_down(&machine, "alice");
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
    // In no session, while she sits there: not even a child of init's of the same user.
    let stray = machine.spawn_as("alice", &["sleep", "infinity"]);
    assert_eq!(column(&machine, "alice", stray.pid()), ANY);

    let (bobs, bob) = sit_down(&machine, "bob");
    assert_eq!(machine.state_of("users/1001", "STATE"), "online");
    assert_eq!(column(&machine, "bob", bob), ACTIVE);
    assert_eq!(column(&machine, "alice", alice), INACTIVE);
    machine.run(&["kill", &bob.to_string()]);
    bobs.log_out();
    machine.wait_gone(&BOB);
    // Nobody is in front now, until somebody switches to her.
    assert_eq!(column(&machine, "alice", alice), INACTIVE);
    machine.run(&["usherctl", "activate", &alices.session()]);
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
}

#[test]
fn who_comes_over_the_network_may_less() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let _usherd = machine.start_usherd();
    let mut shell = machine.ssh_session("bob");
    let pid: i32 = shell.ask("echo $$").trim().parse().unwrap();
    assert_eq!(column(&machine, "bob", pid), ANY);
    // Somebody else at the computer does not make bob be there.
    let (alices, alice) = sit_down(&machine, "alice");
    assert_eq!(column(&machine, "bob", pid), ANY);
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
    drop(alices);
    shell.close();
}

/// Most programs of a desktop are services of the user's manager, which are in no session: libsystemd says whose they
/// are, and usher's file of that user, at which session that one is to be found.
#[test]
fn a_service_of_whom_sits_there_may_as_much() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let _usherd = machine.start_usherd();
    let (alices, alice) = sit_down(&machine, "alice");
    let systemctl = |words: &[&str]| {
        let runtime_dir = format!("XDG_RUNTIME_DIR={}", ALICE.runtime_dir());
        let command = ["env", &runtime_dir, "systemctl", "--user"];
        machine.as_user("alice", &[&command[..], words].concat())
    };
    machine.wait_for("alice's manager", || machine.manager(&ALICE).is_some());
    machine.wait_for("its socket", || machine.exists("/run/user/1001/systemd/private"));
    systemctl(&["start", "nap.service"]);
    let nap = systemctl(&["show", "--property=MainPID", "--value", "nap.service"]);
    let nap: i32 = nap.text().parse().unwrap();
    let cgroup = machine.read(format!("/proc/{nap}/cgroup"));
    assert!(cgroup.contains("/user@1001.service/"), "{cgroup}");
    for pid in [nap, machine.manager(&ALICE).unwrap()] {
        assert_eq!(column(&machine, "alice", pid), ACTIVE);
    }

    // Another session of hers, from elsewhere, changes nothing; without the one at the computer, she is elsewhere.
    let mut shell = machine.ssh_session("alice");
    let elsewhere: i32 = shell.ask("echo $$").trim().parse().unwrap();
    assert_eq!(column(&machine, "alice", elsewhere), ANY);
    assert_eq!(column(&machine, "alice", nap), ACTIVE);
    machine.run(&["kill", &alice.to_string()]);
    alices.log_out();
    let id = &machine.sessions(&ALICE)[0];
    machine.wait_for("her other session to be what is left", || {
        machine.state_of("users/1001", "DISPLAY") == *id && machine.sessions(&ALICE).len() == 1
    });
    assert_eq!(column(&machine, "alice", nap), ANY);
    shell.close();
}

/// Desktops ask anew what is permitted when polkit says so; it watches usher's directories for that.
#[test]
fn polkit_hears_of_logins() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    let _polkitd = machine.start_polkitd();
    let rule = "type='signal',interface='org.freedesktop.PolicyKit1.Authority',member='Changed'";
    let monitor = machine.spawn(&["dbus-monitor", "--system", rule]);
    let changes = || monitor.log().matches("member=Changed").count();
    // Its own name, which it is given when it listens.
    machine.wait_for("dbus-monitor to listen", || monitor.log().contains("member=NameLost"));
    let (_alices, _) = sit_down(&machine, "alice");
    machine.wait_for("word of the login", || changes() > 0);
}

/// polkitd comes with the bus, before anything else, and is not told when usherd begins anew.
#[test]
fn polkit_needs_no_order() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let mut polkitd = machine.start_polkitd();
    assert!(!machine.exists("/run/systemd/sessions"));
    assert_eq!(check(&machine, "root", CHVT, 1), Yes, "root may everything");
    let mut usherd = machine.start_usherd();
    let (_alices, alice) = sit_down(&machine, "alice");
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
    usherd.kill9();
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
    usherd.start();
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
    polkitd.kill9();
    let _polkitd = machine.start_polkitd();
    assert_eq!(column(&machine, "alice", alice), ACTIVE);
}
