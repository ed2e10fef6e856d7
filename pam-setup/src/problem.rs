//! What is wrong, where, and what to do.

use std::fmt;

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, with consequences that are worth knowing.
    Warning,
    /// libpam fails over this, or logins are not what they should be.
    Error,
}

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as the machine it belongs to sees it: `/etc/pam.d/sshd`.
    pub file: String,
    /// The line in it, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is the matter.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

impl Problem {
    pub(crate) fn error(at: (&str, usize), text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Error, at, text, advice)
    }

    pub(crate) fn warning(at: (&str, usize), text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Warning, at, text, advice)
    }

    fn new(
        severity: Severity,
        (file, line): (&str, usize),
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity, file: file.to_owned(), line, text: text.into(), advice: advice.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}; {}", self.text, self.advice)
    }
}
