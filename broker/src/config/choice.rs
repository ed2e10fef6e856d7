//! Whose manager is which: by user, by group, and by machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::{self, Definition};
use super::settings::{Manager, ManagerOf, Settings, Whose};
use super::{Files, Warning, about_file};

/// What a manager is called that `Manager=` gives the command of.
const COMMAND: &str = "command";

/// Every choice that the configuration makes, with the definitions that it names.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    machine: Option<String>,
    special: Vec<ManagerOf>,
    known: BTreeMap<String, Result<Arc<Definition>, String>>,
}

/// Which manager a user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// None at all.
    Nothing,
    /// This one; under which name, and what it is or why nobody knows.
    This(String, Result<Arc<Definition>, String>),
    /// That depends on the groups of which the user is a member: these, in this order.
    ByGroup(Vec<String>),
}

impl Choices {
    /// Those of the settings. What is wrong with a definition is told at once, not at the first login.
    pub(super) fn of(files: &dyn Files, settings: &Settings, warnings: &mut Vec<Warning>) -> Self {
        let mut choices =
            Self { machine: None, special: settings.manager_of.clone(), known: BTreeMap::new() };
        match &settings.manager {
            Manager::None => {}
            Manager::Named(name) => choices.machine = Some(name.clone()),
            Manager::Command(words) => {
                choices.machine = Some(COMMAND.to_owned() + ":");
                let definition = Definition::of_command(words.clone());
                choices.known.insert(COMMAND.to_owned() + ":", Ok(Arc::new(definition)));
            }
        }
        let named = choices.machine.iter().map(|name| (name.clone(), "Manager"));
        let special = settings.manager_of.iter().map(|entry| (entry.manager.clone(), "ManagerOf"));
        let named: Vec<_> = named.chain(special).collect();
        for (name, key) in named {
            if choices.known.contains_key(&name) {
                continue;
            }
            let told = warnings.len();
            let definition = definition::load(files, &name, warnings);
            if let Err(why) = &definition
                && warnings.len() == told
            {
                let mut warning = about_file("/etc/usher/usher.conf".as_ref(), why.clone());
                warning.key = key.to_owned();
                warnings.push(warning);
            }
            choices.known.insert(name, definition.map(Arc::new));
        }
        choices
    }

    /// The choice for a user of whose groups nothing is known.
    pub fn of_user(&self, user: &str) -> Choice {
        let own = self.special.iter().find(|entry| entry.whose == Whose::User(user.to_owned()));
        if let Some(entry) = own {
            return self.named(&entry.manager);
        }
        let groups: Vec<_> = self.groups().map(|(group, _)| group.to_owned()).collect();
        if groups.is_empty() { self.of_machine() } else { Choice::ByGroup(groups) }
    }

    /// The choice for a user who is in these groups and is not named himself.
    pub fn of_member(&self, member_of: &[String]) -> Choice {
        let first = self.groups().find(|(group, _)| member_of.iter().any(|name| name == group));
        first.map_or_else(|| self.of_machine(), |(_, manager)| self.named(manager))
    }

    /// What that name stands for.
    pub fn named(&self, name: &str) -> Choice {
        match self.known.get(name) {
            Some(Ok(definition)) if definition.start.is_empty() && !definition.external => Choice::Nothing,
            Some(known) => Choice::This(name.to_owned(), known.clone()),
            None => {
                Choice::This(name.to_owned(), Err(format!("usher.conf names no manager '{name}' any more")))
            }
        }
    }

    /// What the choices name, and what that is.
    pub(super) fn known(&self) -> impl Iterator<Item = (&str, &Result<Arc<Definition>, String>)> {
        self.known.iter().map(|(name, known)| (name.as_str(), known))
    }

    /// The name of the manager of those who have no other.
    pub(super) fn default_name(&self) -> Option<&String> {
        self.machine.as_ref()
    }

    /// Whether a manager is that of some users or groups only.
    pub(super) fn is_special(&self, name: &str) -> bool {
        self.special.iter().any(|entry| entry.manager == name)
    }

    fn of_machine(&self) -> Choice {
        self.machine.as_deref().map_or(Choice::Nothing, |name| self.named(name))
    }

    fn groups(&self) -> impl Iterator<Item = (&str, &str)> {
        self.special.iter().filter_map(|entry| match &entry.whose {
            Whose::Group(group) => Some((group.as_str(), entry.manager.as_str())),
            Whose::User(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::Fake;
    use super::*;

    fn name_of(choice: Choice) -> String {
        match choice {
            Choice::Nothing => "nothing".to_owned(),
            Choice::This(name, Ok(_)) => name,
            Choice::This(name, Err(why)) => format!("{name}? {why}"),
            Choice::ByGroup(groups) => format!("by {}", groups.join(" ")),
        }
    }

    #[test]
    fn users_before_groups_before_the_machine() {
        let text = "[Login]\nManagerOf=alice:s6 @wheel:runit @other:dinit bob:none\n";
        let loaded = load(&Fake::default().with("/etc/usher/usher.conf", text));
        assert_eq!(loaded.warnings, []);
        let choices = loaded.choices;
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(name_of(choices.of_user("alice")), "s6");
        assert_eq!(name_of(choices.of_user("bob")), "nothing");
        assert_eq!(name_of(choices.of_user("carol")), "by wheel other");
        assert_eq!(name_of(choices.of_member(&groups(&["other", "wheel"]))), "runit");
        assert_eq!(name_of(choices.of_member(&groups(&["other"]))), "dinit");
        assert_eq!(name_of(choices.of_member(&[])), "systemd");
    }

    #[test]
    fn the_administrators_definition_counts_and_mistakes_are_told_at_once() {
        let files = || {
            Fake::default()
                .with("/etc/usher/usher.conf", "[Login]\nManager=mine\nManagerOf=alice:gone bob:s6\n")
        };
        let good = files()
            .with("/etc/usher/managers/mine.conf", "[Manager]\nStart=/bin/mine\n")
            .with("/usr/lib/usher/managers/mine.conf", "[Manager]\nStart=mine\n")
            .with("/etc/usher/managers/s6.conf", "[Manager]\nStart=/bin/s6\nReadiness=never\n");
        let loaded = load(&good);
        let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("/etc/usher/usher.conf: ManagerOf: there is no gone.conf in /etc"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("/etc/usher/managers/s6.conf:3: Readiness: 'never' is refused"),
            "{told:?}"
        );
        assert_eq!(name_of(loaded.choices.of_user("carol")), "mine");
        assert!(name_of(loaded.choices.of_user("bob")).starts_with("s6? /etc/usher/managers/s6.conf:3"));
        assert!(name_of(loaded.choices.of_user("alice")).starts_with("gone? there is no gone.conf"));
    }

    #[test]
    fn a_command_and_nothing() {
        let choices = |line: &str| {
            load(&Fake::default().with("/etc/usher/usher.conf", &format!("[Login]\n{line}\n"))).choices
        };
        let Choice::This(_, Ok(definition)) = choices("Manager=/bin/a b").of_user("x") else { panic!() };
        assert_eq!(definition.start, [["/bin/a", "b"]]);
        assert_eq!(name_of(choices("Manager=none").of_user("x")), "nothing");
    }
}
