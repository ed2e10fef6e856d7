//! What usher keeps of people and their sessions, read from outside: state files, cgroups, mounts, processes.

use std::collections::BTreeMap;
use std::fs;

use super::Machine;

/// Somebody with an account in the machine.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Login name.
    pub name: &'static str,
    /// User number.
    pub uid: u32,
}

/// The first of the people of every machine; may use sudo.
pub const ALICE: Person = Person { name: "alice", uid: 1001 };
/// The second.
pub const BOB: Person = Person { name: "bob", uid: 1002 };
/// The administrator.
pub const ROOT: Person = Person { name: "root", uid: 0 };

impl Person {
    /// The cgroup of everything that is the person's.
    pub fn slice(&self) -> String {
        format!("/user.slice/user-{}.slice", self.uid)
    }

    /// The cgroup of a session.
    pub fn scope(&self, session: &str) -> String {
        format!("{}/session-{session}.scope", self.slice())
    }

    /// The cgroup of the user manager and its services.
    pub fn service(&self) -> String {
        format!("{}/user@{}.service", self.slice(), self.uid)
    }

    /// XDG_RUNTIME_DIR.
    pub fn runtime_dir(&self) -> String {
        format!("/run/user/{}", self.uid)
    }
}

impl Machine {
    /// The assignments of a state file, such as `users/1001` or `sessions/3`; none if there is no such file.
    pub fn state(&self, file: &str) -> BTreeMap<String, String> {
        let text = self.read(format!("/run/systemd/{file}"));
        let assignments = text.lines().filter_map(|line| line.split_once('='));
        assignments.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// One value of a state file; empty if it is not there.
    pub fn state_of(&self, file: &str, key: &str) -> String {
        self.state(file).remove(key).unwrap_or_default()
    }

    /// Ids of all sessions of a person with their classes, oldest first.
    pub fn all_sessions(&self, person: &Person) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.file("/run/systemd/sessions")).into_iter().flatten().flatten();
        let mut sessions: Vec<(u64, String)> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|id: u64| {
                let mut state = self.state(&format!("sessions/{id}"));
                let class = state.remove("CLASS")?;
                (state.get("UID")? == &person.uid.to_string()).then_some((id, class))
            })
            .collect();
        sessions.sort();
        sessions.into_iter().map(|(id, class)| (id.to_string(), class)).collect()
    }

    /// Ids of a person's logins, oldest first: all sessions but those of user managers.
    pub fn sessions(&self, person: &Person) -> Vec<String> {
        let sessions = self.all_sessions(person).into_iter();
        sessions.filter(|(_, class)| !class.starts_with("manager")).map(|(id, _)| id).collect()
    }

    /// The process of a person's user manager: the one in its cgroup that is not the keeper of its PAM session.
    pub fn manager(&self, person: &Person) -> Option<i32> {
        let pids = self.cgroup_procs(&format!("{}/init.scope", person.service()))?;
        let keeper = |pid: &i32| {
            let name = self.read(format!("/proc/{pid}/comm"));
            name.starts_with("(sd-pam)") || name.starts_with("usher-user-mana")
        };
        pids.into_iter().find(|pid| !keeper(pid))
    }

    /// Processes with the person's user number.
    pub fn processes_of(&self, person: &Person) -> String {
        self.try_run(&["ps", "-u", person.name, "-o", "pid=,stat=,args="]).stdout
    }

    /// Waits until nothing is left of a person (contract: user-lifecycle.md section 6): no record, session, directory,
    /// mount, cgroup, process or zombie.
    pub fn wait_gone(&self, person: &Person) {
        let name = person.name;
        self.wait_for(&format!("{name}'s sessions to be gone"), || self.all_sessions(person).is_empty());
        let file = format!("/run/systemd/users/{}", person.uid);
        self.wait_for(&format!("{name}'s record to be gone"), || !self.exists(&file));
        let directory = person.runtime_dir();
        let unmounted = || self.mounted(&directory).is_none() && !self.exists(&directory);
        self.wait_for(&format!("{name}'s runtime directory to be gone"), unmounted);
        self.wait_for(&format!("{name}'s cgroup to be gone"), || {
            self.cgroup_procs(&person.slice()).is_none()
        });
        if person.uid != 0 {
            self.wait_for(&format!("{name}'s processes to be gone"), || self.processes_of(person).is_empty());
        }
        self.wait_for("the machine to have no zombies", || {
            !self.run(&["ps", "-e", "-o", "stat="]).stdout.lines().any(|stat| stat.starts_with('Z'))
        });
    }
}
