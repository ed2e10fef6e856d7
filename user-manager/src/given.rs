//! What usherd has read in the drop-ins of user@.service, as arguments: limits and files of variables.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::cli::Arguments;
use crate::failure::{Failure, Phase, warn};

/// A file of variables is no larger than this.
const SIZE_LIMIT: u64 = 1 << 20;

/// A resource limit, `NAME=SOFT:HARD`, in the kernel's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) resource: Resource,
    soft: u64,
    hard: u64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (name, values) = text.split_once('=')?;
            let (soft, hard) = values.split_once(':')?;
            let (_, resource) = RESOURCES.iter().find(|(known, _)| *known == name)?;
            let value =
                |text: &str| if text == "infinity" { Some(libc::RLIM_INFINITY) } else { text.parse().ok() };
            Some(Self { resource: *resource, soft: value(soft)?, hard: value(hard)? })
        };
        parse().ok_or_else(|| "expected NAME=SOFT:HARD".to_owned())
    }
}

impl Limit {
    /// Sets it, or as much of it as is permitted.
    pub(crate) fn set(&self, arguments: &Arguments) {
        let Err(error) = setrlimit(self.resource, self.soft, self.hard) else { return };
        let Ok((_, most)) = getrlimit(self.resource) else { return };
        let (soft, hard) = (self.soft.min(most), self.hard.min(most));
        let what =
            format!("cannot set {:?} to {}:{}, taking {soft}:{hard}", self.resource, self.soft, self.hard);
        warn(arguments, &what, &error);
        let _ = setrlimit(self.resource, soft, hard);
    }
}

const RESOURCES: [(&str, Resource); 16] = [
    ("CPU", Resource::RLIMIT_CPU),
    ("FSIZE", Resource::RLIMIT_FSIZE),
    ("DATA", Resource::RLIMIT_DATA),
    ("STACK", Resource::RLIMIT_STACK),
    ("CORE", Resource::RLIMIT_CORE),
    ("RSS", Resource::RLIMIT_RSS),
    ("NOFILE", Resource::RLIMIT_NOFILE),
    ("AS", Resource::RLIMIT_AS),
    ("NPROC", Resource::RLIMIT_NPROC),
    ("MEMLOCK", Resource::RLIMIT_MEMLOCK),
    ("LOCKS", Resource::RLIMIT_LOCKS),
    ("SIGPENDING", Resource::RLIMIT_SIGPENDING),
    ("MSGQUEUE", Resource::RLIMIT_MSGQUEUE),
    ("NICE", Resource::RLIMIT_NICE),
    ("RTPRIO", Resource::RLIMIT_RTPRIO),
    ("RTTIME", Resource::RLIMIT_RTTIME),
];

/// A file of variables; with a dash in front of its path, it may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VariablesFile {
    path: PathBuf,
    optional: bool,
}

impl FromStr for VariablesFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix('-');
        Ok(Self { path: path.unwrap_or(text).into(), optional: path.is_some() })
    }
}

impl VariablesFile {
    /// What is in it. Read here, and not by usherd, because it may be on a file system that hangs.
    pub(crate) fn variables(&self) -> Result<Vec<(String, String)>, Failure> {
        match read(&self.path) {
            Ok(text) => Ok(assignments(&text)),
            Err(_) if self.optional => Ok(Vec::new()),
            Err(error) => Err(Failure {
                phase: Phase::Variables,
                what: format!("cannot read EnvironmentFile {}: {error}", self.path.display()),
                advice: "a dash in front of the path, in the drop-in of user@.service, makes it optional",
            }),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let size = fs::metadata(path)?;
    if !size.is_file() || size.len() > SIZE_LIMIT {
        return Err(std::io::Error::other("not a regular file of at most 1 MiB"));
    }
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Shell-like assignments (systemd.exec(5), EnvironmentFile=): comments, quotation marks, a backslash at a line's end.
fn assignments(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.trim_start();
        if line.starts_with(['#', ';']) {
            rest = line.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (name, after) = line.split_at(line.find(['=', '\n']).unwrap_or(line.len()));
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = value(after);
        rest = after;
        let name = name.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.starts_with(|c: char| fits(c) && !c.is_ascii_digit())
            && name.chars().all(fits)
            && !value.contains('\0')
        {
            found.push((name.to_owned(), value));
        }
    }
    found
}

/// A value up to the end of its line, and what is after that.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    // Blanks at the end do not count, unless they are quoted.
    let mut kept = 0;
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '\n') => {
                value.truncate(kept);
                return (value, text.get(at..).unwrap_or_default());
            }
            (None, '\'' | '"') if value.is_empty() || kept == value.len() => {
                quote = Some(c);
                continue;
            }
            (Some(open), c) if c == open => {
                quote = None;
                kept = value.len();
                continue;
            }
            (None | Some('"'), '\\') => match chars.next() {
                Some((_, '\n')) | None => continue,
                Some((_, next)) if quote.is_none() || matches!(next, '"' | '\\' | '$' | '`') => {
                    value.push(next)
                }
                Some((_, next)) => value.extend(['\\', next]),
            },
            (None, c) if c.is_whitespace() && value.is_empty() => continue,
            (_, c) => value.push(c),
        }
        if quote.is_some() || !c.is_whitespace() {
            kept = value.len();
        }
    }
    value.truncate(kept);
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_a_shell_would() {
        let text = "# c\nA=1\n ; c=1\nB = b c  \nC='x y ' \nD=\"a\\\"b\\n\"\nE=long \\\nline\nnothing\n1F=x\nG=\nH='two\nlines'\nI=a\\ b";
        let expected = [
            ("A", "1"),
            ("B", "b c"),
            ("C", "x y "),
            ("D", "a\"b\\n"),
            ("E", "long line"),
            ("G", ""),
            ("H", "two\nlines"),
            ("I", "a b"),
        ];
        assert_eq!(assignments(text), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        for odd in ["", "=", "A", "A='", "A=\\", "\n\n=\n", "\u{e4}=1", "#"] {
            assert!(assignments(odd).len() <= 1, "{odd:?}");
        }
    }

    #[test]
    fn limits_have_a_name_and_two_values() {
        let limit: Limit = "NOFILE=5:infinity".parse().unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!((limit.soft, limit.hard), (5, libc::RLIM_INFINITY));
        for bad in ["", "NOFILE", "NOFILE=5", "FOO=1:2", "NOFILE=-1:2"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dash_makes_it_optional() {
        let parse = |text: &str| text.parse::<VariablesFile>().unwrap_or_else(|e| match e {});
        assert_eq!(parse("-/no/such").variables().unwrap_or_else(|e| unreachable!("{e:?}")), []);
        assert!(parse("/no/such").variables().is_err());
        assert!(parse("/dev/zero").variables().is_err());
    }
}
