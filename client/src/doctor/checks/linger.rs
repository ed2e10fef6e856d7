//! Users whose managers run without a login: do the flags name somebody, and do the managers run.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use rustix::fs::FileType;
use usher_protocol::ids::UserName;
use usher_protocol::messages::UserView;
use usher_protocol::session::ManagerState;

use super::{managers, unanswered};
use crate::doctor::bounded;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;

const FLAGS: &str = "linger.flags";
const MANAGER: &str = "linger.manager";

const DIRECTORY: &str = "/var/lib/systemd/linger";
/// What the name service may take for all of them.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the user database says of the names: `None` if it does not answer.
type Known = Option<BTreeMap<String, bool>>;

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    check_with(machine, |names| {
        bounded::within(PATIENCE, move || {
            let known = |name: String| (name.clone(), uzers::get_user_by_name(&name).is_some());
            names.into_iter().map(known).collect()
        })
    })
}

fn check_with(machine: &Machine, look_up: impl FnOnce(Vec<String>) -> Known) -> Vec<Finding> {
    let entries = match machine.tree.list(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let finding = format!("{DIRECTORY} cannot be listed: {error}.");
            return vec![Finding::problem(FLAGS, finding, "make it a directory of root's with mode 755")];
        }
    };
    let mut findings = Vec::new();
    let mut names = Vec::new();
    for entry in entries {
        match name_of(machine, &entry) {
            Ok(name) => names.push(name),
            Err(why) => findings.push(Finding::warning(
                FLAGS,
                format!("{DIRECTORY}/{entry} is no linger flag: {why}."),
                "remove it; usherctl enable-linger USER makes a flag",
            )),
        }
    }
    if names.is_empty() {
        if findings.is_empty() {
            findings.push(Finding::ok(FLAGS, "Nobody lingers."));
        }
        return findings;
    }
    let Some(known) = look_up(names.clone()) else {
        findings.push(Finding::skipped(
            FLAGS,
            format!(
                "Whether the names in {DIRECTORY} are users' is not known: the name service does not answer."
            ),
            "see whether getent passwd hangs, and look after the name service (nsswitch.conf)",
        ));
        return findings;
    };
    let Some(users) = &machine.asked.users else {
        findings.push(unanswered(machine, MANAGER, "Whether the managers of lingering users run"));
        return findings;
    };
    for name in names {
        let user = users.iter().find(|user| user.name.as_str() == name);
        let is_known = known.get(&name).copied().unwrap_or(false);
        findings.push(of_user(machine, &name, is_known, user));
    }
    findings
}

/// The user that an entry is the flag of.
fn name_of(machine: &Machine, entry: &str) -> Result<String, String> {
    let seen = machine.tree.look(format!("{DIRECTORY}/{entry}")).map_err(|error| error.to_string())?;
    if seen.kind != FileType::RegularFile {
        return Err("it is not a regular file".to_owned());
    }
    let name = unescape(entry).ok_or("its name is not escaped as logind does it")?;
    name.parse::<UserName>().map_err(|_| "that is no user's name")?;
    Ok(name)
}

fn of_user(machine: &Machine, name: &str, is_known: bool, user: Option<&UserView>) -> Finding {
    let Some(user) = user else {
        return match is_known {
            false => Finding::warning(
                FLAGS,
                format!(
                    "{name} lingers, and there is no user of that name: it was deleted, or the name service does not know it."
                ),
                format!("if it is gone for good, remove {DIRECTORY}/{name}"),
            ),
            true => Finding::warning(
                MANAGER,
                format!("{name} has a linger flag, and usherd has not started anything for it."),
                format!(
                    "usherctl enable-linger {name} starts it now; with LingerStart=home-available it waits for the home directory"
                ),
            ),
        };
    };
    if let Some(failing) = managers::failing(machine, user, MANAGER) {
        return failing;
    }
    match user.manager {
        ManagerState::Ready => Finding::ok(MANAGER, format!("{name} lingers, and the manager is ready.")),
        ManagerState::None => Finding::note(
            MANAGER,
            format!("{name} lingers, and has no manager: none is configured."),
            "set Manager= in /etc/usher/usher.conf if one is to run",
        ),
        state => Finding::note(
            MANAGER,
            format!("{name} lingers, and the manager is {state} at the moment."),
            format!("look again; usherctl user-status {name} says more"),
        ),
    }
}

/// Undoes what logind does to names for files: a backslash and three octal digits, or a backslash twice.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\\' {
            bytes.push(byte);
            rest = after;
        } else if let Some(after) = after.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = std::str::from_utf8(after.get(..3)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = after.get(3..)?;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, user, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    fn lingering(name: &str, state: ManagerState) -> UserView {
        UserView { linger: true, manager: state, manager_error: "it crashed".into(), ..user(name, 1001) }
    }

    fn findings(fixture: &Fixture, known: &[&str]) -> Vec<Finding> {
        check_with(&fixture.machine, |names| {
            Some(names.into_iter().map(|name| (name.clone(), known.contains(&&*name))).collect())
        })
    }

    fn with(state: ManagerState) -> Fixture {
        let users = Some(vec![lingering("alice", state)]);
        Fixture::new()
            .file("/var/lib/systemd/linger/alice", "")
            .changed(|machine| machine.asked.users = users)
    }

    #[test]
    fn nobody_and_somebody() {
        assert_eq!(verdict(&findings(&Fixture::new(), &[]), FLAGS), Verdict::Ok);
        let of = |state| verdict(&findings(&with(state), &["alice"]), MANAGER);
        assert_eq!(of(ManagerState::Ready), Verdict::Ok);
        assert_eq!(of(ManagerState::Starting), Verdict::Note);
        assert_eq!(of(ManagerState::None), Verdict::Note);
        assert_eq!(of(ManagerState::Restarting), Verdict::Warning);
        assert_eq!(of(ManagerState::Failed), Verdict::Problem);
        let said = words(&findings(&with(ManagerState::Failed), &["alice"]), MANAGER);
        assert!(said.contains("it crashed"), "{said}");
    }

    #[test]
    fn flags_of_nobody() {
        let fixture = Fixture::new()
            .file("/var/lib/systemd/linger/gone", "")
            .file("/var/lib/systemd/linger/1000", "")
            .directory("/var/lib/systemd/linger/sub");
        let said = words(&findings(&fixture, &[]), FLAGS);
        assert!(said.contains("gone lingers, and there is no user"), "{said}");
        assert!(said.contains("linger/1000 is no linger flag: that is no user's name"), "{said}");
        assert!(said.contains("linger/sub is no linger flag: it is not a regular file"), "{said}");
        let waiting = Fixture::new().file("/var/lib/systemd/linger/bob", "");
        assert_eq!(verdict(&findings(&waiting, &["bob"]), MANAGER), Verdict::Warning);
    }

    #[test]
    fn nobody_answers() {
        let hung = check_with(&with(ManagerState::Ready).machine, |_| None);
        assert_eq!(verdict(&hung, FLAGS), Verdict::Skipped);
        assert_eq!(
            verdict(&findings(&with(ManagerState::Ready).dead(), &["alice"]), MANAGER),
            Verdict::Skipped
        );
    }

    #[test]
    fn names_of_files() {
        assert_eq!(unescape("bj\\303\\266rn").as_deref(), Some("björn"));
        assert_eq!(unescape("DOM\\\\al.ice").as_deref(), Some("DOM\\al.ice"));
        for bad in ["\\", "\\9", "\\400", "\\377"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
