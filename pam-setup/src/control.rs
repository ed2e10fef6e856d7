//! Controls: what a module's result means for the stack (pam.d(5)).

use std::fmt;

/// What a module's result does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// Success, if nothing failed before.
    Ok,
    /// As [`Action::Ok`], and the stack ends.
    Done,
    /// Failure.
    Bad,
    /// Failure, and the stack ends.
    Die,
    /// What was before is forgotten.
    Reset,
    /// The next so many modules are passed over.
    Jump(u32),
}

/// The second word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Its failure fails the stack, which runs on.
    Required,
    /// Its failure ends the stack.
    Requisite,
    /// Its success ends the stack.
    Sufficient,
    /// Counts only when nothing else does.
    Optional,
    /// The lines of the same group of another file, in place of this line.
    Include,
    /// The same, but what ends that stack does not end this one.
    Substack,
    /// `[result=action ...]`, with the results' names in small letters.
    Actions(Vec<(String, Action)>),
}

impl Control {
    /// How many modules it may pass over, at most.
    pub fn longest_jump(&self) -> u32 {
        let Self::Actions(actions) = self else { return 0 };
        let jumps = actions.iter().map(|(_, action)| if let Action::Jump(by) = action { *by } else { 0 });
        jumps.max().unwrap_or(0)
    }

    /// Whether a module that fails makes the login fail.
    pub fn failure_counts(&self) -> bool {
        match self {
            Self::Required | Self::Requisite => true,
            // pam.d(5): a result that is not named, with no "default", is bad.
            Self::Actions(actions) => {
                actions.iter().any(|(_, action)| matches!(action, Action::Bad | Action::Die))
                    || !actions.iter().any(|(result, _)| result == "default")
            }
            _ => false,
        }
    }

    /// Whether a module that succeeds ends the stack.
    pub fn success_ends(&self) -> bool {
        match self {
            Self::Sufficient => true,
            Self::Actions(actions) => {
                let named = |word: &str| actions.iter().find(|(result, _)| result == word);
                let success = named("success").or_else(|| named("default"));
                matches!(success, Some((_, Action::Done | Action::Die)))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignore => f.write_str("ignore"),
            Self::Ok => f.write_str("ok"),
            Self::Done => f.write_str("done"),
            Self::Bad => f.write_str("bad"),
            Self::Die => f.write_str("die"),
            Self::Reset => f.write_str("reset"),
            Self::Jump(by) => by.fmt(f),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("required"),
            Self::Requisite => f.write_str("requisite"),
            Self::Sufficient => f.write_str("sufficient"),
            Self::Optional => f.write_str("optional"),
            Self::Include => f.write_str("include"),
            Self::Substack => f.write_str("substack"),
            Self::Actions(actions) => {
                let pairs: Vec<_> =
                    actions.iter().map(|(result, action)| format!("{result}={action}")).collect();
                write!(f, "[{}]", pairs.join(" "))
            }
        }
    }
}

impl Control {
    /// Reads the word; what is wrong with one that libpam does not know.
    pub(crate) fn read(word: &str) -> Result<Self, String> {
        let Some(inside) = word.strip_prefix('[') else {
            return match word.to_ascii_lowercase().as_str() {
                "required" => Ok(Control::Required),
                "requisite" => Ok(Control::Requisite),
                "sufficient" => Ok(Control::Sufficient),
                "optional" => Ok(Control::Optional),
                "include" => Ok(Control::Include),
                "substack" => Ok(Control::Substack),
                _ => Err(format!("'{word}' is not a control that libpam knows")),
            };
        };
        let inside = inside.strip_suffix(']').ok_or_else(|| format!("'{word}' lacks its closing bracket"))?;
        let pairs = inside.replace('=', " = ");
        let mut words = pairs.split_ascii_whitespace();
        let mut actions = Vec::new();
        while let Some(result) = words.next() {
            let result = result.to_ascii_lowercase();
            if !RESULTS.contains(&result.as_str()) {
                return Err(format!("'{result}' in {word} is not a result that libpam knows"));
            }
            let (Some("="), Some(value)) = (words.next(), words.next()) else {
                return Err(format!("'{result}' in {word} has no action"));
            };
            actions.push((
                result,
                action(value).ok_or_else(|| format!("'{value}' in {word} is not an action"))?,
            ));
        }
        Ok(Control::Actions(actions))
    }
}

fn action(word: &str) -> Option<Action> {
    match word.to_ascii_lowercase().as_str() {
        "ignore" => Some(Action::Ignore),
        "ok" => Some(Action::Ok),
        "done" => Some(Action::Done),
        "bad" => Some(Action::Bad),
        "die" => Some(Action::Die),
        "reset" => Some(Action::Reset),
        // pam.d(5): zero is not allowed.
        number => number.parse().ok().filter(|&by: &u32| by > 0).map(Action::Jump),
    }
}

/// pam.d(5): what may stand before the equals sign.
const RESULTS: [&str; 33] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
    "default",
];
