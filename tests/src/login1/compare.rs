//! Where two transcripts differ.

use std::fmt::Write;

/// Lines that one has instead of the other's, in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// The call after which they stand.
    pub(super) after: String,
    pub(super) removed: Vec<String>,
    pub(super) added: Vec<String>,
}

/// Errors by their names alone: what they say to people is up to each daemon, but they have to say something.
pub(super) fn without_words(transcript: &str) -> String {
    let line = |line: &str| match line.strip_prefix("  ! ").and_then(|error| error.split_once(": ")) {
        Some((name, words)) if !words.is_empty() => format!("  ! {name}\n"),
        _ => format!("{line}\n"),
    };
    transcript.lines().map(line).collect()
}

/// All differences. Transcripts of one scenario have the same calls, so that replies are compared with replies to the same
/// call; only if they do not is everything compared with everything.
pub(super) fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let (olds, news) = (blocks(old), blocks(new));
    let same = olds.iter().map(|block| block.first()).eq(news.iter().map(|block| block.first()));
    if !same {
        let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
        return block_hunks("(everything, as the calls differ)", &old, &new);
    }
    let pairs = olds.iter().zip(&news);
    pairs.flat_map(|(old, new)| block_hunks(old.first().copied().unwrap_or_default(), old, new)).collect()
}

/// For the message of a test that fails.
pub(super) fn show(hunks: &[Hunk]) -> String {
    let mut text = String::new();
    for Hunk { after, removed, added } in hunks {
        let _ = writeln!(text, "@ {after}");
        removed.iter().for_each(|line| text.push_str(&format!("-{line}\n")));
        added.iter().for_each(|line| text.push_str(&format!("+{line}\n")));
    }
    text
}

/// A call and what follows it: indented lines.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  ") => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

fn block_hunks(after: &str, old: &[&str], new: &[&str]) -> Vec<Hunk> {
    // Length of the longest common subsequence of what is left from here on.
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let empty = || Hunk { after: after.to_owned(), removed: Vec::new(), added: Vec::new() };
    let (mut hunks, mut hunk, mut i, mut j) = (Vec::new(), empty(), 0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            if hunk != empty() {
                hunks.push(std::mem::replace(&mut hunk, empty()));
            }
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            hunk.removed.push(old[i].to_owned());
            i += 1;
        } else {
            hunk.added.push(new[j].to_owned());
            j += 1;
        }
    }
    if hunk != empty() {
        hunks.push(hunk);
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::{Hunk, hunks, without_words};

    #[test]
    fn replies_are_compared_with_replies_to_the_same_call() {
        let old = "\n== x\na\n  = 1\n  * s\nb\n  = 1\n";
        let new = "\n== x\na\n  * s\n  = 1\nb\n  = 2\n";
        let hunk = |after: &str, removed: &[&str], added: &[&str]| Hunk {
            after: after.to_owned(),
            removed: removed.iter().map(|line| (*line).to_owned()).collect(),
            added: added.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            hunks(old, new),
            [hunk("a", &["  = 1"], &[]), hunk("a", &[], &["  = 1"]), hunk("b", &["  = 1"], &["  = 2"])]
        );
        assert_eq!(hunks(old, old), []);
    }

    #[test]
    fn words_of_errors_do_not_count_but_have_to_be_there() {
        let one = without_words("a\n  ! x.Error: no\n");
        assert_eq!(one, without_words("a\n  ! x.Error: not so\n"));
        assert_ne!(one, without_words("a\n  ! y.Error: no\n"));
        assert_ne!(one, without_words("a\n  ! x.Error: \n"));
    }

    #[test]
    fn other_calls_are_a_difference() {
        assert_eq!(hunks("a\nb\n", "a\n").len(), 1);
    }
}
