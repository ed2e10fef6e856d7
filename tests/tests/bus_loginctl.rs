//! systemd's own loginctl, unmodified: what it shows of usher's sessions, users and seat0, and what it does to them.
//!
//! It refuses to run where `/run/systemd/system` is missing, so that these machines have it. What it prints differs from
//! version to version; what is compared here is what all of them print.

use usher_tests::{ALICE, Background, Machine, Output, PamLogin};

/// Lines of `show-session`, in the order of the properties (contract/loginctl.md section 4).
const SESSION: &str = "Id User Name Timestamp TimestampMonotonic VTNr Seat TTY Display Remote RemoteHost RemoteUser Service \
                       Desktop Scope Leader Audit Type Class Active State IdleHint IdleSinceHint IdleSinceHintMonotonic \
                       CanIdle CanLock LockedHint";
const USER: &str = "UID GID Name Timestamp TimestampMonotonic RuntimePath Service Slice Display State Sessions IdleHint \
                    IdleSinceHint IdleSinceHintMonotonic Linger";
const SEAT: &str =
    "Id ActiveSession CanTTY CanGraphical Sessions IdleHint IdleSinceHint IdleSinceHintMonotonic";

/// A display manager, as its own words to PAM say, and no virtual terminals, so that nothing depends on what is on the
/// host's screen: the seat shows who came last, or whom somebody asks for.
fn machine() -> Machine {
    let machine = Machine::builder()
        .user("carol", 1003)
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .boot();
    machine.sh("mkdir -p /run/systemd/system");
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

fn try_loginctl(machine: &Machine, user: &str, words: &[&str]) -> Output {
    machine.try_as_user(user, &[&["loginctl"][..], words].concat())
}

/// What a command of root's prints.
fn loginctl(machine: &Machine, words: &[&str]) -> String {
    let output = try_loginctl(machine, "root", words);
    assert!(output.ok() && output.stderr.is_empty(), "loginctl {words:?}: {output}\n{}", machine.dump());
    output.stdout
}

/// A command of somebody's fails, and says this.
fn refused(machine: &Machine, user: &str, words: &[&str], said: &str) {
    let output = try_loginctl(machine, user, words);
    assert_eq!((output.code, output.stderr.trim_end()), (1, said), "loginctl {words:?} as {user}");
}

/// The text has a line that begins like this, whatever blanks stand before it or between the words.
fn has_line(text: &str, beginning: &str) {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(lines.any(|line| line.starts_with(beginning)), "`{beginning}` in:\n{text}");
}

fn keys(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// alice at the computer, and bob from elsewhere, with their sessions' ids.
fn two(machine: &Machine) -> ((PamLogin<'_>, String), (PamLogin<'_>, String)) {
    let mut alice = machine.pam_login_by("lightdm", "alice");
    let first = alice.session();
    let mut bob = machine.pam_login("bob");
    let second = bob.session();
    ((alice, first), (bob, second))
}

/// Whoever hears everything that is sent by usherd.
fn listener(machine: &Machine) -> Background<'_> {
    let listener =
        machine.spawn(&["dbus-monitor", "--system", "type='signal',sender='org.freedesktop.login1'"]);
    // The bus tells a monitor of its name's end when it has begun to listen.
    machine.wait_for("the listener", || listener.log().contains("NameLost"));
    listener
}

fn wait_on_bus(machine: &Machine) {
    machine.wait_for("usherd on the bus", || {
        machine.try_run(&["busctl", "status", "org.freedesktop.login1"]).ok()
    });
}

#[test]
fn lists() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    has_line(&loginctl(&machine, &[]), "No sessions.");
    has_line(&loginctl(&machine, &["list-users"]), "No users.");
    let ((_alices, alice), (_bobs, bob)) = two(&machine);
    for command in [&[][..], &["list-sessions"]] {
        let shown = loginctl(&machine, command);
        has_line(&shown, "SESSION UID USER SEAT");
        has_line(&shown, &format!("{alice} 1001 alice seat0"));
        has_line(&shown, &format!("{bob} 1002 bob"));
        has_line(&shown, "2 sessions listed.");
    }
    let plain = loginctl(&machine, &["list-sessions", "--no-legend"]);
    assert_eq!(plain.lines().count(), 2, "{plain}");
    let shown = loginctl(&machine, &["list-users"]);
    for line in ["UID USER", "1001 alice", "1002 bob", "2 users listed."] {
        has_line(&shown, line);
    }
    assert_eq!(words(&loginctl(&machine, &["list-seats", "--no-legend"])), ["seat0"]);
    // To see is for everybody.
    let as_bob = try_loginctl(&machine, "bob", &["list-sessions", "--no-legend"]);
    assert_eq!((as_bob.code, as_bob.stdout), (0, plain));
}

#[test]
fn sessions_users_and_seats_described() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let ((mut alices, alice), (_bobs, bob)) = two(&machine);
    let leader = alices.entered().pid;
    let left = alices.leave();

    let shown = loginctl(&machine, &["session-status", &alice]);
    for line in [
        &format!("{alice} - alice (1001)"),
        "Since: ",
        &format!("Leader: {leader} (usher-pam-login)"),
        "Seat: seat0",
        "TTY: test",
        "Service: lightdm",
        "State: active",
        &format!("Unit: session-{alice}.scope"),
        &format!("├─{leader} usher-pam-login"),
        &format!("└─{left} sleep 1000"),
    ] {
        has_line(&shown, line);
    }
    let shown = loginctl(&machine, &["user-status", "alice"]);
    for line in [
        "alice (1001)",
        "State: active",
        &format!("Sessions: *{alice}"),
        "Linger: no",
        "Unit: user-1001.slice",
        &format!("└─session-{alice}.scope"),
    ] {
        has_line(&shown, line);
    }
    let shown = loginctl(&machine, &["seat-status", "seat0"]);
    for line in ["seat0", &format!("Sessions: *{alice}"), "Devices:"] {
        has_line(&shown, line);
    }

    let text = loginctl(&machine, &["show-session", &alice]);
    let expected: Vec<_> = words(SESSION);
    // Without -a, what is empty is not shown.
    let empty = ["Display", "RemoteHost", "RemoteUser", "Desktop"];
    assert_eq!(keys(&text), expected.iter().copied().filter(|key| !empty.contains(key)).collect::<Vec<_>>());
    let all = loginctl(&machine, &["show-session", "-a", &alice]);
    assert_eq!(keys(&all), expected);
    for line in [
        &format!("Id={alice}"),
        "User=1001",
        "Name=alice",
        "VTNr=0",
        "Seat=seat0",
        "TTY=test",
        "Remote=no",
        "Service=lightdm",
        &format!("Scope=session-{alice}.scope"),
        &format!("Leader={leader}"),
        "Audit=4294967295",
        "Type=wayland",
        "Class=user",
        "Active=yes",
        "State=active",
        "IdleHint=no",
        "CanIdle=yes",
        "CanLock=yes",
        "LockedHint=no",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    // Some of them: in the order of the properties. Several sessions: an empty line between them.
    let some = loginctl(&machine, &["show-session", &alice, &bob, "-p", "State", "-p", "Id", "-p", "Name"]);
    assert_eq!(some, format!("Id={alice}\nName=alice\nState=active\n\nId={bob}\nName=bob\nState=active\n"));
    assert_eq!(loginctl(&machine, &["show-session", &bob, "--value", "-p", "Name"]), "bob\n");

    let text = loginctl(&machine, &["show-user", "-a", "alice"]);
    assert_eq!(keys(&text), words(USER));
    for line in [
        "UID=1001",
        "GID=1001",
        "RuntimePath=/run/user/1001",
        "Service=user@1001.service",
        "Slice=user-1001.slice",
        &format!("Display={alice}"),
        "State=active",
        &format!("Sessions={alice}"),
        "Linger=no",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    let text = loginctl(&machine, &["show-seat", "-a", "seat0"]);
    assert_eq!(keys(&text), words(SEAT));
    for line in ["Id=seat0", &format!("ActiveSession={alice}"), "CanTTY=no", &format!("Sessions={alice}")] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    let text = loginctl(&machine, &["show-session"]);
    for line in ["NCurrentSessions=2", "KillUserProcesses=no", "UserStopDelayUSec=0", "RemoveIPC=yes"] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
}

#[test]
fn whose_session_a_caller_is_in() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut ssh = machine.ssh_session("bob");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    for word in ["self", "auto", "''"] {
        assert_eq!(
            ssh.ask(&format!("loginctl show-session {word} -p Id -p Name")),
            format!("Id={id}\nName=bob")
        );
    }
    has_line(&ssh.ask("loginctl session-status"), &format!("{id} - bob (1002)"));
    has_line(&ssh.ask("loginctl user-status"), "bob (1002)");
    assert_eq!(ssh.ask("loginctl show-user bob -p Display"), format!("Display={id}"));
    let (code, said) = ssh.try_ask("loginctl seat-status");
    assert!(code == 1 && said.contains("/org/freedesktop/login1/seat/auto"), "{said}");
    // Outside of any session there is none.
    let output = try_loginctl(&machine, "bob", &["session-status"]);
    assert!(output.code == 1 && output.stderr.contains("/session/auto"), "{output}");
    ssh.close();
}

#[test]
fn activation() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let ((_alices, alice), (_bobs, elsewhere)) = two(&machine);
    let mut bobs = machine.pam_login_by("lightdm", "bob");
    let bob = bobs.session();
    let active = || machine.state_of("seats/seat0", "ACTIVE");
    assert_eq!(active(), bob);
    let listener = listener(&machine);
    loginctl(&machine, &["activate", &alice]);
    assert_eq!(active(), alice);
    assert_eq!(
        loginctl(&machine, &["show-session", &bob, "-p", "Active", "-p", "State"]),
        "Active=no\nState=online\n"
    );
    has_line(&loginctl(&machine, &["seat-status", "seat0"]), &format!("Sessions: {bob} *{alice}"));
    machine.wait_for("the seat's signal", || listener.log().contains("\"ActiveSession\""));
    // Again: nothing to do.
    loginctl(&machine, &["activate", &alice]);
    let activate = |user: &str, session: &str| try_loginctl(&machine, user, &["activate", session]);
    assert_eq!(activate("root", &elsewhere).code, 1);
    refused(&machine, "root", &["activate", "nope"], "Failed to issue method call: No session 'nope' known");
    assert_eq!(active(), alice);
    // Without polkit, whoever has a session on the seat may switch it; carol has none.
    assert!(activate("bob", &bob).ok());
    assert_eq!(active(), bob);
    refused(&machine, "carol", &["activate", &alice], "Failed to issue method call: Access denied");
    assert_eq!(active(), bob);
}

#[test]
fn locking() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let ((_alices, alice), (_bobs, bob)) = two(&machine);
    let mut ssh = machine.ssh_session("bob");
    let own = ssh.ask("echo $XDG_SESSION_ID");
    let listener = listener(&machine);
    let signal = |session: &str, member: &str| {
        let path = format!("path=/org/freedesktop/login1/session/_3{session};");
        let log = listener.log();
        let lines = log.lines().filter(|line| line.starts_with("signal ") && line.contains(&path));
        lines.filter(|line| line.ends_with(&format!("member={member}"))).count()
    };
    let mut counts = [0; 6];
    let mut heard = |now: [usize; 6]| {
        counts = std::array::from_fn(|place| counts[place] + now[place]);
        machine.wait_for("the signals, and no others", || {
            let each =
                [&alice, &bob, &own].map(|session| [signal(session, "Lock"), signal(session, "Unlock")]);
            each.concat() == counts
        });
    };
    loginctl(&machine, &["lock-session", &alice]);
    heard([1, 0, 0, 0, 0, 0]);
    loginctl(&machine, &["unlock-session", &alice]);
    heard([0, 1, 0, 0, 0, 0]);
    loginctl(&machine, &["lock-session", &alice, &bob]);
    heard([1, 0, 1, 0, 0, 0]);
    // Of two background sessions and those of managers nobody can lock the screen, so that all are all that can be.
    let mut cron = machine.pam_login_by("cron", "bob");
    let background = cron.try_entered().and_then(|entered| entered.session);
    loginctl(&machine, &["lock-sessions"]);
    heard([1, 0, 1, 0, 1, 0]);
    loginctl(&machine, &["unlock-sessions"]);
    heard([0, 1, 0, 1, 0, 1]);
    // Whoever sits in a session may lock it, by name or without.
    ssh.ask("loginctl lock-session");
    heard([0, 0, 0, 0, 1, 0]);
    ssh.ask(&format!("loginctl unlock-session {own} {bob}"));
    heard([0, 0, 0, 1, 0, 1]);
    refused(&machine, "bob", &["lock-session", &alice], "Failed to issue method call: Access denied");
    refused(&machine, "bob", &["lock-sessions"], "Could not lock sessions: Access denied");
    if let Some(background) = background {
        let said = "Failed to issue method call: Session does not support lock screen.";
        refused(&machine, "root", &["lock-session", &background], said);
    }
    for verb in ["lock-session", "unlock-session"] {
        refused(&machine, "root", &[verb, "nope"], "Failed to issue method call: No session 'nope' known");
    }
    heard([0; 6]);
    ssh.close();
}

#[test]
fn killing() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let ((mut alices, alice), (mut bobs, bob)) = two(&machine);
    let (of_alice, of_bob) = (alices.leave_stubborn(), bobs.leave());
    let lives = |pid: i32| machine.try_run(&["kill", "-0", &pid.to_string()]).ok();
    refused(&machine, "bob", &["kill-session", &alice], "Could not kill session: Access denied");
    refused(&machine, "bob", &["kill-user", "alice"], "Could not kill user: Access denied");
    refused(&machine, "root", &["kill-session", "nope"], "Could not kill session: No session 'nope' known");
    let gone = "Could not kill user: User ID 0 is not logged in or lingering";
    refused(&machine, "root", &["kill-user", "root"], gone);
    // Which it does not mind.
    loginctl(&machine, &["kill-user", "alice", "-s", "TERM", "--kill-who=all"]);
    machine.wait_for("alice's leader to be gone", || !alices.lives());
    assert!(lives(of_alice) && lives(of_bob) && bobs.lives());
    loginctl(&machine, &["kill-session", &alice, "-s", "KILL"]);
    machine.wait_for("alice's process to be gone", || !lives(of_alice));
    machine.wait_gone(&ALICE);

    // The leader alone; bob may do so himself.
    let killed = try_loginctl(&machine, "bob", &["kill-session", &bob, "--kill-who=leader", "-s", "KILL"]);
    assert!(killed.ok(), "{killed}");
    machine.wait_for("bob's leader to be gone", || !bobs.lives());
    assert!(lives(of_bob));
    let state = || machine.state_of(&format!("sessions/{bob}"), "STATE");
    machine.wait_for("the session to be closing", || state() == "closing");
}

#[test]
fn termination() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let ((mut alices, alice), (mut bobs, bob)) = two(&machine);
    let mut second = machine.pam_login("bob");
    let other = second.session();
    let there = |session: &str| machine.exists(format!("/run/systemd/sessions/{session}"));
    refused(&machine, "bob", &["terminate-session", &alice], "Failed to issue method call: Access denied");
    refused(&machine, "bob", &["terminate-user", "alice"], "Could not terminate user: Access denied");
    refused(&machine, "bob", &["terminate-seat", "seat0"], "Could not terminate seat: Access denied");
    refused(
        &machine,
        "root",
        &["terminate-session", "nope"],
        "Failed to issue method call: No session 'nope' known",
    );
    refused(
        &machine,
        "root",
        &["terminate-seat", "seat9"],
        "Could not terminate seat: No seat 'seat9' known",
    );
    assert!(there(&alice) && there(&bob) && there(&other));

    loginctl(&machine, &["terminate-session", &bob]);
    machine.wait_for("the session to be gone", || !there(&bob) && !bobs.lives());
    assert!(there(&other) && second.lives());
    // His own he may.
    assert!(try_loginctl(&machine, "bob", &["terminate-user", "bob"]).ok());
    machine.wait_for("bob to be gone", || !there(&other) && !second.lives());
    machine.wait_for("bob's record to be gone", || !machine.exists("/run/systemd/users/1002"));
    assert!(alices.lives());
    loginctl(&machine, &["terminate-seat", "seat0"]);
    machine.wait_for("the seat to be empty", || !there(&alice) && !alices.lives());
    machine.wait_gone(&ALICE);
    has_line(&loginctl(&machine, &["seat-status", "seat0"]), "seat0");
    let gone = "Could not terminate user: User ID 1001 is not logged in or lingering";
    refused(&machine, "root", &["terminate-user", "alice"], gone);
}

#[test]
fn lingering() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let flag = |name: &str| machine.exists(format!("/var/lib/systemd/linger/{name}"));
    loginctl(&machine, &["enable-linger", "bob", "alice"]);
    assert!(flag("bob") && flag("alice"));
    assert_eq!(
        loginctl(&machine, &["show-user", "bob", "-p", "Linger", "-p", "State"]),
        "State=lingering\nLinger=yes\n"
    );
    loginctl(&machine, &["disable-linger", "alice"]);
    assert!(flag("bob") && !flag("alice"));
    // There is none any more: nothing to do.
    loginctl(&machine, &["disable-linger", "alice"]);
    let unknown = "Failed to look up user nosuch: No such process";
    refused(&machine, "root", &["enable-linger", "nosuch"], unknown);

    // alice for herself, without polkit: by the built-in policy, from a session of hers, with no word and with her name.
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("loginctl --no-ask-password enable-linger");
    assert!(flag("alice"));
    ssh.ask("loginctl --no-ask-password disable-linger alice");
    assert!(!flag("alice"));
    let denied = "Could not enable linger: Access denied";
    assert_eq!(ssh.try_ask("loginctl --no-ask-password disable-linger bob"), (1, denied.to_owned()));
    // Outside of any session nobody is meant by no word, but her name is hers.
    let output = try_loginctl(&machine, "alice", &["enable-linger"]);
    assert!(output.code == 1 && output.stderr.contains("No such device or address"), "{output}");
    assert!(try_loginctl(&machine, "alice", &["enable-linger", "alice"]).ok());
    assert!(flag("alice") && flag("bob"));
    ssh.close();
    let lingering = || machine.state_of("users/1001", "STATE") == "lingering";
    machine.wait_for("alice to linger", lingering);

    // polkit permits as much to anybody.
    let _polkitd = machine.start_polkitd();
    assert!(try_loginctl(&machine, "alice", &["disable-linger", "alice"]).ok());
    assert!(!flag("alice"));
    let output = try_loginctl(&machine, "alice", &["disable-linger", "bob"]);
    assert!(output.code == 1 && output.stderr.starts_with("Could not enable linger: "), "{output}");
    assert!(flag("bob"));
}

#[test]
fn what_there_is_not() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    for (words, wrong) in [
        (&["show-session", "nope"][..], "No session 'nope' known"),
        (&["session-status", "nope"], "No session 'nope' known"),
        (&["show-user", "alice"], "User ID 1001 is not logged in or lingering"),
        (&["user-status", "alice"], "User ID 1001 is not logged in or lingering"),
        (&["show-seat", "seat9"], "No seat 'seat9' known"),
        (&["seat-status", "seat9"], "No seat 'seat9' known"),
        // Devices are not handed out yet.
        (&["attach", "seat0", "/sys/devices/virtual/tty/tty0"], "usherd does not do AttachDevice yet"),
        (&["flush-devices"], "usherd does not do FlushDevices yet"),
    ] {
        let output = try_loginctl(&machine, "root", words);
        assert!(output.code == 1 && output.stderr.contains(wrong), "loginctl {words:?}: {output}");
    }
}
