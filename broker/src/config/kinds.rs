//! Every user manager that there is a definition of, chosen or not, and whether it is installed: for whoever wonders what to
//! choose.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Choices, Definition, Files, definition};

/// A user manager that could be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// By this name.
    pub name: String,
    /// Whether Manager= names it.
    pub is_default: bool,
    /// Whether ManagerOf= names it.
    pub is_chosen: bool,
    /// What it is, or why nobody knows.
    pub definition: Result<Definition, String>,
    /// The program that would be run: the first one that is installed.
    pub program: Option<String>,
}

/// All of them, by name. What is chosen is as it was when the configuration was read; the others are as they are now.
pub fn kinds(files: &dyn Files, choices: &Choices, installed: impl Fn(&Path) -> bool) -> Vec<Kind> {
    let chosen: BTreeSet<&str> = choices.known().map(|(name, _)| name).collect();
    let others = definition::names(files).into_iter().filter(|name| !chosen.contains(name.as_str()));
    // Mistakes are in the error, too.
    let others = others.map(|name| {
        let definition = definition::load(files, &name, &mut Vec::new());
        (name, definition)
    });
    let known = choices.known().map(|(name, known)| {
        let definition = known.as_ref().map(|definition| Definition::clone(definition)).map_err(Clone::clone);
        (name.to_owned(), definition)
    });
    let mut kinds: Vec<_> = known
        .chain(others)
        .map(|(name, definition)| {
            let programs = definition.iter().flat_map(|definition| &definition.start);
            let mut programs = programs.filter_map(|words| words.first());
            let program = programs.find(|program| installed(Path::new(program))).cloned();
            let is_default = choices.default_name() == Some(&name);
            Kind { is_default, is_chosen: choices.is_special(&name), name, definition, program }
        })
        .collect();
    kinds.sort_by(|a, b| a.name.cmp(&b.name));
    kinds
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::Fake;
    use super::*;

    #[test]
    fn chosen_ones_and_others() {
        let files = Fake::default()
            .with("/etc/usher/usher.conf", "[Login]\nManagerOf=alice:mine bob:gone\n")
            .with("/etc/usher/managers/mine.conf", "[Manager]\nStart=/bin/no\nStart=/bin/mine\n")
            .with("/etc/usher/managers/odd.conf", "[Manager]\nStart=odd\n")
            .with("/etc/usher/managers/odd.conf.bak", "");
        let choices = load(&files).choices;
        let kinds = kinds(&files, &choices, |path| path == Path::new("/bin/mine"));
        let told: Vec<_> = kinds
            .iter()
            .map(|kind| {
                let error = kind.definition.as_ref().err().is_some();
                (&*kind.name, kind.is_default, kind.is_chosen, kind.program.as_deref(), error)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("dinit", false, false, None, false),
                ("gone", false, true, None, true),
                ("mine", false, true, Some("/bin/mine"), false),
                ("none", false, false, None, false),
                ("odd", false, false, None, true),
                ("openrc", false, false, None, false),
                ("runit", false, false, None, false),
                ("s6", false, false, None, false),
                ("systemd", true, false, None, false),
            ]
        );
    }
}
