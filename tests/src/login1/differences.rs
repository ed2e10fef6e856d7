//! The table of accepted differences. Its paragraphs:
//!
//! ```text
//! # Why usherd does something else, in one or more lines.
//! in: SCENARIO
//! @ the call after which the lines stand
//! -  what logind does
//! +  what usherd does
//! @ another call, with the same reason
//! …
//! ```
//!
//! These lines, and no others, may stand in for each other after that call. If they do not, the entry has to go.

use super::compare::{Hunk, show};

/// What is accepted in a scenario, or what is wrong with the table.
pub(super) fn of(scenario: &str, table: &str) -> Result<Vec<Hunk>, String> {
    let mut accepted = Vec::new();
    let paragraphs = table.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    for paragraph in paragraphs.filter(|paragraph| paragraph.lines().any(|line| !line.starts_with('#'))) {
        let wrong = |what: &str| Err(format!("{what} in\n{paragraph}"));
        let Some(of) = paragraph.lines().find_map(|line| line.strip_prefix("in: ")) else {
            return wrong("no `in:`");
        };
        if !paragraph.starts_with("# ") {
            return wrong("no reason");
        }
        let mut hunks: Vec<Hunk> = Vec::new();
        for line in paragraph.lines().filter(|line| !line.starts_with('#') && !line.starts_with("in: ")) {
            if let Some(call) = line.strip_prefix("@ ") {
                hunks.push(Hunk { after: call.to_owned(), removed: Vec::new(), added: Vec::new() });
                continue;
            }
            match (hunks.last_mut(), line.strip_prefix('-'), line.strip_prefix('+')) {
                (Some(hunk), Some(removed), _) => hunk.removed.push(removed.to_owned()),
                (Some(hunk), _, Some(added)) => hunk.added.push(added.to_owned()),
                _ => return wrong(&format!("`{line}` is neither a call nor a difference,")),
            }
        }
        if of == scenario {
            accepted.append(&mut hunks);
        }
    }
    Ok(accepted)
}

/// What is not accepted, and what is accepted and is not there; empty if all is as it should be.
pub(super) fn judge(hunks: &[Hunk], accepted: &[Hunk]) -> String {
    let missing = |of: &[Hunk], among: &[Hunk]| -> Vec<Hunk> {
        of.iter().filter(|hunk| !among.contains(hunk)).cloned().collect()
    };
    let (unlisted, gone) = (missing(hunks, accepted), missing(accepted, hunks));
    let mut verdict = show(&unlisted);
    if !gone.is_empty() {
        verdict.push_str("listed, but no difference any more:\n");
        verdict.push_str(&show(&gone));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::compare::hunks;
    use super::{judge, of};

    const TABLE: &str =
        "# The table.\n\n# Because.\nin: x\n@ a\n-  = 1\n+  = 2\n@ b\n-  = 3\n\n# So.\nin: y\n@ a\n-  = 3\n";
    const OLD: &str = "a\n  = 1\nb\n  = 3\n";

    #[test]
    fn listed_differences_are_accepted_and_others_are_not() {
        let accepted = of("x", TABLE).unwrap();
        assert_eq!(accepted.len(), 2);
        assert_eq!(judge(&hunks(OLD, "a\n  = 2\nb\n"), &accepted), "");
        let verdict = judge(&hunks(OLD, "a\n  = 4\nb\n"), &accepted);
        assert!(verdict.contains("+  = 4") && verdict.contains("listed, but"), "{verdict}");
    }

    #[test]
    fn a_difference_is_accepted_after_its_call_only() {
        let accepted = of("x", TABLE).unwrap();
        let verdict = judge(&hunks("c\n  = 1\n", "c\n  = 2\n"), &accepted);
        assert!(verdict.starts_with("@ c\n"), "{verdict}");
    }

    #[test]
    fn an_entry_has_a_reason_and_a_scenario() {
        assert!(of("x", "in: x\n@ a\n-a\n").is_err());
        assert!(of("x", "# Because.\n@ a\n-a\n").is_err());
        assert!(of("x", "# Because.\nin: x\n-a\n").is_err());
    }
}
