//! The module's arguments, as they stand in /etc/pam.d (contract/pam.md section 1).

use crate::documented::{ARGUMENTS, Argument};
use crate::pam::{Pam, Severity};
use crate::text::{boolean, printable};

/// What the administrator says. The words for class and type are looked at only where nothing of higher rank is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) class: String,
    pub(crate) kind: String,
    pub(crate) desktop: String,
    pub(crate) debug: bool,
}

impl Arguments {
    /// Reads the arguments; one that is not known gets a warning and is otherwise ignored.
    pub(crate) fn read(words: &[String], pam: &impl Pam) -> Self {
        let mut arguments = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match ARGUMENTS.iter().find(|known| known.name == name).map(|known| known.argument) {
                Some(Argument::Class) => value.clone_into(&mut arguments.class),
                Some(Argument::Kind) => value.clone_into(&mut arguments.kind),
                Some(Argument::Desktop) => value.clone_into(&mut arguments.desktop),
                Some(Argument::Debug) if word == name => arguments.debug = true,
                Some(Argument::Debug) => match boolean(value) {
                    Some(debug) => arguments.debug = debug,
                    None => warn(pam, word, "is neither yes nor no"),
                },
                None => warn(pam, word, "is not an argument of this module"),
            }
        }
        arguments
    }
}

fn warn(pam: &impl Pam, word: &str, why: &str) {
    let line = format!("'{}' in /etc/pam.d {why}, ignored", printable(word, 100));
    pam.log(Severity::Warning, &line);
}
