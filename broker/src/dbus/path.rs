//! Object paths, and what they stand for (contract/dbus.md section 1).

use usher_protocol::ids::{SeatId, SessionId, Uid};
use zbus::{ObjectPath, OwnedObjectPath};

/// The manager's path.
pub(crate) const MANAGER: &str = "/org/freedesktop/login1";
/// Where logging is controlled.
pub(crate) const LOG_CONTROL: &str = "/org/freedesktop/LogControl1";
/// What a user's manager calls PID 1 by.
pub(crate) const SYSTEMD1: &str = "/org/freedesktop/systemd1";
const SESSIONS: &str = "/org/freedesktop/login1/session";
const USERS: &str = "/org/freedesktop/login1/user";
const SEATS: &str = "/org/freedesktop/login1/seat";
const UNITS: &str = "/org/freedesktop/systemd1/unit";

/// What a path stands for. That does not say that there is such a session, user or seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    /// A node that has nothing but children.
    Intermediate(Children),
    Manager,
    Session(SessionName),
    User(UserName),
    Seat(SeatName),
    LogControl,
    Systemd1,
    /// The unit that a session's processes are in.
    Scope(SessionId),
    /// The unit that a user's sessions and services are in.
    Slice(Uid),
}

/// The children of a node that has nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Children {
    /// Of `/`.
    Root,
    /// Of `/org`.
    Org,
    /// Of `/org/freedesktop`.
    Freedesktop,
    Sessions,
    Users,
    Seats,
}

/// A session, by its id or by who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionName {
    Id(SessionId),
    /// `self`: the caller's.
    Own,
    /// `auto`: the caller's, else the display session of the user whose slice the caller is in.
    Auto,
}

/// A user, by number or by who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserName {
    Uid(Uid),
    /// `self`: the user whose slice the caller is in.
    Own,
}

/// A seat, by its id or by who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SeatName {
    Id(SeatId),
    /// `self`: that of the caller's session.
    Own,
    /// `auto`: that of the session that `auto` is.
    Auto,
}

impl SessionName {
    /// A name as it stands in a method's argument. Nothing is `self`. `None` for what no session can be called.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "self" => Some(Self::Own),
            "auto" => Some(Self::Auto),
            id => id.parse().ok().map(Self::Id),
        }
    }
}

impl SeatName {
    /// A name as it stands in a method's argument. Nothing is `self`. `None` for what no seat can be called.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "self" => Some(Self::Own),
            "auto" => Some(Self::Auto),
            id => id.parse().ok().map(Self::Id),
        }
    }
}

impl UserName {
    /// A number as it stands in a method's argument: 0xFFFFFFFF is `self`. `None` for what stands for no user.
    pub(crate) fn from_argument(number: u32) -> Option<Self> {
        match number {
            u32::MAX => Some(Self::Own),
            uid => uid.try_into().ok().map(Self::Uid),
        }
    }
}

/// What a path stands for; `None` for one that no object ever has.
pub(crate) fn parse(path: &str) -> Option<Object> {
    match path {
        "/" => return Some(Object::Intermediate(Children::Root)),
        "/org" => return Some(Object::Intermediate(Children::Org)),
        "/org/freedesktop" => return Some(Object::Intermediate(Children::Freedesktop)),
        MANAGER => return Some(Object::Manager),
        LOG_CONTROL => return Some(Object::LogControl),
        SYSTEMD1 => return Some(Object::Systemd1),
        SESSIONS => return Some(Object::Intermediate(Children::Sessions)),
        USERS => return Some(Object::Intermediate(Children::Users)),
        SEATS => return Some(Object::Intermediate(Children::Seats)),
        _ => {}
    }
    let (parent, label) = path.rsplit_once('/').filter(|(_, label)| !label.is_empty())?;
    match parent {
        SESSIONS => SessionName::parse(&unescape(label)?).map(Object::Session),
        SEATS => SeatName::parse(&unescape(label)?).map(Object::Seat),
        USERS if label == "self" => Some(Object::User(UserName::Own)),
        // The one kind of label that is not escaped. A second spelling of a uid is none (CVE-2020-13776).
        USERS => label.strip_prefix('_')?.parse().ok().map(|uid| Object::User(UserName::Uid(uid))),
        UNITS => parse_unit(&unescape(label)?),
        _ => None,
    }
}

/// Of systemd's units, those that sessions and users are.
fn parse_unit(name: &str) -> Option<Object> {
    let slice = || name.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok().map(Object::Slice);
    SessionId::from_scope(name).map(Object::Scope).or_else(slice)
}

/// A session's path.
pub(crate) fn path_of_session(id: &SessionId) -> OwnedObjectPath {
    made(format!("{SESSIONS}/{}", escape(id.as_str())))
}

/// A user's path.
pub(crate) fn path_of_user(uid: Uid) -> OwnedObjectPath {
    made(format!("{USERS}/_{uid}"))
}

/// A seat's path.
pub(crate) fn path_of_seat(id: &SeatId) -> OwnedObjectPath {
    made(format!("{SEATS}/{}", escape(id.as_str())))
}

/// The path that stands for nothing where there has to be one.
pub(crate) fn nowhere() -> OwnedObjectPath {
    ObjectPath::from_static_str_unchecked("/").into()
}

/// A path that is right by the way it was made; the tests check that for all ids.
fn made(path: String) -> OwnedObjectPath {
    ObjectPath::from_string_unchecked(path).into()
}

/// Makes one element of an object path of any text: every byte but letters, and digits that do not come first, becomes `_`
/// and two hexadecimal digits.
pub(crate) fn escape(text: &str) -> String {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    if text.is_empty() {
        return "_".to_owned();
    }
    let mut label = String::with_capacity(text.len() + 8);
    for (position, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (position > 0 && byte.is_ascii_digit()) {
            label.push(char::from(byte));
        } else {
            label.push('_');
            label.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
    }
    label
}

/// Undoes [`escape`]. What is no escape sequence stands for itself. `None` for bytes that are no UTF-8.
pub(crate) fn unescape(label: &str) -> Option<String> {
    if label == "_" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(label.len());
    let mut rest = label.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if let (b'_', [high, low, after @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// What a hexadecimal digit stands for.
fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session(id: &str) -> Option<Object> {
        Some(Object::Session(SessionName::Id(id.parse().unwrap())))
    }

    #[test]
    fn the_spellings() {
        for (text, label) in
            [("", "_"), ("1", "_31"), ("c1", "c1"), ("seat-pci-x", "seat_2dpci_2dx"), ("12", "_312")]
        {
            assert_eq!(escape(text), label);
            assert_eq!(unescape(label).as_deref(), Some(text));
        }
        for (label, text) in
            [("_3A", ":"), ("1", "1"), ("a_", "a_"), ("_3", "_3"), ("_zz", "_zz"), ("__31", "_1")]
        {
            assert_eq!(unescape(label).as_deref(), Some(text), "{label}");
        }
        assert_eq!(unescape("_ff"), None);
    }

    #[test]
    fn every_kind_of_object() {
        let inner = |path: &str| format!("/org/freedesktop/login1/{path}");
        assert_eq!(parse("/"), Some(Object::Intermediate(Children::Root)));
        assert_eq!(parse("/org"), Some(Object::Intermediate(Children::Org)));
        assert_eq!(parse("/org/freedesktop"), Some(Object::Intermediate(Children::Freedesktop)));
        assert_eq!(parse(&inner("seat")), Some(Object::Intermediate(Children::Seats)));
        assert_eq!(parse("/org/freedesktop/login1"), Some(Object::Manager));
        assert_eq!(parse("/org/freedesktop/LogControl1"), Some(Object::LogControl));
        assert_eq!(parse("/org/freedesktop/systemd1"), Some(Object::Systemd1));
        let unit = |label| parse(&format!("/org/freedesktop/systemd1/unit/{label}"));
        assert_eq!(unit("session_2d1_2escope"), Some(Object::Scope("1".parse().unwrap())));
        assert_eq!(unit("user_2d1002_2eslice"), Some(Object::Slice(1002.try_into().unwrap())));
        assert_eq!(unit("ssh_2eservice"), None);
        assert_eq!(parse(&inner("session/_31")), session("1"));
        assert_eq!(parse(&inner("session/1")), session("1"));
        assert_eq!(parse(&inner("session/c1")), session("c1"));
        for own in ["self", "_", "_73elf"] {
            assert_eq!(parse(&inner(&format!("session/{own}"))), Some(Object::Session(SessionName::Own)));
            assert_eq!(parse(&inner(&format!("seat/{own}"))), Some(Object::Seat(SeatName::Own)));
        }
        assert_eq!(parse(&inner("session/auto")), Some(Object::Session(SessionName::Auto)));
        assert_eq!(parse(&inner("seat/auto")), Some(Object::Seat(SeatName::Auto)));
        assert_eq!(parse(&inner("seat/seat0")), Some(Object::Seat(SeatName::Id(SeatId::seat0()))));
        assert_eq!(parse(&inner("user/self")), Some(Object::User(UserName::Own)));
        let alice = Uid::try_from(1002).unwrap();
        assert_eq!(parse(&inner("user/_1002")), Some(Object::User(UserName::Uid(alice))));
    }

    #[test]
    fn what_is_no_object() {
        for path in [
            "",
            "org",
            "//",
            "/org/",
            "/org/freedesktop/login1/",
            "/org/freedesktop/login1/inhibitor",
            "/org/freedesktop/login1/session/",
            "/org/freedesktop/login1/session/_2d",
            "/org/freedesktop/login1/session/_ff",
            "/org/freedesktop/login1/session/c1/more",
            "/org/freedesktop/login1/seat/chair0",
            "/org/freedesktop/login1/user/",
            "/org/freedesktop/login1/user/_",
            "/org/freedesktop/login1/user/auto",
            "/org/freedesktop/login1/user/1002",
            "/org/freedesktop/login1/user/_01002",
            "/org/freedesktop/login1/user/_0x3e8",
            "/org/freedesktop/login1/user/_65535",
            "/org/freedesktop/login1/user/_4294967295",
            "/org/freedesktop/login1/user/_99999999999",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn names_in_arguments() {
        assert_eq!(SessionName::parse(""), Some(SessionName::Own));
        assert_eq!(SessionName::parse("auto"), Some(SessionName::Auto));
        assert_eq!(SessionName::parse("a-b"), None);
        assert_eq!(SeatName::parse("self"), Some(SeatName::Own));
        assert_eq!(SeatName::parse("table1"), None);
        assert_eq!(UserName::from_argument(u32::MAX), Some(UserName::Own));
        assert_eq!(UserName::from_argument(0), Some(UserName::Uid(Uid::ROOT)));
        assert_eq!(UserName::from_argument(0xFFFF), None);
    }

    proptest! {
        #[test]
        fn escaping_makes_labels_and_can_be_undone(text in any::<String>()) {
            let label = escape(&text);
            prop_assert!(ObjectPath::try_from(format!("/{label}")).is_ok(), "{}", label);
            prop_assert!(!label.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(unescape(&label), Some(text));
        }

        #[test]
        fn nothing_is_too_strange_to_parse(path in any::<String>(), label in "[_0-9a-gA-G/é]{0,12}") {
            parse(&path);
            for parent in [SESSIONS, USERS, SEATS, "/org"] {
                parse(&format!("{parent}/{label}"));
                parse(&format!("{parent}/{path}"));
            }
        }

        #[test]
        fn every_session_has_a_path(id in "[A-Za-z0-9]{1,64}") {
            prop_assume!(id != "self" && id != "auto");
            let id: SessionId = id.parse().unwrap();
            let path = path_of_session(&id);
            prop_assert!(ObjectPath::try_from(path.as_str()).is_ok());
            prop_assert_eq!(parse(&path), Some(Object::Session(SessionName::Id(id))));
        }

        #[test]
        fn every_seat_has_a_path(id in "seat[A-Za-z0-9_-]{1,60}") {
            let id: SeatId = id.parse().unwrap();
            let path = path_of_seat(&id);
            prop_assert!(ObjectPath::try_from(path.as_str()).is_ok());
            prop_assert_eq!(parse(&path), Some(Object::Seat(SeatName::Id(id))));
        }

        #[test]
        fn every_user_has_a_path(number in any::<u32>()) {
            if let Ok(uid) = Uid::try_from(number) {
                let path = path_of_user(uid);
                prop_assert!(ObjectPath::try_from(path.as_str()).is_ok());
                prop_assert_eq!(parse(&path), Some(Object::User(UserName::Uid(uid))));
            }
        }
    }
}
