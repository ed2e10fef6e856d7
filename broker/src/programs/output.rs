//! What a program says, as lines of bounded length.

/// A longer line is cut.
pub(crate) const LINE_MAX: usize = 512;

/// Takes bytes, gives lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes what has been read; calls with each line that is complete and not empty.
    pub(crate) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            // One byte more, so that it shows whether something is cut.
            let room = (LINE_MAX + 1).saturating_sub(self.line.len());
            self.line.extend(text.iter().take(room));
            if ends {
                self.rest(&mut each);
            }
        }
    }

    /// The last line, which nothing has ended.
    pub(crate) fn rest(&mut self, mut each: impl FnMut(String)) {
        let mut line = std::mem::take(&mut self.line);
        let cut = line.len() > LINE_MAX;
        line.truncate(LINE_MAX);
        let text = String::from_utf8_lossy(&line);
        // Terminals and log files obey some of these.
        let mut text: String = text
            .trim_end()
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        if cut {
            text.push('…');
        }
        if !text.is_empty() {
            each(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, |line| found.push(line));
        }
        lines.rest(|line| found.push(line));
        found
    }

    #[test]
    fn lines_come_out_whole_however_they_come_in() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\n\n", b"three"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b"", b"\n\n"]), [""; 0]);
        assert_eq!(lines(&[b"\x1b[31mred\xff\n"]), ["\u{fffd}[31mred\u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let long = vec![b'x'; LINE_MAX];
        assert_eq!(lines(&[&long, b"\n"]), ["x".repeat(LINE_MAX)]);
        let cut = format!("{}…", "x".repeat(LINE_MAX));
        assert_eq!(lines(&[&long, &long, b"\nnext"]), [cut, "next".to_owned()]);
    }
}
