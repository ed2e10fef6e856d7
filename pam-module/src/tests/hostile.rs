//! Environments and applications that mean harm: nothing is believed, nothing breaks, and the log says so.

use usher_protocol::messages::MAX_TEXT;

use super::fake_pam::FakePam;
use crate::arguments::Arguments;
use crate::inputs::Inputs;
use crate::pam::{Item, Severity};

fn read(pam: &FakePam) -> Inputs {
    Inputs::read(pam, &Arguments::default())
}

#[test]
fn garbage_in_a_variable_is_as_good_as_nothing() {
    let long = "x".repeat(MAX_TEXT + 1);
    let many_digits = "9".repeat(5000);
    for (name, value) in [
        ("XDG_SEAT", "seat"),
        ("XDG_SEAT", "../../etc"),
        ("XDG_SEAT", "seat0\n"),
        ("XDG_SEAT", &long),
        ("XDG_VTNR", "-1"),
        ("XDG_VTNR", "+1"),
        ("XDG_VTNR", "0x1"),
        ("XDG_VTNR", "1 "),
        ("XDG_VTNR", "64"),
        ("XDG_VTNR", "4294967297"),
        ("XDG_VTNR", &many_digits),
        ("XDG_SESSION_DESKTOP", &long),
        ("XDG_SESSION_DESKTOP", "a\nb"),
        ("XDG_SESSION_DESKTOP", "\"; reboot; \""),
        ("XDG_SESSION_INCOMPLETE", "perhaps"),
    ] {
        let pam = FakePam::new(1000).env(name, value);
        assert_eq!(read(&pam), Inputs::default(), "{name}");
        let line = pam.only_line();
        assert!(line.starts_with(name) && line.len() < 700, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn garbage_in_an_item_is_as_good_as_nothing() {
    for item in [Item::Service, Item::Tty, Item::RemoteUser, Item::XDisplay] {
        for value in [&b"\xff\xfe"[..], b"a\nb", b"\x1b[2J", &[b'x'; MAX_TEXT + 1]] {
            let mut pam = FakePam::new(1000);
            pam.items.insert(item, value.into());
            assert_eq!(read(&pam), Inputs::default(), "{item:?}");
            pam.only_line();
        }
    }
}

#[test]
fn a_remote_host_without_a_decent_name_is_still_remote() {
    for host in [&b"\xff"[..], b"a\nb", &[b'x'; MAX_TEXT + 1]] {
        let mut pam = FakePam::new(1000);
        pam.items.insert(Item::RemoteHost, host.into());
        assert_eq!(read(&pam), Inputs { remote: true, ..Inputs::default() });
    }
}

#[test]
fn arguments_that_nobody_knows_are_named_in_the_log() {
    let pam = FakePam::new(1000);
    let words = ["debug=perhaps", "clas=user", "kill-session-processes=1"].map(str::to_owned);
    assert_eq!(Arguments::read(&words, &pam), Arguments::default());
    let lines = pam.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(pam.log.borrow().iter().all(|(severity, _)| *severity == Severity::Warning));
    for (line, word) in lines.iter().zip(&words) {
        assert!(line.contains(word.as_str()), "{line}");
    }
}

#[test]
fn debug_has_every_spelling() {
    for (word, expected) in [("debug", true), ("debug=yes", true), ("debug=0", false), ("debug=Off", false)] {
        let pam = FakePam::new(1000);
        assert_eq!(Arguments::read(&[word.to_owned()], &pam).debug, expected, "{word}");
        assert!(pam.lines().is_empty());
    }
}
