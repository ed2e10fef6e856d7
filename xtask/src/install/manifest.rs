//! What was installed, written down: one line for each file, link and directory. `cargo xtask uninstall` goes by it, and
//! by nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::table::Kind;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// From the root of the machine.
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A directory that was made for what is in it.
    Directory,
    /// A link and what it says.
    Link(String),
    /// A file that nobody is to change, and the digest of its bytes.
    File(String),
    /// A file that is the administrator's, and the digest of its bytes as they were installed.
    Configuration(String),
}

impl What {
    /// A file's, with these bytes.
    pub(crate) fn of_file(kind: Kind, bytes: &[u8]) -> Self {
        match kind {
            Kind::Configuration => Self::Configuration(digest(bytes)),
            _ => Self::File(digest(bytes)),
        }
    }
}

/// SHA-256, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text of a manifest.
pub(crate) fn written(lines: &[Line]) -> String {
    let mut text =
        "# What `cargo xtask install` has installed; `cargo xtask uninstall` goes by it.\n".to_owned();
    for Line { path, what } in lines {
        let path = path.display();
        // Writing to a String cannot fail.
        let _ = match what {
            What::Directory => writeln!(text, "directory - {path}"),
            What::Link(target) => writeln!(text, "link {target} {path}"),
            What::File(digest) => writeln!(text, "file {digest} {path}"),
            What::Configuration(digest) => writeln!(text, "configuration {digest} {path}"),
        };
    }
    text
}

/// Reads a manifest.
///
/// # Errors
/// It is not one: better to remove nothing than the wrong thing.
pub(crate) fn read(text: &str) -> Result<Vec<Line>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    lines.map(|(index, line)| parse(line).with_context(|| format!("line {}: {line:?}", index + 1))).collect()
}

fn parse(line: &str) -> Result<Line> {
    let mut words = line.splitn(3, ' ');
    let (Some(kind), Some(detail), Some(path)) = (words.next(), words.next(), words.next()) else {
        bail!("expected three words");
    };
    let path = Path::new(path);
    if !path.is_absolute() || path.components().any(|part| part == std::path::Component::ParentDir) {
        bail!("expected an absolute path without `..`");
    }
    let detail = detail.to_owned();
    let what = match kind {
        "directory" => What::Directory,
        "link" => What::Link(detail),
        "file" => What::File(detail),
        "configuration" => What::Configuration(detail),
        _ => bail!("expected directory, link, file or configuration"),
    };
    Ok(Line { path: path.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let line = |path: &str, what| Line { path: path.into(), what };
        let lines = [
            line("/usr/lib/usher", What::Directory),
            line("/usr/bin/loginctl", What::Link("usherctl".into())),
            line("/opt/a b/usherd", What::of_file(Kind::Program, b"x")),
            line("/etc/usher/usher.conf", What::of_file(Kind::Configuration, b"")),
        ];
        assert_eq!(read(&written(&lines)).unwrap(), lines);
    }

    #[test]
    fn what_is_no_manifest_removes_nothing() {
        for text in
            ["file", "file 00", "file 00 etc/passwd", "file 00 /usr/../etc/passwd", "thing - /etc", ""]
        {
            assert!(read(&format!("{text}\n")).is_err(), "{text}");
        }
    }
}
