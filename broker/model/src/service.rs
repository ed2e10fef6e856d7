//! What the administrator says of the sessions of a PAM service: the `[Service …]` sections of usher.conf. The program that
//! opens the session is known best by its service's name, and that name is root's to choose.

use std::collections::BTreeMap;
use std::fmt;

use usher_protocol::session::{SessionClass, UnknownWord};

/// The service of user managers. Nobody but usher has a say in it.
pub const MANAGER_SERVICE: &str = "systemd-user";

/// Nothing in between: words have one spelling, on file and in usher.conf.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Manager=: what a session has to do with its user's manager.
    ManagerUse {
        /// It is started where the session's class wants one, and waited for.
        #[default]
        Start = "start",
        /// One that runs is kept; none is started or waited for.
        Reuse = "reuse",
        /// None is started, waited for or kept.
        None = "none",
    }
}

words! {
    /// Cgroup=: where a session's processes are.
    CgroupUse {
        /// In a cgroup of the session's own, which usher makes and removes.
        #[default]
        Create = "create",
        /// Where the leader already is: another daemon's cgroup, which is watched and otherwise left alone.
        Adopt = "adopt",
        /// Not tracked: the session ends with its leader.
        Off = "off",
    }
}

words! {
    /// Nested=: what a login from inside a session gets.
    Nested {
        /// Nothing: it stays in that session.
        #[default]
        Inherit = "inherit",
        /// No session, but the target user's runtime directory, if there is one.
        RuntimeOnly = "runtime-only",
        /// A session of its own.
        New = "new",
    }
}

/// Class=: the class of a service's sessions, whatever the login says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassRule {
    /// This one.
    Is(SessionClass),
    /// No session at all.
    NoSession,
}

impl std::str::FromStr for ClassRule {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        if word == "none" { Ok(Self::NoSession) } else { word.parse().map(Self::Is) }
    }
}

impl ClassRule {
    /// The class of a login that says of itself that it is of `asked`; `None`: it gets no session.
    fn apply(self, asked: SessionClass) -> Option<SessionClass> {
        match (self, asked) {
            (Self::NoSession, _) => None,
            // That the home directory is still locked away is a fact, not a wish.
            (Self::Is(SessionClass::User), SessionClass::UserIncomplete) => Some(asked),
            (Self::Is(class), _) => Some(class),
        }
    }
}

/// What one section says; nothing where it is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Class.
    pub class: Option<ClassRule>,
    /// Manager.
    pub manager: Option<ManagerUse>,
    /// Cgroup.
    pub cgroup: Option<CgroupUse>,
    /// Nested.
    pub nested: Option<Nested>,
    /// Seat: whether the service's word about seat and terminal is taken. Outranks DisplayManagers=.
    pub seat: Option<bool>,
}

impl Rules {
    fn or(self, other: Self) -> Self {
        Self {
            class: self.class.or(other.class),
            manager: self.manager.or(other.manager),
            cgroup: self.cgroup.or(other.cgroup),
            nested: self.nested.or(other.nested),
            seat: self.seat.or(other.seat),
        }
    }

    /// The class of a session whose login says that it is of `asked`; `None`: there is to be none.
    pub fn class_for(&self, asked: SessionClass) -> Option<SessionClass> {
        self.class.map_or(Some(asked), |rule| rule.apply(asked))
    }
}

/// The name of a section: a PAM service, or the beginning of several, as `gdm*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName(String);

impl ServiceName {
    /// Checks a name.
    ///
    /// # Errors
    /// What it has to look like.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        let stem = name.strip_suffix('*').unwrap_or(name);
        if name == MANAGER_SERVICE {
            return Err("the session of a user's manager is usher's own business");
        }
        if name.is_empty()
            || name.len() > 255
            || stem.contains(|c: char| c == '*' || c == '/' || c.is_control())
        {
            return Err("expected the name of a file in /etc/pam.d, or the beginning of several as in gdm*");
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All sections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services {
    sections: BTreeMap<ServiceName, Rules>,
}

impl Services {
    /// Changes what is said of exactly that name.
    pub fn change(&mut self, name: ServiceName, change: impl FnOnce(&mut Rules)) {
        let mut rules = self.sections.get(&name).copied().unwrap_or_default();
        change(&mut rules);
        if rules == Rules::default() {
            self.sections.remove(&name);
        } else {
            self.sections.insert(name, rules);
        }
    }

    /// What holds for a service. Key by key the section with its very name counts, then those with the beginnings of it, the
    /// longest first.
    pub fn of(&self, service: &str) -> Rules {
        if service == MANAGER_SERVICE {
            return Rules::default();
        }
        // In order, a longer beginning of the same text comes after a shorter one.
        let stems = self
            .sections
            .iter()
            .rev()
            .filter(|(name, _)| name.0.strip_suffix('*').is_some_and(|stem| service.starts_with(stem)));
        let exact = self.sections.iter().find(|(name, _)| name.0 == service).map(|(_, rules)| *rules);
        let exact = exact.unwrap_or_default();
        stems.fold(exact, |rules, (_, other)| rules.or(*other))
    }

    /// Whether any service's sessions are anywhere but in cgroups of their own.
    pub(crate) fn leave_some_elsewhere(&self) -> bool {
        self.sections.values().any(|rules| rules.cgroup.is_some_and(|cgroup| cgroup != CgroupUse::Create))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    #[test]
    fn the_closest_section_counts_key_by_key() {
        let mut services = Services::default();
        services.change(name("*"), |rules| rules.manager = Some(ManagerUse::None));
        services.change(name("gdm*"), |rules| rules.manager = Some(ManagerUse::Reuse));
        services.change(name("gdm-*"), |rules| rules.seat = Some(true));
        services.change(name("gdm-password"), |rules| rules.cgroup = Some(CgroupUse::Off));
        services.change(name("gdm-!"), |rules| rules.cgroup = Some(CgroupUse::Adopt));
        let rules = services.of("gdm-password");
        assert_eq!((rules.manager, rules.seat), (Some(ManagerUse::Reuse), Some(true)));
        assert_eq!((rules.cgroup, rules.nested), (Some(CgroupUse::Off), None));
        assert_eq!(services.of("gdm").manager, Some(ManagerUse::Reuse));
        assert_eq!(services.of("gdm").seat, None);
        assert_eq!(services.of("sshd").manager, Some(ManagerUse::None));
        assert_eq!(services.of(MANAGER_SERVICE), Rules::default(), "nobody's but usher's");
    }

    #[test]
    fn names_that_no_service_has() {
        for bad in ["", "a*b", "**", "a/b", "a\u{1b}", MANAGER_SERVICE] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_rule_outranks_the_login_but_not_the_facts() {
        let rule = |word: &str| Rules { class: Some(word.parse().unwrap()), ..Rules::default() };
        let (user, incomplete) = (SessionClass::User, SessionClass::UserIncomplete);
        assert_eq!(rule("background-light").class_for(user), Some(SessionClass::BackgroundLight));
        assert_eq!(rule("none").class_for(user), None);
        assert_eq!(rule("user").class_for(incomplete), Some(incomplete));
        assert_eq!(Rules::default().class_for(user), Some(user));
        assert!("superuser".parse::<ClassRule>().is_err());
    }
}
