//! What a check comes to.

use serde::Serialize;

/// How bad it is. In the order of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nothing is wrong; worth knowing.
    Note,
    /// It works, but not as one would expect, or not for long.
    Warning,
    /// Something does not work.
    Problem,
    /// It could not be looked at; the finding says why.
    Skipped,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Note, Self::Warning, Self::Problem, Self::Skipped];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check has found out about one thing. A check that looks at several things has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check; stays the same from version to version.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub finding: String,
    /// What to do, in a sentence; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, finding: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, finding, "")
    }

    /// Worth knowing.
    pub fn note(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Note, finding, advice)
    }

    /// Not as it should be.
    pub fn warning(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, finding, advice)
    }

    /// Does not work.
    pub fn problem(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, finding, advice)
    }

    /// Not looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, why, advice)
    }

    fn new(
        check: &'static str,
        verdict: Verdict,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check, verdict, finding: finding.into(), advice: advice.into() }
    }
}
