//! Findings as text for a terminal and as JSON for programs, and what they mean for the exit code.

use std::process::ExitCode;

use super::Section;
use super::finding::{Finding, Verdict};
use crate::render::text;

/// What a line may have where nothing else is known.
const COLUMNS: usize = 100;
/// No sentence becomes a column of single words.
const COLUMNS_MIN: usize = 40;
/// Where sentences begin: after the mark.
const INDENT: usize = 10;

/// Whether and how wide.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether the marks are coloured.
    pub colour: bool,
    /// How wide a line may be.
    pub columns: Option<usize>,
}

/// The list for a person.
pub fn to_text(sections: &[Section], style: Style) -> String {
    let mut out = String::new();
    for section in sections.iter().filter(|section| !section.findings.is_empty()) {
        text::push_line(&mut out, section.title);
        for finding in &section.findings {
            push_finding(&mut out, finding, style);
        }
        out.push('\n');
    }
    text::push_line(&mut out, &summary(sections));
    out
}

/// All findings in one list.
pub fn all(sections: &[Section]) -> Vec<&Finding> {
    sections.iter().flat_map(|section| &section.findings).collect()
}

/// 0: nothing is wrong. 1: something is. 2: nothing is known to be, but not everything could be checked.
pub fn exit_code(sections: &[Section]) -> ExitCode {
    let has = |verdict| all(sections).iter().any(|finding| finding.verdict == verdict);
    if has(Verdict::Problem) || has(Verdict::Warning) {
        ExitCode::from(1)
    } else if has(Verdict::Skipped) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

fn push_finding(out: &mut String, finding: &Finding, style: Style) {
    let columns = style.columns.unwrap_or(COLUMNS).clamp(COLUMNS_MIN, 2 * COLUMNS);
    let mark = mark(finding.verdict, style.colour);
    let mut head = format!("  {mark}");
    for line in wrap(&text::escape(&finding.finding), columns - INDENT) {
        text::push_line(out, &format!("{head}{line}"));
        head = " ".repeat(INDENT);
    }
    let mut head = format!("{}-> ", " ".repeat(INDENT));
    for line in wrap(&text::escape(&finding.advice), columns - INDENT - 3) {
        text::push_line(out, &format!("{head}{line}"));
        head = " ".repeat(INDENT + 3);
    }
}

/// A word of eight columns.
fn mark(verdict: Verdict, colour: bool) -> String {
    let word = verdict.word();
    let padding = " ".repeat((INDENT - 2).saturating_sub(word.len()));
    // ECMA-48, Select Graphic Rendition: bold red, yellow, green, faint.
    let code = match verdict {
        Verdict::Problem => "1;31",
        Verdict::Warning => "33",
        Verdict::Ok => "32",
        Verdict::Note | Verdict::Skipped => "2",
    };
    if colour { format!("\u{1b}[{code}m{word}\u{1b}[0m{padding}") } else { format!("{word}{padding}") }
}

fn summary(sections: &[Section]) -> String {
    let findings = all(sections);
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let plural = |count: usize, word: &str| match (count, word) {
        (1, _) | (_, "ok" | "skipped") => format!("{count} {word}"),
        _ => format!("{count} {word}s"),
    };
    let counts = Verdict::ALL.into_iter().filter_map(|verdict| match count(verdict) {
        0 => None,
        count => Some(plural(count, verdict.word())),
    });
    format!("{}: {}.", plural(findings.len(), "check"), counts.collect::<Vec<_>>().join(", "))
}

/// A sentence in lines of so many columns; a word that is longer has a line of its own.
fn wrap(sentence: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text::width(line) + 1 + text::width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(findings: Vec<Finding>) -> Vec<Section> {
        vec![Section { title: "Daemon", findings }, Section { title: "Empty", findings: Vec::new() }]
    }

    const PLAIN: Style = Style { colour: false, columns: Some(50) };

    #[test]
    fn a_list_with_what_to_do() {
        let sections = sections(vec![
            Finding::ok("a.b", "All is well."),
            Finding::problem(
                "a.c",
                "Something that takes more than one line is broken.",
                "Do this, and after that do something else.",
            ),
        ]);
        assert_eq!(
            to_text(&sections, PLAIN),
            "\
Daemon
  ok      All is well.
  problem Something that takes more than one line
          is broken.
          -> Do this, and after that do something
             else.

2 checks: 1 ok, 1 problem.
"
        );
        let coloured = to_text(&sections, Style { colour: true, columns: None });
        assert!(coloured.contains("  \u{1b}[32mok\u{1b}[0m      All"), "{coloured}");
    }

    #[test]
    fn what_others_have_written_moves_no_terminal() {
        let out = to_text(&sections(vec![Finding::note("a.b", "A file \u{1b}[2J.", "")]), PLAIN);
        assert!(!out.contains('\u{1b}'), "{out:?}");
    }

    #[test]
    fn exit_codes() {
        let code = |findings| format!("{:?}", exit_code(&sections(findings)));
        let [zero, one, two] = [0, 1, 2].map(|code| format!("{:?}", ExitCode::from(code)));
        assert_eq!(code(vec![Finding::ok("a", ""), Finding::note("a", "", "")]), zero);
        assert_eq!(code(vec![Finding::ok("a", ""), Finding::skipped("a", "", "")]), two);
        assert_eq!(code(vec![Finding::skipped("a", "", ""), Finding::warning("a", "", "")]), one);
        assert_eq!(code(vec![Finding::problem("a", "", ""), Finding::skipped("a", "", "")]), one);
    }
}
