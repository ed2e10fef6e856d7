//! Who is logged in and what belongs to them: what a crash of usherd must not change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::Machine;

/// Who is logged in and what belongs to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// By id: leader, user, class.
    pub(super) sessions: BTreeMap<String, [String; 3]>,
    /// By uid: the runtime directory's device and inode, the manager's process.
    pub(super) users: BTreeMap<String, (u64, u64, String)>,
    /// The sessions' cgroups, by user.
    scopes: BTreeMap<String, Vec<String>>,
}

impl Picture {
    /// As the files, mounts and cgroups are now.
    pub(super) fn of(machine: &Machine) -> Self {
        let sessions = records(machine, "sessions", |fields| {
            ["LEADER", "UID", "CLASS"].map(|key| fields.get(key).cloned().unwrap_or_default())
        });
        let users =
            records(machine, "users", |fields| fields.get("USHER_MANAGER_PID").cloned().unwrap_or_default());
        let users: BTreeMap<_, _> = users
            .into_iter()
            .map(|(uid, manager)| {
                let directory = fs::symlink_metadata(machine.file(format!("/run/user/{uid}")));
                let (device, inode) = directory.map_or((0, 0), |status| (status.dev(), status.ino()));
                (uid, (device, inode, manager))
            })
            .collect();
        let scopes = users.keys().map(|uid| {
            let mut scopes = machine.cgroup_children(&format!("/user.slice/user-{uid}.slice"));
            scopes.retain(|name| name.starts_with("session-"));
            (uid.clone(), scopes)
        });
        Self { sessions, scopes: scopes.collect(), users }
    }

    /// How many people's sessions there are; those of their managers are left out.
    pub(super) fn logins(&self) -> usize {
        self.sessions.values().filter(|[_, _, class]| !class.starts_with("manager")).count()
    }

    /// What has changed since; at most a few lines.
    pub(super) fn difference(&self, later: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (id, session) in &self.sessions {
            match later.sessions.get(id) {
                None => changes.push(format!("session {id} is forgotten")),
                Some(now) if now != session => {
                    changes.push(format!("session {id} was {session:?} and is {now:?}"));
                }
                Some(_) => {}
            }
        }
        let new = later.sessions.keys().filter(|id| !self.sessions.contains_key(*id));
        changes.extend(new.map(|id| format!("session {id} was not there")));
        for (uid, user) in &self.users {
            let now = later.users.get(uid);
            if now != Some(user) {
                changes.push(format!("user {uid} was {user:?} and is {now:?}"));
            }
        }
        if self.scopes != later.scopes {
            changes.push("the cgroups are others".to_owned());
        }
        changes.truncate(10);
        changes
    }
}

fn records<T>(
    machine: &Machine,
    directory: &str,
    pick: impl Fn(&BTreeMap<String, String>) -> T,
) -> BTreeMap<String, T> {
    let entries =
        fs::read_dir(machine.file(format!("/run/systemd/{directory}"))).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter(|name| !name.starts_with('.'));
    names
        .map(|name| {
            let fields = machine.state(&format!("{directory}/{name}"));
            let picked = pick(&fields);
            (name, picked)
        })
        .collect()
}
