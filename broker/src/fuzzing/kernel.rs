//! What the kernel, a manager and the lookup process say: texts in which others have a hand. A process chooses its name and
//! the names of its cgroups; a user's manager chooses what it notifies.

use usher_protocol::ids::Uid;

use crate::manager::notify::says_ready;
use crate::sys::accounts::{parse_system_uid_max, understand};
use crate::sys::cgroup::path::{is_below, is_sound, owner_of, session_of, unified};
use crate::sys::ipc::owned;
use crate::sys::pidfd::parse_stat;

/// /proc/PID/cgroup, /proc/PID/stat, /proc/sysvipc, a notification, a lookup's answer, login.defs: any of them.
///
/// # Panics
/// What has to be true is not.
pub fn cgroup_paths(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut meant = false;
    for path in unified(&text).into_iter().chain(text.lines()) {
        for pid1 in ["/", "/init.scope", "/machine/box/init.scope", path] {
            meant |= place(path, pid1);
        }
    }
    if let Some(stat) = parse_stat(bytes) {
        assert!(bytes.contains(&b')'), "a process has a name");
        assert!(stat.vt().is_none_or(|vt| (1..=63).contains(&vt.get())));
        meant = true;
    }
    if says_ready(bytes) {
        assert!(bytes.windows(7).any(|window| window == b"READY=1"));
        meant = true;
    }
    if let Ok(account) = understand(bytes) {
        assert!(!account.name.as_str().contains(['/', ':', '\n']), "{account:?}");
        meant = true;
    }
    for column in ["shmid", "semid", "msqid"] {
        meant |= !owned(&text, column, Uid::ROOT).is_empty();
    }
    let _ = parse_system_uid_max(&text);
    meant
}

fn place(path: &str, pid1: &str) -> bool {
    let (session, owner) = (session_of(path, pid1), owner_of(path, pid1));
    if let Some(session) = &session {
        assert!(path.contains(&session.scope()), "{path} is not in session {session}");
    }
    if let Some(owner) = owner {
        assert!(path.contains(&owner.slice()), "{path} is not {owner}'s");
    }
    if path.starts_with("/../") {
        assert!(session.is_none() && owner.is_none(), "{path} is not below the root");
    }
    if is_sound(path) {
        let climbs = |part: &str| matches!(part, "." | "..");
        assert!(path.starts_with('/') && !path.contains("//") && !path.split('/').any(climbs), "{path}");
        assert!(is_below(path, "/") && is_below(path, path), "{path}");
    }
    session.is_some() || owner.is_some()
}
