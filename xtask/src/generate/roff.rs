//! Manual pages in man(7): the few macros that every formatter knows.

use std::fmt::Write as _;

/// Lines of the source are no longer than this where blanks permit.
const WIDTH: usize = 78;

/// A manual page that grows from top to bottom. In running text and tags, `*word*` is bold (what is typed as it stands)
/// and `_word_` italic (what stands for something else), if blanks or punctuation are around them.
#[derive(Debug)]
pub(crate) struct Page(String);

impl Page {
    /// Begins a page, with its title line and NAME.
    pub(crate) fn new(name: &str, section: u8, date: &str, about: &str) -> Self {
        let upper = name.to_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let mut page = Self(format!(
            ".\\\" Made by `cargo xtask generate`: changes here are lost.\n\
             .TH {} {section} {date} \"usher {version}\"\n",
            plain(&upper)
        ));
        page.heading("NAME");
        page.line(&format!("{} \\- {}", plain(name), plain(about)));
        page
    }

    /// A section.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line(&format!(".SH {}", argument(text)));
    }

    /// A part of a section.
    pub(crate) fn subheading(&mut self, text: &str) {
        self.line(&format!(".SS {}", argument(text)));
    }

    /// A line of a synopsis: the command, then words in the notation of running text.
    pub(crate) fn synopsis(&mut self, command: &str, words: &str) {
        self.line(&format!(".B {}", argument(command)));
        self.running(words);
    }

    /// Another line of a synopsis.
    pub(crate) fn line_break(&mut self) {
        self.line(".br");
    }

    /// The first paragraph of a section; others are [`Self::paragraph`]s.
    pub(crate) fn text(&mut self, text: &str) {
        self.running(text);
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) {
        // None is wanted right after a heading.
        let headed = self.0.lines().next_back().is_some_and(|line| line.starts_with(".S"));
        if !headed {
            self.line(".PP");
        }
        self.running(text);
    }

    /// An entry of a list: a tag, and what it means.
    pub(crate) fn entry(&mut self, tag: &str, text: &str) {
        self.line(".TP");
        self.line(&inline(tag));
        if text.is_empty() {
            self.line("\\&");
        } else {
            self.running(text);
        }
    }

    /// A further paragraph of an entry.
    pub(crate) fn entry_paragraph(&mut self, text: &str) {
        self.line(".IP");
        self.running(text);
    }

    /// What follows belongs to the entry before it, until [`Self::end_inner`].
    pub(crate) fn begin_inner(&mut self) {
        self.line(".RS");
    }

    /// Ends what [`Self::begin_inner`] began.
    pub(crate) fn end_inner(&mut self) {
        self.line(".RE");
    }

    /// Lines that stay as they are, indented.
    pub(crate) fn example(&mut self, text: &str) {
        self.line(".PP");
        self.line(".RS 4");
        self.lines_as_they_are(text);
        self.line(".RE");
    }

    fn lines_as_they_are(&mut self, text: &str) {
        self.line(".nf");
        for line in text.lines() {
            self.line(&guarded(&plain(line)));
        }
        self.line(".fi");
    }

    /// The whole page.
    pub(crate) fn finished(self) -> String {
        self.0
    }

    /// Running text, a sentence to a line as formatters want it.
    fn running(&mut self, text: &str) {
        for sentence in sentences(text) {
            let mut line = String::new();
            for word in sentence.split(' ').filter(|word| !word.is_empty()) {
                if !line.is_empty() && inline(&line).len() + inline(word).len() >= WIDTH {
                    self.line(&guarded(&inline(&line)));
                    line.clear();
                }
                let blank = if line.is_empty() { "" } else { " " };
                // Writing to a String cannot fail.
                let _ = write!(line, "{blank}{word}");
            }
            self.line(&guarded(&inline(&line)));
        }
    }

    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }
}

/// A text whose characters all stand for themselves.
fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\\' => escaped += "\\e",
            '-' => escaped += "\\-",
            '\'' => escaped += "\\(aq",
            '"' => escaped += "\\(dq",
            '`' => escaped += "\\(ga",
            '^' => escaped += "\\(ha",
            '~' => escaped += "\\(ti",
            '…' => escaped += "...",
            c => escaped.push(c),
        }
    }
    escaped
}

/// One argument of a macro.
fn argument(text: &str) -> String {
    if text.contains(' ') { format!("\"{}\"", plain(text)) } else { plain(text) }
}

/// A line that is no macro, whatever it begins with.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

/// Running text with its bold and italic words.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(at) = rest.find(['*', '_']) {
        let (head, tail) = rest.split_at(at);
        let mark = &tail[..1];
        let before_mark = head.chars().next_back().unwrap_or(before);
        let body = tail[1..].find(mark).map(|end| (&tail[1..=end], &tail[end + 2..]));
        let marked = body.filter(|(body, after)| {
            let opens = !before_mark.is_alphanumeric();
            let closes = !after.starts_with(|c: char| c.is_alphanumeric());
            opens && closes && !body.is_empty() && !body.starts_with(' ') && !body.ends_with(' ')
        });
        out += &plain(head);
        match marked {
            Some((body, after)) => {
                let font = if mark == "*" { 'B' } else { 'I' };
                // Writing to a String cannot fail.
                let _ = write!(out, "\\f{font}{}\\fR", plain(body));
                before = ' ';
                rest = after;
            }
            None => {
                out += mark;
                before = if mark == "*" { '*' } else { '_' };
                rest = &tail[1..];
            }
        }
    }
    out + &plain(rest)
}

/// Running text, cut after what ends a sentence.
fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut sentence = String::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    for (index, word) in words.iter().enumerate() {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence += word;
        let next = words.get(index + 1).and_then(|word| word.chars().next());
        let ends = word.ends_with(['.', '?']) && next.is_none_or(|c| c.is_uppercase() || c == '*');
        if ends {
            found.push(std::mem::take(&mut sentence));
        }
    }
    if !sentence.is_empty() {
        found.push(sentence);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_need_borders() {
        assert_eq!(inline("*list-users* of _UID_."), "\\fBlist\\-users\\fR of \\fIUID\\fR.");
        assert_eq!(inline("gdm* and XDG_SESSION_ID, a*b"), "gdm* and XDG_SESSION_ID, a*b");
        assert_eq!(inline("*-p*, *--property=*_NAME_"), "\\fB\\-p\\fR, \\fB\\-\\-property=\\fR\\fINAME\\fR");
    }

    #[test]
    fn no_text_becomes_a_macro() {
        let mut page = Page::new("x", 1, "2026", "about");
        page.text(".SH not a heading");
        page.example(".nf\n'br");
        let page = page.finished();
        assert!(
            page.contains("\n\\&.SH not") && page.contains("\n\\&.nf") && page.contains("\n\\(aqbr"),
            "{page}"
        );
    }

    #[test]
    fn a_sentence_is_a_line() {
        assert_eq!(sentences("One. Two, e.g. this? Three"), ["One.", "Two, e.g. this?", "Three"]);
    }
}
