//! contract/pam.md section 3, row by row.

use usher_protocol::ids::VtNr;

use super::fake_pam::FakePam;
use crate::arguments::Arguments;
use crate::derive::{Derived, derive};
use crate::inputs::Inputs;
use crate::pam::Item;

const ROOT: u32 = 0;
const DAEMON: u32 = 1;
const ALICE: u32 = 1000;
const DYNAMIC: u32 = 61200;
const NOBODY: u32 = 65534;

/// Class, type, tty, display, seat and VT in one line, `-` for what is unset. The X server shows display `:7` on VT 7.
fn outcome(pam: &FakePam, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
    let inputs = Inputs::read(pam, &Arguments::read(&words, pam));
    let uid = pam.account.as_ref().map_or(ALICE, |a| a.uid);
    let vt_of = |display: &str| if display == ":7" { VtNr::try_from(7).ok() } else { None };
    match derive(uid, &inputs, vt_of) {
        Ok(Derived { kind, class, seat, vtnr, tty, display, .. }) => {
            let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
            let seat = seat.map_or("-".to_owned(), String::from);
            let vtnr = vtnr.map_or("-".to_owned(), |v| v.to_string());
            format!("{class} {kind} {} {} {seat} {vtnr}", or_dash(tty), or_dash(display))
        }
        Err(unknown) => unknown.what.to_string(),
    }
}

fn login(uid: u32, service: &str, tty: &str) -> FakePam {
    FakePam::new(uid).item(Item::Service, service).item(Item::Tty, tty)
}

#[test]
fn the_user_managers_own_session() {
    let class_env = |uid| login(uid, "systemd-user", "tty1").env("XDG_SESSION_CLASS", "user");
    assert_eq!(outcome(&class_env(ALICE), &["class=greeter", "type=x11"]), "manager unspecified - - - -");
    for uid in [ROOT, DAEMON, DYNAMIC, NOBODY] {
        assert_eq!(outcome(&class_env(uid), &[]), "manager-early unspecified - - - -", "{uid}");
    }
}

#[test]
fn terminals_that_are_none() {
    assert_eq!(outcome(&login(ALICE, "xdm", ":0"), &[]), "user x11 - :0 - -");
    let both = login(ALICE, "xdm", ":0").item(Item::XDisplay, ":1");
    assert_eq!(outcome(&both, &[]), "user x11 - :1 - -");
    let cron = login(ALICE, "cron", "cron").env("XDG_SESSION_CLASS", "user").env("XDG_SESSION_TYPE", "tty");
    assert_eq!(outcome(&cron, &["class=user"]), "background unspecified - - - -");
    let ssh = login(ALICE, "sshd", "ssh").env("XDG_SESSION_CLASS", "greeter").env("XDG_SESSION_TYPE", "x11");
    assert_eq!(outcome(&ssh, &["type=mir"]), "user tty - - - -");
    assert_eq!(outcome(&login(ROOT, "sshd", "ssh"), &[]), "user tty - - - -", "forced for root, too");
}

#[test]
fn real_terminals() {
    assert_eq!(outcome(&login(ALICE, "login", "/dev/tty3"), &[]), "user tty tty3 - - -");
    assert_eq!(outcome(&login(ALICE, "su", "pts/4"), &[]), "user tty pts/4 - - -");
    for uid in [ROOT, DAEMON, DYNAMIC, NOBODY] {
        assert_eq!(outcome(&login(uid, "login", "tty1"), &[]), "user-early tty tty1 - - -", "{uid}");
    }
    let graphical_root = login(ROOT, "gdm", "tty1").env("XDG_SESSION_TYPE", "wayland");
    assert_eq!(outcome(&graphical_root, &[]), "user wayland tty1 - - -", "early is for text terminals");
    assert_eq!(outcome(&FakePam::new(ALICE), &[]), "background unspecified - - - -");
    assert_eq!(outcome(&FakePam::new(ROOT), &[]), "background unspecified - - - -");
}

#[test]
fn seats_and_vts() {
    let gdm = |seat: &str, vtnr: &str| {
        let pam = login(ALICE, "gdm", "").env("XDG_SESSION_TYPE", "wayland");
        pam.env("XDG_SEAT", seat).env("XDG_VTNR", vtnr)
    };
    assert_eq!(outcome(&gdm("seat0", "2"), &[]), "user wayland - - seat0 2");
    assert_eq!(outcome(&gdm("", "2"), &[]), "user wayland - - - 2");
    assert_eq!(outcome(&gdm("seat1", "2"), &[]), "user wayland - - seat1 -", "only seat0 has VTs");
    assert_eq!(outcome(&gdm("seat0", "0"), &[]), "user wayland - - seat0 -");
    let x11 = |pam: FakePam| outcome(&pam.item(Item::XDisplay, ":7"), &[]);
    assert_eq!(x11(login(ALICE, "xdm", "")), "user x11 - :7 seat0 7", "the X server knows");
    assert_eq!(x11(login(ALICE, "xdm", "").env("XDG_SEAT", "seat0")), "user x11 - :7 seat0 7");
    assert_eq!(x11(login(ALICE, "xdm", "").env("XDG_SEAT", "seat1")), "user x11 - :7 seat1 -");
    assert_eq!(
        x11(login(ALICE, "xdm", "").env("XDG_VTNR", "3")),
        "user x11 - :7 - 3",
        "asked only if unknown"
    );
    assert_eq!(x11(login(ALICE, "sshd", "").item(Item::RemoteHost, "far.example")), "user x11 - :7 - -");
}

#[test]
fn rank_of_the_sources() {
    let pam = || FakePam::new(ALICE).item(Item::Tty, "tty1");
    assert_eq!(outcome(&pam(), &["class=greeter", "type=x11"]), "greeter x11 tty1 - - -");
    let process = || pam().process_env("XDG_SESSION_CLASS", "lock-screen");
    assert_eq!(outcome(&process(), &["class=greeter"]), "lock-screen tty tty1 - - -");
    let both = || process().env("XDG_SESSION_CLASS", "background");
    assert_eq!(outcome(&both(), &["class=greeter"]), "background tty tty1 - - -");
    let empty = process().env("XDG_SESSION_CLASS", "");
    assert_eq!(outcome(&empty, &[]), "lock-screen tty tty1 - - -", "empty is unset");
}

#[test]
fn unknown_words_are_an_error_where_they_count() {
    let class = |word| FakePam::new(ALICE).item(Item::Tty, "tty1").env("XDG_SESSION_CLASS", word);
    for word in ["none", "user-lighter", "User", "user ", "\u{1b}[0m"] {
        assert_eq!(outcome(&class(word), &[]), "unknown session class", "{word:?}");
    }
    assert_eq!(outcome(&class("user").env("XDG_SESSION_TYPE", "vnc"), &[]), "unknown session type");
    assert_eq!(outcome(&FakePam::new(ALICE), &["type=vnc"]), "unknown session type");
    assert_eq!(outcome(&class("none").item(Item::Tty, "cron"), &[]), "background unspecified - - - -");
}

#[test]
fn incomplete_users() {
    let pam = |class: &str| {
        let pam = FakePam::new(ALICE).item(Item::Tty, "tty1").env("XDG_SESSION_INCOMPLETE", "1");
        pam.env("XDG_SESSION_CLASS", class)
    };
    assert_eq!(outcome(&pam(""), &[]), "user-incomplete tty tty1 - - -");
    assert_eq!(outcome(&pam("greeter"), &[]), "greeter tty tty1 - - -");
    assert_eq!(outcome(&pam("").env("XDG_SESSION_INCOMPLETE", "no"), &[]), "user tty tty1 - - -");
}

#[test]
fn remote_goes_by_name() {
    let remote = |host: &str| {
        let pam = FakePam::new(ALICE).item(Item::RemoteHost, host);
        Inputs::read(&pam, &Arguments::default()).remote
    };
    for here in ["", "localhost", "LocalHost", "localhost.", "localhost.localdomain", "a.localhost"] {
        assert!(!remote(here), "{here}");
    }
    for there in ["127.0.0.1", "::1", "far.example", "notlocalhost", "localhost.example"] {
        assert!(remote(there), "{there}");
    }
}
