//! The checks, one file a subject.

mod brokers;
mod bus;
mod caller;
mod cgroups;
mod daemon;
mod init;
mod linger;
mod managers;
mod pam;
mod polkit;
mod runtime;
#[cfg(test)]
mod testing;

use super::finding::Finding;
use super::machine::Machine;

/// The checks about one subject.
#[derive(Debug)]
pub struct Group {
    /// Its id, with which those of its checks begin.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Looks and judges.
    pub check: fn(&Machine) -> Vec<Finding>,
}

/// All of them, in the order in which they are shown: what everything else needs comes first.
pub const GROUPS: &[Group] = &[
    Group { id: "daemon", title: "The daemon", check: daemon::check },
    Group { id: "init", title: "Start at boot", check: init::check },
    Group { id: "brokers", title: "Other session brokers", check: brokers::check },
    Group { id: "pam", title: "PAM", check: pam::check },
    Group { id: "bus", title: "System bus", check: bus::check },
    Group { id: "polkit", title: "polkit", check: polkit::check },
    Group { id: "cgroups", title: "Control groups", check: cgroups::check },
    Group { id: "managers", title: "User managers", check: managers::check },
    Group { id: "runtime", title: "Runtime directories", check: runtime::check },
    Group { id: "linger", title: "Lingering users", check: linger::check },
    Group { id: "caller", title: "This process", check: caller::check },
];

/// What whoever is not root is told to do.
const AS_ROOT: &str = "run usherctl doctor as root";

/// What cannot be said without an answer of usherd's, and why: it is not there, or tells only root, or is an older one.
fn unanswered(machine: &Machine, check: &'static str, what: &str) -> Finding {
    match (&machine.asked.version, machine.is_root()) {
        (None, _) => {
            Finding::skipped(check, format!("{what} is not known: usherd does not answer."), "see above")
        }
        (Some(_), false) => {
            Finding::skipped(check, format!("{what} is not known: usherd tells only root."), AS_ROOT)
        }
        (Some(version), true) => Finding::skipped(
            check,
            format!("{what} is not known: usherd {version} does not say."),
            "restart usherd, so that it is the version that is installed",
        ),
    }
}

/// `1 user`, `2 users`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
