//! packaging/usher.conf, read as the text about the settings that it is: usher.conf(5) is made of its comments, so that one
//! text serves both.

/// A piece of the file, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `# ---- Logout ----`
    Heading(String),
    /// Keys with their defaults, and what is said of them.
    Setting { keys: Vec<(String, String)>, text: Vec<Block> },
    /// What is said of no single key, and lines that show an example of it.
    Text { text: Vec<Block>, example: String },
}

/// A piece of a comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Paragraph(String),
    /// Words and their meanings.
    Terms(Vec<(String, String)>),
    /// Lines that stay as they are.
    Lines(String),
}

/// Takes the file apart. What stands before the first section is the introduction: the first part.
pub(super) fn parts(file: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for group in file.split("\n\n").map(|group| group.trim_matches('\n')).filter(|group| !group.is_empty()) {
        let mut comment = Vec::new();
        let mut keys: Vec<(String, String)> = Vec::new();
        let mut example = String::new();
        for line in group.lines() {
            let heading = line.strip_prefix("# ---- ").and_then(|rest| rest.strip_suffix(" ----"));
            match (heading, line.strip_prefix('#')) {
                (Some(heading), _) => parts.push(Part::Heading(heading.to_owned())),
                // Only [Login].
                (None, None) => {}
                (None, Some(rest)) => match assignment(rest) {
                    Some(_) if !example.is_empty() => example += &format!("{rest}\n"),
                    Some((key, value)) => match keys.last_mut().filter(|(last, _)| last == key) {
                        Some((_, all)) => *all += &format!(" {value}"),
                        None => keys.push((key.to_owned(), value.to_owned())),
                    },
                    None if rest.starts_with('[') => example += &format!("{rest}\n"),
                    None => comment.push(rest.strip_prefix(' ').unwrap_or(rest)),
                },
            }
        }
        let text = blocks(&comment);
        if !keys.is_empty() {
            parts.push(Part::Setting { keys, text });
        } else if !text.is_empty() || !example.is_empty() {
            parts.push(Part::Text { text, example });
        }
    }
    parts
}

/// `Key=value` right behind the `#`; one that is an example, not the default, has a blank before it and nothing behind.
fn assignment(rest: &str) -> Option<(&str, &str)> {
    let example = rest.starts_with(' ');
    let (key, value) = rest.trim_start().split_once('=')?;
    let is_key =
        key.starts_with(|c: char| c.is_ascii_uppercase()) && key.chars().all(|c| c.is_ascii_alphanumeric());
    match (is_key, example) {
        (true, false) => Some((key, value)),
        (true, true) if !value.contains(' ') && !value.is_empty() => Some((key, "")),
        _ => None,
    }
}

fn blocks(comment: &[&str]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fresh = true;
    for line in comment {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim();
        let term = split_term(text);
        if text.is_empty() {
            fresh = true;
            continue;
        }
        match (blocks.last_mut(), term) {
            (Some(Block::Terms(terms)), _) if !fresh && indent > 11 => {
                if let Some((_, meaning)) = terms.last_mut() {
                    *meaning += &format!(" {text}");
                }
            }
            (Some(Block::Terms(terms)), Some((word, meaning))) if !fresh => {
                let key = terms.iter().rev().find_map(|(term, _)| Some(term.split_once('=')?.0));
                let word = match key {
                    Some(key) if indent == key.len() + 1 => format!("{key}={word}"),
                    _ => word.to_owned(),
                };
                terms.push((word, meaning.to_owned()));
            }
            (_, Some((word, meaning))) => {
                blocks.push(Block::Terms(vec![(word.to_owned(), meaning.to_owned())]))
            }
            (Some(Block::Paragraph(all)), None) if !fresh && indent < 2 && !text.starts_with('[') => {
                *all += &format!(" {text}");
            }
            (Some(Block::Lines(all)), None) if indent >= 2 || text.starts_with('[') => {
                *all += &format!("\n{text}")
            }
            (_, None) if indent >= 2 || text.starts_with('[') => blocks.push(Block::Lines(text.to_owned())),
            _ => blocks.push(Block::Paragraph(text.to_owned())),
        }
        fresh = false;
    }
    blocks
}

/// A word and its meaning, with a gap between.
fn split_term(text: &str) -> Option<(&str, &str)> {
    let (word, meaning) = text.split_once("  ")?;
    Some((word.trim(), meaning.trim())).filter(|(word, meaning)| !word.is_empty() && !meaning.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_text() {
        let file = "# x.conf: settings\n#\n# More.\n\n[Login]\n\n# ---- Logout ----\n\n# How long:\n#   auto   as it\n\
                    #                  comes\n#   never  not\n# And more.\n#Delay=10s\n#Delay=20s\n\n# An example:\n# Files=4K\n\n\
                    # For one.\n# [Service a]\n# Manager=start  it is started\n#         none   it is not\n#[Service b]\n#Class=c\n";
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        let term = |word: &str, meaning: &str| (word.to_owned(), meaning.to_owned());
        let expected = [
            Part::Text {
                text: vec![paragraph("x.conf: settings"), paragraph("More.")],
                example: String::new(),
            },
            Part::Heading("Logout".to_owned()),
            Part::Setting {
                keys: vec![term("Delay", "10s 20s")],
                text: vec![
                    paragraph("How long:"),
                    Block::Terms(vec![term("auto", "as it comes"), term("never", "not")]),
                    paragraph("And more."),
                ],
            },
            Part::Setting { keys: vec![term("Files", "")], text: vec![paragraph("An example:")] },
            Part::Text {
                text: vec![
                    paragraph("For one."),
                    Block::Lines("[Service a]".to_owned()),
                    Block::Terms(vec![
                        term("Manager=start", "it is started"),
                        term("Manager=none", "it is not"),
                    ]),
                ],
                example: "[Service b]\nClass=c\n".to_owned(),
            },
        ];
        assert_eq!(parts(file), expected);
    }
}
