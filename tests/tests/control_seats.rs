//! usherctl and seat0: what it shows of the seat, to whom, and what it does to sessions there.

mod seats_common;

use seats_common::{inside, login, machine, refused, shown, terminal, wait_session};
use usher_tests::{ALICE, BOB, ROOT};

#[test]
fn an_empty_seat() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let can_tty = machine.state("seats/seat0").get("CAN_TTY").is_some_and(|value| value == "1");
    for caller in [&ALICE, &ROOT] {
        assert_eq!(shown(&machine, caller, &["list-seats"]), "SEAT\nseat0\n\n1 seats listed.\n");
        assert_eq!(shown(&machine, caller, &["list-seats", "-j"]), "[{\"seat\":\"seat0\"}]\n");
        let properties = format!(
            "Id=seat0\nCanTTY={}\nCanGraphical=no\nSessions=\nIdleHint=yes\nIdleSinceHint=0\nIdleSinceHintMonotonic=0\n",
            if can_tty { "yes" } else { "no" }
        );
        assert_eq!(shown(&machine, caller, &["show-seat", "seat0"]), properties);
        let status = shown(&machine, caller, &["seat-status", "seat0"]);
        assert_eq!(status, "seat0\n Devices: n/a\n         └─(none)\n");
        let properties = shown(&machine, caller, &["show-seat"]);
        assert!(properties.lines().any(|line| line == "NCurrentSessions=0"), "{properties}");

        refused(
            &machine,
            caller,
            &["show-seat", "seat1"],
            "Failed to get path for seat 'seat1': No seat 'seat1' known",
        );
        // Neither is in a session.
        let nobody = "Failed to get path for seat 'auto': Caller does not belong to any known session and doesn't own any suitable session.";
        refused(&machine, caller, &["seat-status"], nobody);
    }
}

#[test]
fn a_session_elsewhere_has_no_seat() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("root");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    for (words, seat) in [("seat-status", "auto"), ("show-seat self", "self"), ("show-seat auto", "auto")] {
        let (code, text) = ssh.try_ask(&format!("usherctl {words}"));
        let refused = format!("Failed to get path for seat '{seat}': Session '{id}' has no seat.");
        assert_eq!((code, text), (1, refused), "{words}");
    }
    assert_eq!(ssh.ask("usherctl show-seat seat0 -P Id -P Sessions"), "seat0");
}

#[test]
fn a_login_on_a_terminal_is_shown_on_its_seat() {
    let Some(_tty) = terminal(12) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let _login = login(&machine, "alice", 12);
    let id = wait_session(&machine, &ALICE);
    // In the foreground is what the kernel shows; the host decides that here.
    let active = machine.state("seats/seat0").contains_key("ACTIVE");
    let star = if active { "*" } else { "" };
    let status = format!("seat0\nSessions: {star}{id}\n Devices: n/a\n         └─(none)\n");
    let properties = format!("CanTTY=yes\nCanGraphical=no\nSessions={id}\nIdleHint=no\n");
    // Somebody types.
    machine.sh("touch -a /dev/tty12");
    for caller in [&BOB, &ROOT] {
        assert_eq!(shown(&machine, caller, &["seat-status", "seat0"]), status);
        let text = shown(&machine, caller, &["show-seat", "seat0"]);
        assert!(text.starts_with("Id=seat0\n") && text.contains(&properties), "{text}");
        let text = shown(&machine, caller, &["show-seat", "seat0", "-P", "ActiveSession"]);
        assert_eq!(text.trim_end(), if active { &*id } else { "" });
        // And the other way round.
        let text = shown(&machine, caller, &["show-session", &id, "-p", "Seat,VTNr,TTY"]);
        assert_eq!(text, "VTNr=12\nSeat=seat0\nTTY=tty12\n");
        let text = shown(&machine, caller, &["session-status", &id]);
        assert!(text.contains("\n   Seat: seat0; vc12\n    TTY: tty12\n"), "{text}");
        let text = shown(&machine, caller, &["list-sessions", "--no-legend"]);
        let cells: Vec<&str> = text.split_whitespace().collect();
        assert_eq!((cells[0], cells[3], cells[6]), (&*id, "seat0", "tty12"), "{text}");
    }
    // And has not done so for long.
    machine.sh("touch -a -d @1700000000 /dev/tty12");
    assert_eq!(shown(&machine, &BOB, &["show-seat", "seat0", "-p", "IdleHint"]), "IdleHint=yes\n");

    assert_eq!(inside(&machine, &ALICE, "usherctl seat-status"), (0, status));
    assert_eq!(inside(&machine, &ALICE, "usherctl show-seat self -P Id"), (0, "seat0\n".to_owned()));
    // Outside of it her session is found, too, since it is the one that stands for her.
    assert_eq!(shown(&machine, &ALICE, &["show-seat", "auto", "-P", "Id"]), "seat0\n");
    let nobody = "Failed to get path for seat 'self': Caller does not belong to any known session.";
    refused(&machine, &ALICE, &["show-seat", "self"], nobody);
}

#[test]
fn the_devices_are_those_that_udev_tags() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    // There is no udev here: what it would have written, about two devices that every computer has.
    machine.sh("mkdir -p /run/udev/data /run/udev/tags/seat
        for id in c1:3 c1:5 c1:7; do touch /run/udev/tags/seat/$id; done
        printf 'G:seat\\nQ:seat\\nV:1\\n' > /run/udev/data/c1:3
        printf 'G:seat\\nQ:seat\\nG:master-of-seat\\nQ:master-of-seat\\nV:1\\n' > /run/udev/data/c1:5
        printf 'G:seat\\nQ:seat\\nE:ID_SEAT=seat-b\\nV:1\\n' > /run/udev/data/c1:7");
    let tree = "seat0
 Devices: n/a
         ├─/sys/devices/virtual/mem/null
         │ mem:null
         └─/sys/devices/virtual/mem/zero
           [MASTER] mem:zero
";
    assert_eq!(shown(&machine, &BOB, &["seat-status", "seat0"]), tree);
}
