//! A unified diff of two texts that differ in a few lines close to each other.

use std::fmt::Write;

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// What `diff -u` would show, in one hunk from the first difference to the last; empty when there is none. Bytes that
/// are not UTF-8 are replaced.
pub fn unified(path: &str, old: &[u8], new: &[u8]) -> String {
    if old == new {
        return String::new();
    }
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let same = |a: &[&str], b: &[&str]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let head = same(&old, &new);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(old.len() - head).min(new.len() - head);
    let start = head.saturating_sub(CONTEXT);
    let behind = tail.min(CONTEXT);
    let changed = |lines: usize| lines - head - tail;
    let length = |lines: usize| head - start + changed(lines) + behind;
    let mut text = format!(
        "--- {path}\n+++ {path}\n@@ -{} +{} @@\n",
        range(start, length(old.len())),
        range(start, length(new.len()))
    );
    let mut show = |mark: char, line: &str| {
        let _ = match line.strip_suffix('\n') {
            Some(line) => writeln!(text, "{mark}{line}"),
            None => writeln!(text, "{mark}{line}\n\\ No newline at end of file"),
        };
    };
    old.iter().take(head).skip(start).for_each(|line| show(' ', line));
    let (mut minus, mut plus) =
        (old.iter().skip(head).take(changed(old.len())), new.iter().skip(head).take(changed(new.len())));
    minus.by_ref().for_each(|line| show('-', line));
    plus.by_ref().for_each(|line| show('+', line));
    old.iter().skip(old.len() - tail).take(behind).for_each(|line| show(' ', line));
    text
}

fn range(start: usize, length: usize) -> String {
    match length {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        _ => format!("{},{length}", start + 1),
    }
}
