//! What outlives the broker: processes, cgroups, directories, files, the user database.

use std::collections::{BTreeMap, BTreeSet};

use usher_protocol::ids::{LeaderPid, SessionId, Uid, UserName, VtNr};

use crate::event::Account;
use crate::record::{AtPath, RuntimeDir, RuntimeKind, SeatRecord, SessionRecord, UserRecord};
use crate::restore::{Found, FoundSession, FoundUser};

/// Where a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In no cgroup of usher's.
    Elsewhere,
    /// In a session's scope.
    Scope(Uid, SessionId),
    /// In the cgroup of a user's manager.
    Manager(Uid),
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) start: u64,
    pub(crate) place: Place,
    /// Ends on SIGKILL only.
    pub(crate) stubborn: bool,
}

/// The machine without its broker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kernel {
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) scopes: BTreeSet<(Uid, SessionId)>,
    pub(crate) runtime_dirs: BTreeMap<Uid, RuntimeDir>,
    pub(crate) dirs_made: u64,
    pub(crate) foreground: Option<VtNr>,
    pub(crate) has_vts: bool,
    pub(crate) session_files: BTreeMap<SessionId, SessionRecord>,
    pub(crate) user_files: BTreeMap<Uid, UserRecord>,
    pub(crate) seat_file: Option<SeatRecord>,
    pub(crate) reserved_ids: u64,
    /// Whether somebody has it open for writing.
    pub(crate) fifos: BTreeMap<SessionId, bool>,
    pub(crate) linger_flags: BTreeSet<UserName>,
    pub(crate) accounts: BTreeMap<UserName, Account>,
    pub(crate) name_service_down: bool,
    pub(crate) homes_missing: bool,
    /// Names that were taken out of the user database.
    pub(crate) deleted: BTreeSet<UserName>,
    pub(crate) starts: u64,
}

impl Kernel {
    /// The lowest free number is used again at once: the start time alone tells two processes apart.
    pub(crate) fn spawn(&mut self, place: Place, stubborn: bool) -> LeaderPid {
        let pid = (100..).find(|pid| !self.processes.contains_key(pid)).unwrap();
        self.starts += 1;
        self.processes.insert(pid, Process { start: self.starts, place, stubborn });
        LeaderPid { pid, start: self.starts }
    }

    /// What is there is used; another one at the same path has another number.
    pub(crate) fn make_runtime_dir(&mut self, uid: Uid) -> RuntimeDir {
        if let Some(there) = self.runtime_dirs.get(&uid) {
            return *there;
        }
        self.dirs_made += 1;
        let made = RuntimeDir { kind: RuntimeKind::Mount, mount: Some(self.dirs_made) };
        self.runtime_dirs.insert(uid, made);
        made
    }

    pub(crate) fn is_alive(&self, process: LeaderPid) -> bool {
        self.processes.get(&process.pid).is_some_and(|p| p.start == process.start)
    }

    pub(crate) fn place_of(&self, process: LeaderPid) -> Option<&Place> {
        self.processes.get(&process.pid).filter(|p| p.start == process.start).map(|p| &p.place)
    }

    pub(crate) fn move_to(&mut self, process: LeaderPid, place: Place) {
        assert!(self.is_alive(process), "moving a dead process");
        self.processes.get_mut(&process.pid).unwrap().place = place;
    }

    pub(crate) fn those_in(&self, place: &Place) -> Vec<LeaderPid> {
        self.those_where(|other| other == place)
    }

    pub(crate) fn those_where(&self, condition: impl Fn(&Place) -> bool) -> Vec<LeaderPid> {
        let inside = self.processes.iter().filter(|(_, process)| condition(&process.place));
        inside.map(|(pid, process)| LeaderPid { pid: *pid, start: process.start }).collect()
    }

    /// What somebody who looks at the runtime directory's path sees there.
    pub(crate) fn at_path(&self, uid: Uid) -> AtPath {
        self.runtime_dirs.get(&uid).and_then(|dir| dir.mount).map_or(AtPath::Nothing, AtPath::Mount)
    }

    /// Removes the scopes that no file names and nobody is in, as the real edge does when it starts.
    pub(crate) fn sweep(&mut self) {
        let empty =
            |scope: &(Uid, SessionId)| self.those_in(&Place::Scope(scope.0, scope.1.clone())).is_empty();
        let stale = |scope: &&(Uid, SessionId)| !self.session_files.contains_key(&scope.1) && empty(scope);
        for scope in self.scopes.iter().filter(stale).cloned().collect::<Vec<_>>() {
            self.scopes.remove(&scope);
        }
    }

    /// What a real edge finds when it starts.
    pub(crate) fn found(&self, cgroups: bool) -> Found {
        let users = self.user_files.values().map(|record| FoundUser {
            record: UserRecord { sessions: Vec::new(), ..record.clone() },
            manager_alive: record.manager.is_some_and(|main| self.is_alive(main)),
            runtime: self.runtime_dirs.get(&record.uid).copied(),
        });
        let sessions = self.session_files.values().map(|record| {
            let scope = Place::Scope(record.uid, record.id.clone());
            FoundSession {
                record: record.clone(),
                // One without a number cannot be found again.
                leader_alive: record
                    .leader
                    .is_some_and(|leader| !leader.is_hidden() && self.is_alive(leader)),
                scope_exists: cgroups && self.scopes.contains(&(record.uid, record.id.clone())),
                leader_in_scope: cgroups
                    && record.leader.and_then(|leader| self.place_of(leader)) == Some(&scope),
            }
        });
        Found {
            reserved_ids: self.reserved_ids,
            users: users.collect(),
            sessions: sessions.collect(),
            lingering: self.linger_flags.clone(),
            has_vts: self.has_vts,
            foreground: self.foreground,
        }
    }
}
