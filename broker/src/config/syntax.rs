//! The lines of a configuration file: sections, assignments, comments, continuation. Knows no key.

/// One line that means something. Numbers count from 1 and are those of a continued line's first part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// `[Name]`
    Section { number: usize, name: String },
    /// `Key=Value`, blanks around both removed.
    Assignment { number: usize, key: String, value: String },
    /// Anything else.
    Junk { number: usize },
}

/// Takes a file apart. Every text is accepted: what makes no sense comes out as [`Line::Junk`].
pub(super) fn lines(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, raw) in text.lines().enumerate() {
        let trimmed = raw.trim_start();
        if trimmed.starts_with(['#', ';']) {
            continue; // also between the parts of a continued line
        }
        let (number, mut line) = pending.take().unwrap_or((index + 1, String::new()));
        match continued(raw) {
            Some(part) => {
                line.push_str(part);
                line.push(' ');
                pending = Some((number, line));
            }
            None => {
                line.push_str(raw);
                found.extend(classify(number, line.trim()));
            }
        }
    }
    if let Some((number, line)) = pending {
        found.extend(classify(number, line.trim()));
    }
    found
}

/// The line without its final backslash, if it goes on in the next one. An even number of backslashes is text.
fn continued(line: &str) -> Option<&str> {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    if backslashes % 2 == 1 { line.strip_suffix('\\') } else { None }
}

fn classify(number: usize, line: &str) -> Option<Line> {
    if line.is_empty() {
        return None;
    }
    if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(Line::Section { number, name: name.to_owned() });
    }
    Some(match line.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Line::Assignment { number, key: key.trim().to_owned(), value: value.trim().to_owned() }
        }
        _ => Line::Junk { number },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assignment(number: usize, key: &str, value: &str) -> Line {
        Line::Assignment { number, key: key.into(), value: value.into() }
    }

    #[test]
    fn sections_assignments_comments() {
        let text = "\u{feff}# c\n[Login]\n ; c\nA = b c \n\nB=\nno equals sign\n=x\n";
        assert_eq!(
            lines(text),
            [
                Line::Section { number: 2, name: "Login".into() },
                assignment(4, "A", "b c"),
                assignment(6, "B", ""),
                Line::Junk { number: 7 },
                Line::Junk { number: 8 },
            ]
        );
    }

    #[test]
    fn continued_lines_are_one() {
        assert_eq!(
            lines("A=b\\\n# comment\n  c\nD=e\\\\\n"),
            [assignment(1, "A", "b   c"), assignment(4, "D", "e\\\\")]
        );
        assert_eq!(lines("A=b\\"), [assignment(1, "A", "b")]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            lines(&text);
        }
    }
}
