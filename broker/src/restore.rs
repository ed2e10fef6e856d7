//! What was there before this usherd: files, checked against the kernel. The rest is the model's.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use tracing::{info, warn};
use usher_model::record::{SessionRecord, UserRecord};
use usher_model::{Found, FoundSession, FoundUser, Reaped};
use usher_protocol::ids::{SessionId, UserName};
use usher_protocol::session::UserState;

use crate::state::StateFiles;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::linger::LingerFlags;
use crate::sys::{self, mount, pidfd};
use crate::{counter, crash};

/// Numbers from here on are not usherd's.
const MAX_NUMBER: u64 = 1 << 48;

/// What was found, and the leaders that are alive, to be watched from now on.
pub(crate) struct Past {
    pub(crate) found: Found,
    pub(crate) leaders: Vec<(SessionId, OwnedFd)>,
}

/// Looks at everything that an earlier usherd may have left.
pub(crate) fn look(files: &StateFiles, cgroups: Option<&CgroupRoot>) -> Result<Past> {
    files.prepare().context("cannot prepare the state directories")?;
    let on_file = files.read_all().context("cannot read the state of the broker that ran before")?;
    for bad in &on_file.unreadable {
        warn!("ignoring {}: {}", bad.path.display(), bad.reason);
    }
    let counted = counter::read().unwrap_or_else(|error| {
        warn!("{error}: session ids of this boot may be used again");
        0
    });
    let mut leaders = Vec::new();
    // To start without having seen everybody would be to end the sessions of those who were not seen.
    let advice =
        "cannot take over what an earlier usherd has left: raise the limit on open files (ulimit -n)";
    let find = |record| find_session(record, cgroups, &mut leaders);
    let sessions: Vec<_> =
        on_file.sessions.into_iter().map(find).collect::<sys::Result<_>>().context(advice)?;
    let users: Vec<_> =
        on_file.users.into_iter().map(find_user).collect::<sys::Result<_>>().context(advice)?;
    if !users.is_empty() {
        info!("taking over {} sessions of {} users", sessions.len(), users.len());
    }
    crash::point(crash::START_FILES_READ);
    let in_cgroups = cgroups.map_or(0, |cgroups| sweep(cgroups, &sessions));
    let reserved_ids = counted.max(in_cgroups);
    crash::point(crash::START_SWEPT);
    let lingering = lingering(&users);
    let found = Found { reserved_ids, users, sessions, lingering, has_vts: false, foreground: None };
    Ok(Past { found, leaders })
}

fn find_session(
    mut record: SessionRecord,
    cgroups: Option<&CgroupRoot>,
    leaders: &mut Vec<(SessionId, OwnedFd)>,
) -> sys::Result<FoundSession> {
    let alive = record.leader.map(pidfd::alive).transpose()?.flatten();
    let leader_alive = alive.is_some();
    if let Some((fd, leader)) = alive {
        record.leader = Some(leader);
        leaders.push((record.id.clone(), fd));
    }
    let scope = cgroups.map(|cgroups| cgroups.scope_path(record.uid, &record.id));
    let inside = cgroups.zip(record.leader).and_then(|(cgroups, leader)| cgroups.session_of_pid(leader.pid));
    Ok(FoundSession {
        leader_alive,
        scope_exists: scope.is_some_and(|path| path.exists()),
        leader_in_scope: inside.as_ref() == Some(&record.id),
        record,
    })
}

fn find_user(mut record: UserRecord) -> sys::Result<FoundUser> {
    let uid = record.uid;
    // Unmounted by somebody, or never made: it is made anew for whoever stays.
    let runtime = mount::present(uid, record.runtime).unwrap_or_else(|error| {
        warn!(%uid, "{error}");
        None
    });
    let manager = record.manager.map(pidfd::alive).transpose()?.flatten();
    let manager_alive = manager.is_some();
    record.manager = manager.map(|(_, main)| main).or(record.manager);
    Ok(FoundUser { manager_alive, runtime, record })
}

/// Removes cgroups of sessions that nobody knows and nobody is in. Gives the first session id beyond those of all that there
/// were: a forgotten one that processes are left in is not to become somebody else's.
fn sweep(cgroups: &CgroupRoot, sessions: &[FoundSession]) -> u64 {
    let known: BTreeSet<_> = sessions.iter().map(|session| &session.record.id).collect();
    let stale = cgroups.stale_scopes().unwrap_or_else(|error| {
        warn!("{error}");
        Vec::new()
    });
    for (uid, id) in stale.iter().filter(|(_, id)| !known.contains(id)) {
        match cgroups.reap_scope(*uid, id) {
            Ok(Reaped::Gone) => info!(%uid, session = %id, "removed the cgroup of a forgotten session"),
            Ok(Reaped::Busy) => {
                warn!(%uid, session = %id, "processes are in the cgroup of a forgotten session")
            }
            Err(error) => warn!(%uid, session = %id, "{error}"),
        }
    }
    let numbers = stale.iter().filter_map(|(_, id)| id.as_str().parse().ok());
    numbers.filter(|number| *number < MAX_NUMBER).max().map_or(0, |number: u64| number + 1)
}

/// Who has a linger flag. Where that cannot be seen, those who linger now go on to do so.
fn lingering(users: &[FoundUser]) -> BTreeSet<UserName> {
    match LingerFlags::default().list() {
        Ok(listed) => {
            for (name, why) in &listed.strangers {
                warn!("ignoring the linger flag {name}: {why}");
            }
            listed.users.into_iter().collect()
        }
        Err(error) => {
            warn!("nobody lingers but those who do already: {error}");
            let lingering = users.iter().filter(|user| user.record.state == UserState::Lingering);
            lingering.map(|user| user.record.name.clone()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::parse;

    /// As an earlier version has written it, and as this one knows the process from now on.
    #[test]
    fn a_leader_known_by_its_start_time_gets_todays_name() {
        let own = std::process::id();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let start: u64 = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
        let found = |start: u64| {
            let text = format!(
                "UID=1000\nUSER=alice\nSTATE=active\nTYPE=tty\nCLASS=user\nREALTIME=1\nLEADER={own}\nUSHER_LEADER_START={start}\n"
            );
            let record = parse::session(&7.into(), &text).unwrap();
            let mut leaders = Vec::new();
            let found = find_session(record, None, &mut leaders).unwrap();
            (found.leader_alive, leaders.len(), found.record.leader)
        };
        let today = pidfd::leader_of(own).unwrap();
        assert_eq!(found(start), (true, 1, Some(today)));
        let (alive, held, leader) = found(start + 1);
        assert!(!alive && held == 0 && leader != Some(today));
    }
}
