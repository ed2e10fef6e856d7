//! One file of /etc/pam.d, as libpam splits it: logical lines, comments, words, controls (pam.d(5)).

use std::fmt;

use serde::Serialize;

use crate::control::Control;

/// A module's management group: the first word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Who is it?
    Auth,
    /// May the account be used?
    Account,
    /// Changing what authenticates.
    Password,
    /// What is done around a login.
    Session,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Password => "password",
            Self::Session => "session",
        })
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A module, or with [`Control::Include`] and [`Control::Substack`] another file.
    Module {
        /// Its group.
        group: Group,
        /// A dash stands before the group: nothing is logged when the module is not installed.
        quiet: bool,
        /// What its result does.
        control: Control,
        /// The module's file, or the included one.
        module: String,
        /// The module's arguments.
        arguments: Vec<String>,
    },
    /// `@include FILE` (Debian and Ubuntu): the lines of all groups.
    IncludeAll {
        /// The file.
        file: String,
    },
    /// Because of this line libpam takes nothing of the whole file.
    Fatal {
        /// What is wrong with it.
        reason: String,
    },
    /// libpam does not understand the line, and lets the stack fail at it.
    Broken {
        /// The group that fails, if the line names one; otherwise it is the one that libpam reads the file for, which
        /// is `auth` where it reads all of them.
        group: Option<Group>,
        /// What is wrong with it.
        reason: String,
    },
}

/// A logical line that is neither empty nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The first physical line, from 1.
    pub first: usize,
    /// The last physical line: another one than the first where lines end in a backslash.
    pub last: usize,
    /// What it says.
    pub statement: Statement,
}

/// Reads a file. Lines that make no sense come as [`Statement::Broken`]; bytes that are not UTF-8 are replaced.
pub fn parse(bytes: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut text = Vec::new();
    let mut first = 0;
    // A last line without its newline counts; an empty one behind the last newline does not matter.
    for (index, physical) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let content = trim_start(physical);
        // A comment in the middle of a continued line is passed over, as libpam does.
        if content.is_empty() || content.starts_with(b"#") {
            continue;
        }
        if text.is_empty() {
            first = number;
        }
        let comment = content.iter().position(|&byte| byte == b'#');
        let code = content.get(..comment.unwrap_or(content.len())).unwrap_or_default();
        // A comment ends the logical line, whatever it ends in.
        match trim_end(code).strip_suffix(b"\\").filter(|_| comment.is_none()) {
            Some(continued) => {
                text.extend_from_slice(continued);
                text.push(b' ');
            }
            None => {
                text.extend_from_slice(code);
                lines.extend(statement(&text).map(|statement| Line { first, last: number, statement }));
                text.clear();
            }
        }
    }
    if !text.is_empty() {
        let last = bytes.split(|&byte| byte == b'\n').count();
        let reason = "the file ends in a backslash, in the middle of a line".to_owned();
        lines.push(Line { first, last, statement: Statement::Fatal { reason } });
    }
    lines
}

/// What libpam takes for blanks; a carriage return is not one.
fn blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

fn statement(text: &[u8]) -> Option<Statement> {
    let words = words(text);
    let mut words = words.into_iter();
    let first = words.next()?;
    if first.eq_ignore_ascii_case("@include") {
        return Some(match words.next() {
            Some(file) => Statement::IncludeAll { file },
            None => Statement::Fatal { reason: "@include without a file".to_owned() },
        });
    }
    let (quiet, name) = match first.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, first.as_str()),
    };
    let group = match name.to_ascii_lowercase().as_str() {
        "auth" => Group::Auth,
        "account" => Group::Account,
        "password" => Group::Password,
        "session" => Group::Session,
        _ => {
            return Some(broken(
                None,
                format!("'{}' is not auth, account, password or session", first.escape_debug()),
            ));
        }
    };
    Some(rest(group, quiet, words))
}

fn rest(group: Group, quiet: bool, mut words: impl Iterator<Item = String>) -> Statement {
    let Some(word) = words.next() else { return broken(Some(group), "nothing stands behind the group") };
    let control = match Control::read(&word) {
        Ok(control) => control,
        Err(reason) => return broken(Some(group), reason),
    };
    let Some(module) = words.next() else {
        return broken(Some(group), format!("no module stands behind '{word}'"));
    };
    if module.ends_with('\r') {
        let reason = "the line ends in a carriage return, which libpam takes for a part of the module's name";
        return broken(Some(group), reason);
    }
    Statement::Module { group, quiet, control, module, arguments: words.collect() }
}

fn broken(group: Option<Group>, reason: impl Into<String>) -> Statement {
    Statement::Broken { group, reason: reason.into() }
}

/// Splits at blanks; what stands in square brackets is one word, in which `\]` is a bracket.
fn words(text: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = trim_start(rest);
        let Some(&byte) = rest.first() else { return words };
        let mut word = Vec::new();
        let length = if byte == b'[' {
            let mut length = 0;
            while let Some(&byte) = rest.get(length) {
                length += 1;
                if byte == b'\\' && rest.get(length) == Some(&b']') {
                    continue;
                }
                let escaped = length > 1 && rest.get(length - 2) == Some(&b'\\');
                word.push(byte);
                if byte == b']' && !escaped {
                    break;
                }
            }
            length
        } else {
            let length = rest.iter().position(blank).unwrap_or(rest.len());
            word.extend_from_slice(rest.get(..length).unwrap_or_default());
            length
        };
        words.push(String::from_utf8_lossy(&word).into_owned());
        rest = rest.get(length..).unwrap_or_default();
    }
}
