//! What identifiers admit.

use super::*;

#[test]
fn session_ids_are_letters_and_digits() {
    for good in ["1", "c4", "Session42"] {
        assert_eq!(good.parse::<SessionId>().map(String::from), Ok(good.to_owned()));
    }
    for bad in ["", "..", "a/b", "a b", "c_1", "é", &"x".repeat(65)] {
        assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
    }
    assert_eq!(SessionId::from_scope("session-3.scope"), Some(SessionId::from(3)));
    assert_eq!(SessionId::from_scope("session-.scope"), None);
    assert_eq!(SessionId::from_scope("run-3.scope"), None);
}

#[test]
fn uids_are_plain_decimal() {
    for good in ["0", "1000", "2147483648", "4294967294", "65534"] {
        assert!(good.parse::<Uid>().is_ok(), "{good}");
    }
    for bad in ["", "-1", "+1", "0x10", "01000", "65535", "4294967295", "4294967296", "1 "] {
        assert!(bad.parse::<Uid>().is_err(), "{bad}");
    }
}

#[test]
fn user_names_are_safe_as_file_names() {
    for good in ["alice", "we.ird-u", "Alice.Liddell", "alice@example.org", "7zip", "0xdefg", "_u$", "a b"] {
        assert!(good.parse::<UserName>().is_ok(), "{good}");
    }
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "0",
        "1000",
        "0x10",
        "a\nb",
        "a:b",
        "-",
        "-x",
        " ",
        " a",
        "a\u{a0}",
        "+1000",
        "-1",
        " 7",
        "+0x1f",
        &"x".repeat(256),
    ] {
        assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
    }
}

#[test]
fn vts_come_from_tty_names() {
    assert_eq!(VtNr::from_tty("tty1").map(VtNr::get), Some(1));
    assert_eq!(VtNr::from_tty("/dev/tty63").map(VtNr::get), Some(63));
    for no in ["tty0", "tty64", "tty", "ttyS0", "pts/1", "tty01", "console"] {
        assert_eq!(VtNr::from_tty(no), None, "{no}");
    }
}

#[test]
fn errors_do_not_repeat_long_or_raw_input() {
    let error = SessionId::from_str(&"\x1b[31m".repeat(1000)).map(String::from);
    let text = error.map_err(|e| e.to_string());
    assert!(text.as_ref().is_err_and(|t| t.len() < 800 && !t.contains('\x1b')), "{text:?}");
}
