//! The process that asks: is it in a session, and does its environment say what a login has given it.

use std::time::Duration;

use rustix::fs::FileType;

use super::unanswered;
use crate::doctor::bounded;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;
use crate::doctor::tree::Seen;

const SESSION: &str = "caller.session";
const RUNTIME: &str = "caller.runtime-directory";

/// The directory may be on any file system.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let seen = machine.caller.runtime_dir.clone().map(|path| {
        let tree = machine.tree.clone();
        bounded::within(PATIENCE, move || tree.look(path).map_err(|error| error.to_string()))
    });
    vec![session(machine), runtime(machine, seen)]
}

fn session(machine: &Machine) -> Finding {
    let stated = machine.caller.session.as_deref();
    let (Some(sessions), Some(own)) = (&machine.asked.sessions, &machine.asked.own_session) else {
        return unanswered(machine, SESSION, "Which session this process is in");
    };
    let own = own.as_ref().map(|session| session.id.as_str());
    match (stated, own) {
        (None, None) => Finding::note(
            SESSION,
            "This process is in no session.",
            "nothing, if it was not started from a login; else see what is said of PAM",
        ),
        (None, Some(own)) => Finding::note(
            SESSION,
            format!("This process is in session {own}, and XDG_SESSION_ID is not set."),
            "nothing, where sudo or su has cleared the environment; else the login's program drops what PAM sets",
        ),
        (Some(stated), Some(own)) if stated == own => {
            Finding::ok(SESSION, format!("This process is in session {own}, and its environment says so."))
        }
        (Some(stated), _) if sessions.iter().any(|session| session.id.as_str() == stated) => Finding::note(
            SESSION,
            format!("XDG_SESSION_ID is {stated}, a session in which this process is not."),
            "nothing, where it is a service of the user's manager that was told so",
        ),
        (Some(stated), _) => Finding::warning(
            SESSION,
            format!("XDG_SESSION_ID is {stated}, and usherd knows no such session."),
            "it has ended, or another broker has made it: log in again",
        ),
    }
}

/// `seen`: nothing without XDG_RUNTIME_DIR; `Some(None)`: it did not let itself be looked at in time.
fn runtime(machine: &Machine, seen: Option<Option<Result<Seen, String>>>) -> Finding {
    let uid = machine.caller.uid;
    let path = machine.caller.runtime_dir.as_deref().unwrap_or_default();
    let own_session = machine.asked.own_session.as_ref().and_then(Option::as_ref);
    let is_own = own_session.is_some_and(|session| session.uid.get() == uid);
    let again = "log in again, or become the user with a login (su -, ssh, machinectl shell)";
    match seen {
        None if is_own => Finding::warning(
            RUNTIME,
            "XDG_RUNTIME_DIR is not set, though this process is in a session of its user's.",
            "the auth log has a line of pam_usher that says why; then log in again",
        ),
        None => Finding::note(
            RUNTIME,
            "XDG_RUNTIME_DIR is not set.",
            "nothing, if this is no login of its user's",
        ),
        Some(None) => Finding::problem(
            RUNTIME,
            format!(
                "XDG_RUNTIME_DIR is {path}, which does not let itself be looked at: its file system hangs."
            ),
            "find out what is mounted there (findmnt) and unmount it (umount -l)",
        ),
        Some(Some(Err(error))) => Finding::problem(
            RUNTIME,
            format!("XDG_RUNTIME_DIR is {path}, which is not there: {error}."),
            again,
        ),
        Some(Some(Ok(seen))) if seen.kind != FileType::Directory => {
            Finding::problem(RUNTIME, format!("XDG_RUNTIME_DIR is {path}, which is not a directory."), again)
        }
        Some(Some(Ok(seen))) if seen.uid != uid => Finding::problem(
            RUNTIME,
            format!(
                "XDG_RUNTIME_DIR is {path}, which belongs to uid {}, and this process is uid {uid}'s.",
                seen.uid
            ),
            "unset XDG_RUNTIME_DIR, or become the user with a login: what is written there would be another's",
        ),
        Some(Some(Ok(seen))) if seen.mode & 0o077 != 0 => Finding::problem(
            RUNTIME,
            format!("XDG_RUNTIME_DIR is {path}, which has mode {:04o}: others may look into it.", seen.mode),
            format!("chmod 700 {path}"),
        ),
        Some(Some(Ok(_))) => {
            Finding::ok(RUNTIME, format!("XDG_RUNTIME_DIR is {path}, which is the user's own."))
        }
    }
}

#[cfg(test)]
mod tests {
    use usher_protocol::messages::SessionView;

    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    fn a_session(id: &str) -> SessionView {
        let view = serde_json::json!({
            "id": id, "uid": 1001, "user": "alice", "timestamp": 1, "timestamp_monotonic": 1, "vtnr": null,
            "seat": null, "tty": "", "display": "", "remote": false, "remote_host": "", "remote_user": "",
            "service": "sshd", "desktop": "", "scope": null, "leader": 7, "audit": null, "type": "tty",
            "class": "user", "active": true, "state": "active", "idle_hint": false, "idle_since": 0,
            "idle_since_monotonic": 0, "locked_hint": false, "control_group": null,
        });
        serde_json::from_value(view).expect("a session")
    }

    fn fixture(stated: Option<&str>, own: Option<&str>) -> Fixture {
        Fixture::new().unprivileged().changed(|machine| {
            machine.caller.session = stated.map(str::to_owned);
            machine.asked.sessions = Some(vec![a_session("3")]);
            machine.asked.own_session = Some(own.map(a_session));
        })
    }

    #[test]
    fn sessions() {
        let of = |stated, own| verdict(&check(&fixture(stated, own).machine), SESSION);
        assert_eq!(of(None, None), Verdict::Note);
        assert_eq!(of(None, Some("3")), Verdict::Note);
        assert_eq!(of(Some("3"), Some("3")), Verdict::Ok);
        assert_eq!(of(Some("3"), None), Verdict::Note);
        assert_eq!(of(Some("8"), Some("3")), Verdict::Warning);
        assert_eq!(verdict(&check(&fixture(None, None).dead().machine), SESSION), Verdict::Skipped);
    }

    #[test]
    fn runtime_directories() {
        let fixture =
            fixture(None, Some("3")).changed(|machine| machine.caller.runtime_dir = Some("/x".into()));
        let seen = |kind, uid, mode| Some(Some(Ok(Seen { kind, uid, mode })));
        let of = |seen| runtime(&fixture.machine, seen).verdict;
        assert_eq!(of(seen(FileType::Directory, 1001, 0o700)), Verdict::Ok);
        assert_eq!(of(seen(FileType::Directory, 1002, 0o700)), Verdict::Problem);
        assert_eq!(of(seen(FileType::Directory, 1001, 0o755)), Verdict::Problem);
        assert_eq!(of(seen(FileType::Symlink, 1001, 0o777)), Verdict::Problem);
        assert_eq!(of(Some(None)), Verdict::Problem);
        assert_eq!(of(None), Verdict::Warning);
        let said = words(&check(&fixture.machine), RUNTIME);
        assert!(said.contains("which is not there"), "{said}");
        let root = Fixture::new();
        assert_eq!(runtime(&root.machine, None).verdict, Verdict::Note);
    }
}
