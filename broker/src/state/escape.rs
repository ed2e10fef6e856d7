//! C-style escaping, as state files and linger flags use it (contract/state-files.md sections 2 and 5).

/// Escapes quotes, backslashes, control characters and every byte beyond ASCII.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x07 => escaped.push_str("\\a"),
            0x08 => escaped.push_str("\\b"),
            b'\t' => escaped.push_str("\\t"),
            b'\n' => escaped.push_str("\\n"),
            0x0b => escaped.push_str("\\v"),
            0x0c => escaped.push_str("\\f"),
            b'\r' => escaped.push_str("\\r"),
            b'\\' | b'"' | b'\'' => {
                escaped.push('\\');
                escaped.push(char::from(byte));
            }
            b' '..=b'~' => escaped.push(char::from(byte)),
            _ => {
                for shift in [6, 3, 0] {
                    escaped.push(char::from(b'0' + (byte >> shift & 7)));
                }
                escaped.insert(escaped.len() - 3, '\\');
            }
        }
    }
    escaped
}

/// Undoes [`escape`]. `None` for a sequence that no escaping has made, or for bytes that are no UTF-8.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\\' {
            let (byte, after) = sequence(after)?;
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The byte that stands after a backslash, and what follows it.
fn sequence(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, after) = text.split_first()?;
    let byte = match first {
        b'a' => 0x07,
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        b's' => b' ',
        b'\\' | b'"' | b'\'' => first,
        b'x' => return digits(after, 2, 16),
        _ => return digits(text, 3, 8),
    };
    Some((byte, after))
}

fn digits(text: &[u8], count: usize, base: u32) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(count)?;
    let mut value = 0;
    for &digit in digits {
        value = value * base + char::from(digit).to_digit(base)?;
    }
    Some((u8::try_from(value).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spellings() {
        assert_eq!(escape("we.ird-u x=y"), "we.ird-u x=y");
        assert_eq!(escape("a\nb\\'\"\x01\x7fé"), "a\\nb\\\\\\'\\\"\\001\\177\\303\\251");
        assert_eq!(unescape("\\x41\\102\\s\\t"), Some("AB \t".to_owned()));
        for bad in ["\\", "\\9", "\\8", "\\12", "\\400", "\\xg0", "\\377", "\\q"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escaping_is_printable_ascii_and_can_be_undone(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(escaped.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(unescape(&escaped), Some(text));
        }

        #[test]
        fn nothing_is_too_strange_to_unescape(text in "[\\\\abx0-9é]{0,20}") {
            unescape(&text);
        }
    }
}
