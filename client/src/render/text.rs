//! Text that came from somewhere else, made safe to print, and its width on a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Whether a character could change more of a terminal or a line than its own cell: control characters (ECMA-48), line
/// and paragraph separators, and the marks that turn the direction of writing (Unicode Standard Annex 9).
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every unsafe character as a visible escape: `\n`, `\u{1b}`.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The same, for a message that has several lines of its own.
pub fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// How many cells the text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to so many cells, with an ellipsis where something is missing.
pub fn shorten(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut room = limit.saturating_sub(1);
    for c in text.chars() {
        match room.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => room = rest,
            None => break,
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// Adds a line to a text.
pub fn push_line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_stays() {
        let hostile = "a\u{1b}[2J\r\n\t\u{7f}\u{9b}31m\u{202e}drow\u{2066}\u{2028}é漢";
        let safe = escape(hostile);
        assert_eq!(safe, "a\\u{1b}[2J\\r\\n\\t\\u{7f}\\u{9b}31m\\u{202e}drow\\u{2066}\\u{2028}é漢");
        assert!(!safe.chars().any(is_unsafe));
        assert_eq!(escape_lines("one\ntwo\u{7}\n"), "one\ntwo\\u{7}");
    }

    #[test]
    fn shortening_counts_cells() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdef", 5), "abcd…");
        assert_eq!(shorten("漢字漢字", 6), "漢字…");
        assert_eq!(shorten("abc", 1), "…");
        assert_eq!(shorten("", 0), "");
    }
}
