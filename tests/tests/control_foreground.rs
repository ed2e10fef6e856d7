//! usherctl brings sessions to the foreground, has them locked, and empties the seat; and who may.

mod seats_common;

use std::fs::{self, File};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use seats_common::{inside, login, machine, refused, shown, terminal, wait_session};
use usher_tests::{ALICE, BOB, Machine, ROOT};

/// The host's foreground, this test's alone; put back when it is over.
struct Foreground {
    before: String,
    _tty0: File,
}

impl Foreground {
    /// Nothing where there are no terminals.
    fn take() -> Option<Self> {
        let tty0 = terminal(0)?;
        if !shows_text() {
            eprintln!("not tested: this computer's console shows pictures, which are not to be taken away");
            return None;
        }
        flock(&tty0, FlockOperation::LockExclusive).unwrap();
        Some(Self { before: foreground(), _tty0: tty0 })
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // VT_ACTIVATE and VT_WAITACTIVE of console_ioctl(2).
        let script = "import fcntl, sys; tty = open('/dev/tty0', 'rb', 0); number = int(sys.argv[1]); \
            fcntl.ioctl(tty, 0x5606, number); fcntl.ioctl(tty, 0x5607, number)";
        let number = self.before.trim_start_matches("tty");
        let done = Command::new("python3").args(["-c", script, number]).status();
        if !done.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("{} could not be brought back to the foreground: {done:?}", self.before);
        }
    }
}

/// KDGETMODE of console_ioctl(2) is KD_TEXT.
fn shows_text() -> bool {
    let script = "import fcntl, struct; tty = open('/dev/tty0', 'rb', 0); \
        mode = fcntl.ioctl(tty, 0x4B3B, struct.pack('i', 0)); print(struct.unpack('i', mode)[0])";
    Command::new("python3").args(["-c", script]).output().is_ok_and(|done| done.stdout == b"0\n")
}

fn foreground() -> String {
    fs::read_to_string("/sys/class/tty/tty0/active").unwrap().trim().to_owned()
}

fn wait_active(machine: &Machine, tty: &str, session: &str) {
    machine.wait_for("the terminal", || foreground() == tty);
    machine.wait_for("the seat's file", || {
        machine.state("seats/seat0").get("ACTIVE").is_some_and(|id| id == session)
    });
    let text = shown(machine, &ROOT, &["show-session", session, "-P", "Active", "-P", "State"]);
    assert_eq!(text, "yes\nactive\n");
    let text = shown(machine, &ROOT, &["seat-status", "seat0"]);
    assert!(text.contains(&format!("*{session}")) && text.matches('*').count() == 1, "{text}");
}

#[test]
fn sessions_come_to_the_foreground() {
    let (Some(_six), Some(_ten)) = (terminal(6), terminal(10)) else { return };
    let Some(_foreground) = Foreground::take() else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let _alice = login(&machine, "alice", 10);
    let alice = wait_session(&machine, &ALICE);
    let denied = "Failed to issue method call: Only root and who has a session on the seat may switch it";
    refused(&machine, &BOB, &["activate", &alice], denied);
    let _bob = login(&machine, "bob", 6);
    let bob = wait_session(&machine, &BOB);

    assert_eq!(shown(&machine, &ROOT, &["activate", &alice]), "");
    wait_active(&machine, "tty10", &alice);
    // The other one, from within.
    assert_eq!(inside(&machine, &BOB, "usherctl activate"), (0, String::new()));
    wait_active(&machine, "tty6", &bob);
    assert_eq!(shown(&machine, &ROOT, &["show-session", &alice, "-P", "State"]), "online\n");
    // Whoever sits there may give the seat to somebody else.
    assert_eq!(shown(&machine, &BOB, &["activate", &alice]), "");
    wait_active(&machine, "tty10", &alice);
    // Once more changes nothing.
    assert_eq!(shown(&machine, &ALICE, &["activate", "auto"]), "");
    wait_active(&machine, "tty10", &alice);
}

#[test]
fn what_has_no_seat_has_no_foreground() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("root");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    refused(&machine, &ROOT, &["activate", &id], "Failed to issue method call: Operation not supported");
    refused(&machine, &ROOT, &["activate", "99"], "Failed to issue method call: No session '99' known");
}

#[test]
fn a_seat_is_emptied_by_root_alone() {
    let Some(_tty) = terminal(11) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let _alice = login(&machine, "alice", 11);
    let alice = wait_session(&machine, &ALICE);
    let mut ssh = machine.ssh_session("root");
    refused(
        &machine,
        &ALICE,
        &["terminate-seat", "seat0"],
        "Could not terminate seat: Only root may do that",
    );
    refused(&machine, &ROOT, &["terminate-seat", "seat1"], "Could not terminate seat: No seat 'seat1' known");
    assert_eq!(machine.sessions(&ALICE), [alice]);
    assert_eq!(shown(&machine, &ROOT, &["terminate-seat", "seat0"]), "");
    machine.wait_gone(&ALICE);
    assert_eq!(ssh.ask("echo still here"), "still here");
    // There is nobody left to end.
    assert_eq!(shown(&machine, &ROOT, &["terminate-seat", "seat0"]), "");
}

#[test]
fn everybody_may_lock_what_is_his_own_and_root_all() {
    let machine = Machine::boot();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    for verb in ["lock-session", "unlock-session"] {
        assert_eq!(ssh.ask(&format!("usherctl {verb}; usherctl {verb} self $XDG_SESSION_ID")), "");
        assert_eq!(shown(&machine, &ROOT, &[verb, &id]), "");
        let denied = "Failed to issue method call: Only root and the user with uid 1001 may do that";
        refused(&machine, &BOB, &[verb, &id], denied);
        refused(&machine, &ROOT, &[verb, "99"], "Failed to issue method call: No session '99' known");
        let all = format!("{verb}s");
        refused(&machine, &ALICE, &[&all], "Could not lock sessions: Only root may do that");
        assert_eq!(shown(&machine, &ROOT, &[&all]), "");
    }
    // A session says that it is locked once it is; nobody does so for it.
    assert_eq!(shown(&machine, &ROOT, &["show-session", &id, "-P", "LockedHint"]), "no\n");
    let manager = machine.all_sessions(&ALICE).into_iter().find(|(_, class)| class == "manager").unwrap().0;
    let refusal = "Failed to issue method call: Session does not support lock screen.";
    refused(&machine, &ROOT, &["lock-session", &manager], refusal);
}
