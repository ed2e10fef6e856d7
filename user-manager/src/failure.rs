//! What can go wrong, where it ends, and how it is told. The exit codes are systemd's own for the same steps
//! (systemd.exec(5), "Process exit codes"), so that they mean something to whoever reads usherd's log.

use std::fmt::Display;
use std::io::Write;

use crate::cli::Arguments;

/// The steps that a manager cannot do without. clap's usage errors end with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Joining the cgroup.
    Cgroup,
    /// The mount namespace.
    Namespace,
    /// The account check, or libpam itself.
    Pam,
    /// Supplementary groups and the primary group.
    Group,
    /// The uid.
    User,
    /// A file with environment variables.
    Variables,
    /// The way to say that the manager is ready.
    Readiness,
    /// The program.
    Exec,
}

impl Phase {
    /// What the process exits with.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Variables => 202,
            Self::Exec => 203,
            Self::Readiness => 209,
            Self::Group => 216,
            Self::User => 217,
            Self::Cgroup => 219,
            Self::Pam => 224,
            Self::Namespace => 226,
        }
    }
}

/// Why there will be no manager.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) phase: Phase,
    /// Operation, object, cause.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

/// One line on stderr, which is usherd's log.
pub(crate) fn print(arguments: &Arguments, failure: &Failure) {
    say(&format!("no user manager for {}: {}; {}", user(arguments), failure.what, failure.advice));
}

/// Something that the manager can do without.
pub(crate) fn warn(arguments: &Arguments, what: &str, cause: &dyn Display) {
    say(&format!("user manager of {}: {what}: {cause}", user(arguments)));
}

fn user(arguments: &Arguments) -> String {
    format!("{} (uid {})", arguments.name, arguments.uid)
}

fn say(line: &str) {
    // A log that is gone must not keep the manager from starting.
    let _ = writeln!(std::io::stderr(), "usher-user-manager: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_own_exit_code() {
        use Phase::{Cgroup, Exec, Group, Namespace, Pam, Readiness, User, Variables};
        let mut codes =
            [Cgroup, Namespace, Pam, Group, User, Variables, Readiness, Exec].map(Phase::exit_code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair.first() != pair.last()), "{codes:?}");
        assert!(!codes.contains(&0) && !codes.contains(&2));
    }
}
