//! The state files: what is read is written as it can be read again, and nobody's text makes a line of its own.

use usher_model::record::UserRecord;
use usher_protocol::ids::{SeatId, SessionId, Uid};

use crate::state::{escape, parse, unescape, write};
use crate::sys::linger::user_of;

/// A session's file.
///
/// # Panics
/// What has to be true is not.
pub fn state_session(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    escaping(&text);
    let id = SessionId::from(7);
    let Ok(record) = parse::session(&id, &text) else { return false };
    let written = write::session(&record);
    lines(&written);
    assert_eq!(parse::session(&id, &written).as_ref(), Ok(&record), "{written}");
    true
}

/// A user's file, or a seat's.
///
/// # Panics
/// What has to be true is not.
pub fn state_user(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(record) = parse::seat(&SeatId::seat0(), &text) {
        let written = write::seat(&record);
        lines(&written);
        assert_eq!(parse::seat(&record.id, &written).as_ref(), Ok(&record), "{written}");
    }
    let uid = Uid::ROOT;
    let Ok(record) = parse::user(uid, &text) else { return false };
    assert_eq!(record, UserRecord { sessions: vec![], ..record.clone() }, "the session files know better");
    let written = write::user(&record);
    lines(&written);
    assert_eq!(parse::user(uid, &written).as_ref(), Ok(&record), "{written}");
    true
}

/// Also a linger flag's name.
fn escaping(text: &str) {
    let escaped = escape(text);
    assert!(escaped.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{escaped:?}");
    assert_eq!(unescape(&escaped).as_deref(), Some(text));
    if let Some(plain) = unescape(text) {
        assert_eq!(unescape(&escape(&plain)), Some(plain));
    }
    for line in text.lines() {
        if let Ok(user) = user_of(line) {
            assert_eq!(escape(user.as_str()), line, "one spelling a user");
            assert!(!line.contains('/') && line != "." && line != "..", "{line}");
        }
    }
}

fn lines(text: &str) {
    for line in text.split_terminator('\n').filter(|line| !line.starts_with('#')) {
        let key = line.split_once('=').map(|(key, _)| key).unwrap_or_default();
        let word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(!key.is_empty() && key.bytes().all(word), "{line:?} in {text}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
