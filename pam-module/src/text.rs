//! Other people's texts: bounded, and made fit for a line of a log.

use usher_protocol::messages::MAX_TEXT;

/// A text as printable characters, at most `limit` of its own.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(limit) {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    if text.chars().nth(limit).is_some() {
        line.push('…');
    }
    line
}

/// The text that bytes are: UTF-8, without control characters, no longer than usherd takes. The error says why not.
pub(crate) fn plain(bytes: &[u8]) -> Result<&str, &'static str> {
    if bytes.len() > MAX_TEXT {
        return Err("too long");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    if text.chars().any(char::is_control) { Err("contains control characters") } else { Ok(text) }
}

/// The booleans of systemd and of most PAM modules.
pub(crate) fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_get_one_short_line() {
        assert_eq!(printable("a\nb\x1b[1m", 10), r"a\nb\u{1b}[1m");
        assert_eq!(printable("ééééé", 3), "ééé…");
        assert_eq!(printable("abc", 3), "abc");
    }

    #[test]
    fn only_plain_text_passes() {
        assert_eq!(plain("größe".as_bytes()), Ok("größe"));
        assert!(plain(b"\xff").is_err());
        assert!(plain(b"a\nb").is_err());
        assert!(plain(&[b'x'; MAX_TEXT + 1]).is_err());
        assert!(plain(&[b'x'; MAX_TEXT]).is_ok());
    }
}
