//! The runtime directories: whose they are, and whether they are usherd's work.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use rustix::fs::FileType;
use usher_protocol::messages::UserView;
use usher_protocol::session::UserState;

use super::unanswered;
use crate::doctor::finding::Finding;
use crate::doctor::machine::{Machine, RUNTIME_DIRECTORIES as ROOM};
use crate::doctor::tree::Seen;

const PARENT: &str = "runtime.parent";
const DIRECTORY: &str = "runtime.directory";
const STRAY: &str = "runtime.stray";
const MISSING: &str = "runtime.missing";

/// What is in the place of a runtime directory.
#[derive(Debug, Clone)]
struct Place {
    uid: u32,
    /// `None` if it does not let itself be looked at.
    seen: Option<Seen>,
    /// The type of what is mounted on it.
    mounted: Option<String>,
}

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match machine.tree.look(ROOM) {
        Ok(seen) => findings.push(parent(seen)),
        Err(_) => {
            findings.push(Finding::ok(PARENT, format!("There is no {ROOM} yet: nobody has logged in.")))
        }
    }
    let names = &machine.runtime_names;
    let form = machine.asked.status.as_ref().map(|status| status.runtime_directory.as_str());
    let Some(users) = &machine.asked.users else {
        if !names.is_empty() {
            findings.push(unanswered(machine, DIRECTORY, "Whose the directories in /run/user are"));
        }
        return findings;
    };
    let users: BTreeMap<u32, &UserView> = users.iter().map(|user| (user.uid.get(), user)).collect();
    for name in names {
        match name.parse::<u32>() {
            Ok(uid) => {
                // It may have gone since they were listed.
                let place = place(machine, uid);
                findings.extend(place.map(|place| directory(&place, users.get(&uid).copied(), form)));
            }
            Err(_) => findings.push(Finding::note(
                STRAY,
                format!("{ROOM}/{name} is not named after a user."),
                "find out who has made it; usherd leaves it alone",
            )),
        }
    }
    findings.extend(users.values().filter_map(|user| missing(user)));
    findings
}

fn place(machine: &Machine, uid: u32) -> Option<Place> {
    let path = format!("{ROOM}/{uid}");
    let mounted = machine.mounted(&path).map(|mount| mount.fs_type.clone());
    match machine.tree.look(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        seen => Some(Place { uid, seen: seen.ok(), mounted }),
    }
}

fn parent(seen: Seen) -> Finding {
    let wrong = if seen.kind != FileType::Directory {
        "is not a directory".to_owned()
    } else if seen.uid != 0 {
        format!("belongs to uid {}, not to root", seen.uid)
    } else if seen.mode & 0o022 != 0 {
        format!("has mode {:04o}: others than root may write to it", seen.mode)
    } else {
        return Finding::ok(PARENT, format!("{ROOM} is root's."));
    };
    Finding::problem(
        PARENT,
        format!("{ROOM} {wrong}."),
        format!("put it right (chown root {ROOM}; chmod 755 {ROOM}) and find out who has changed it"),
    )
}

fn directory(place: &Place, user: Option<&UserView>, form: Option<&str>) -> Finding {
    let path = format!("{ROOM}/{}", place.uid);
    let Some(user) = user else { return stray(&path, place) };
    let name = &user.name;
    let anew = "usherd makes it anew at the next login";
    let Some(seen) = place.seen else {
        return Finding::problem(
            DIRECTORY,
            format!("{path} of {name} does not let itself be looked at{}.", on(place)),
            format!("unmount it (umount -l {path}); {anew}"),
        );
    };
    let wrong = if seen.kind != FileType::Directory {
        "is not a directory".to_owned()
    } else if seen.uid != place.uid {
        format!("belongs to uid {}", seen.uid)
    } else if seen.mode & 0o077 != 0 {
        format!("has mode {:04o}: others may look into it", seen.mode)
    } else {
        return match (&place.mounted, form) {
            (Some(kind), _) if kind == "tmpfs" => {
                Finding::ok(DIRECTORY, format!("{path} is {name}'s, a tmpfs of its own."))
            }
            (Some(kind), _) => Finding::note(
                DIRECTORY,
                format!("{path} is {name}'s; {kind} is mounted there, which usherd has not done."),
                "nothing, if that is what you want: usherd uses and leaves it",
            ),
            (None, Some("directory")) => {
                Finding::ok(DIRECTORY, format!("{path} is {name}'s, a plain directory, as configured."))
            }
            (None, Some("tmpfs")) => Finding::problem(
                DIRECTORY,
                format!(
                    "{path} of {name} is a plain directory, and RuntimeDirectory=tmpfs asks for a tmpfs."
                ),
                format!("let {name} log out everywhere and log in again"),
            ),
            (None, _) => Finding::note(
                DIRECTORY,
                format!(
                    "{path} is {name}'s, a plain directory: usherd may not mount here, and nothing limits its size."
                ),
                "nothing in a container; elsewhere see in usherd's log why (CAP_SYS_ADMIN)",
            ),
        };
    };
    let advice = match &place.mounted {
        Some(_) => format!("unmount it (umount {path}); {anew}"),
        None if seen.uid == 0 => {
            format!(
                "somebody has unmounted the tmpfs that was there; remove what is left (rmdir {path}), {anew}"
            )
        }
        None => format!("remove it (rm -rf {path}) when {name} is logged out; {anew}"),
    };
    Finding::problem(DIRECTORY, format!("{path} of {name} {wrong}."), advice)
}

fn on(place: &Place) -> String {
    place
        .mounted
        .as_ref()
        .map_or(String::new(), |kind| format!(": {kind} is mounted there, and hangs or is somebody's own"))
}

/// Nobody's whom usherd knows.
fn stray(path: &str, place: &Place) -> Finding {
    let (what, advice) = match &place.mounted {
        Some(kind) => (format!(", with {kind} mounted on it"), format!("umount {path} && rmdir {path}")),
        None => (String::new(), format!("rm -rf {path}")),
    };
    Finding::warning(
        STRAY,
        format!(
            "{path}{what} belongs to nobody whom usherd knows: another program has made it, or it was left behind."
        ),
        format!("if no process uses it (fuser -vm {path}): {advice}"),
    )
}

/// A user without one.
fn missing(user: &UserView) -> Option<Finding> {
    // Who comes or goes has none yet, or no more.
    if user.runtime_path.is_some() || matches!(user.state, UserState::Opening | UserState::Closing) {
        return None;
    }
    let why = match user.notice.trim_end_matches('.') {
        "" => String::new(),
        notice => format!(": {notice}"),
    };
    Some(Finding::problem(
        MISSING,
        format!("{} has no runtime directory{why}.", user.name),
        format!(
            "put that right, then let {} log in again; usherctl user-status {} says more",
            user.name, user.name
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, user, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    fn place(owner: u32, mode: u32, mounted: Option<&str>) -> Place {
        let seen = Some(Seen { kind: FileType::Directory, uid: owner, mode });
        Place { uid: 1001, seen, mounted: mounted.map(str::to_owned) }
    }

    fn of(place: &Place, form: &str) -> Finding {
        directory(place, Some(&user("alice", 1001)), Some(form))
    }

    #[test]
    fn as_it_should_be() {
        assert_eq!(of(&place(1001, 0o700, Some("tmpfs")), "auto").verdict, Verdict::Ok);
        assert_eq!(of(&place(1001, 0o700, None), "directory").verdict, Verdict::Ok);
        assert_eq!(of(&place(1001, 0o700, None), "auto").verdict, Verdict::Note);
        assert_eq!(of(&place(1001, 0o700, Some("ext4")), "auto").verdict, Verdict::Note);
    }

    #[test]
    fn not_the_users_own() {
        let foreign = of(&place(1002, 0o700, Some("tmpfs")), "auto");
        assert_eq!(foreign.verdict, Verdict::Problem);
        assert!(
            foreign.finding.contains("of alice belongs to uid 1002")
                && foreign.advice.starts_with("unmount it")
        );
        let unmounted = of(&place(0, 0o755, None), "auto");
        assert!(unmounted.advice.contains("somebody has unmounted"), "{unmounted:?}");
        assert!(of(&place(1001, 0o755, Some("tmpfs")), "auto").finding.contains("mode 0755"));
        assert_eq!(of(&place(1001, 0o700, None), "tmpfs").verdict, Verdict::Problem);
        let hidden = Place { uid: 1001, seen: None, mounted: Some("fuse.sshfs".into()) };
        assert!(of(&hidden, "auto").finding.contains("fuse.sshfs is mounted there"));
    }

    #[test]
    fn strays_and_users_without() {
        let fixture =
            Fixture::new().directory("/run/user/1003").directory("/run/user/lost+found").changed(|machine| {
                let mut alice = user("alice", 1001);
                alice.runtime_path = None;
                alice.notice = "/run/user/1001 is a file".into();
                machine.runtime_names = ["1003", "1004", "lost+found"].map(str::to_owned).to_vec();
                machine.asked.users = Some(vec![alice]);
            });
        let findings = check(&fixture.machine);
        let strays: Vec<_> =
            findings.iter().filter(|finding| finding.check == STRAY).map(|f| f.verdict).collect();
        assert_eq!(strays, [Verdict::Warning, Verdict::Note]);
        assert_eq!(verdict(&findings, MISSING), Verdict::Problem);
        assert!(
            words(&findings, MISSING).contains("alice has no runtime directory: /run/user/1001 is a file.")
        );
        assert_eq!(verdict(&check(&fixture.dead().machine), DIRECTORY), Verdict::Skipped);
    }

    #[test]
    fn the_room_is_roots() {
        let seen = |kind, uid, mode| parent(Seen { kind, uid, mode }).verdict;
        assert_eq!(seen(FileType::Directory, 0, 0o755), Verdict::Ok);
        assert_eq!(seen(FileType::Symlink, 0, 0o777), Verdict::Problem);
        assert_eq!(seen(FileType::Directory, 1001, 0o755), Verdict::Problem);
        assert_eq!(seen(FileType::Directory, 0, 0o777), Verdict::Problem);
    }
}
