//! The settings that decide; logind's names and meanings (contract/conf.md section 2).

use usher_protocol::ids::UserName;

use crate::service::{Rules, Services};

/// The settings that decide. Times are microseconds; `None` is for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UserStopDelaySec.
    pub user_stop_delay: Option<u64>,
    /// KillUserProcesses.
    pub kill_user_processes: bool,
    /// KillOnlyUsers.
    pub kill_only_users: Vec<String>,
    /// KillExcludeUsers; `None`: never configured, which means root.
    pub kill_exclude_users: Option<Vec<String>>,
    /// RemoveIPC.
    pub remove_ipc: bool,
    /// SessionsMax.
    pub sessions_max: u64,
    /// UserSessionsMax: the same for one user; root has none.
    pub user_sessions_max: u64,
    /// Whether a user manager is configured at all.
    pub manager: bool,
    /// How long a login waits for the user's manager.
    pub manager_ready_wait: u64,
    /// How long a manager may take to become ready before it is ended.
    pub manager_start_timeout: u64,
    /// How long a manager may take to stop before it is killed.
    pub manager_stop_timeout: u64,
    /// How long the processes of a session that is being ended have before they are killed.
    pub scope_stop_timeout: u64,
    /// PAM services whose word about seat and terminal is taken: local display managers.
    pub display_managers: Vec<String>,
    /// What is said of the sessions of single PAM services.
    pub services: Services,
    /// RuntimeDirectory: as what runtime directories are made.
    pub runtime_form: RuntimeForm,
    /// RuntimeDirectorySize, in bytes: of each user's runtime directory.
    pub runtime_size: u64,
    /// RuntimeDirectoryInodesMax: the same for the number of its files.
    pub runtime_inodes: u64,
    /// Whether there is a writable cgroup2 tree.
    pub cgroups: bool,
    /// Users with higher numbers are people: their IPC objects are removed.
    pub system_uid_max: u32,
    /// LingerStart=home-available: a lingering user is started at boot when the home directory is there.
    pub linger_needs_home: bool,
}

/// As what a runtime directory is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuntimeForm {
    /// A tmpfs; a plain directory where mounting is not permitted.
    #[default]
    Auto,
    /// A tmpfs or none at all.
    Tmpfs,
    /// A plain directory.
    Directory,
}

/// One second, in the unit of every time here.
pub const SECOND: u64 = 1_000_000;

/// A time as people read it.
pub(crate) fn span(usec: u64) -> String {
    if usec.is_multiple_of(SECOND) { format!("{} s", usec / SECOND) } else { format!("{} ms", usec / 1000) }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_stop_delay: Some(10 * SECOND),
            kill_user_processes: false,
            kill_only_users: Vec::new(),
            kill_exclude_users: None,
            remove_ipc: true,
            sessions_max: 8192,
            user_sessions_max: 8192,
            manager: true,
            manager_ready_wait: 10 * SECOND,
            manager_start_timeout: 90 * SECOND,
            manager_stop_timeout: 120 * SECOND,
            scope_stop_timeout: 90 * SECOND,
            display_managers: Vec::new(),
            services: Services::default(),
            runtime_form: RuntimeForm::Auto,
            runtime_size: 64 << 20,
            runtime_inodes: 16384,
            cgroups: true,
            system_uid_max: 999,
            linger_needs_home: false,
        }
    }
}

impl Settings {
    /// What holds for the sessions of a PAM service.
    pub fn rules_for(&self, service: &str) -> Rules {
        self.services.of(service)
    }

    /// Whether a service's word about seat and terminal is taken.
    pub fn believes_seat_of(&self, service: &str) -> bool {
        let listed = || self.display_managers.iter().any(|name| name == service);
        self.rules_for(service).seat.unwrap_or_else(listed)
    }

    /// Whether processes that a user leaves behind at logout are killed (contract/user-lifecycle.md section 6).
    pub fn kills_processes_of(&self, user: &UserName) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == user.as_str());
        match &self.kill_exclude_users {
            Some(list) if named(list) => return false,
            None if user.as_str() == "root" => return false,
            _ => {}
        }
        if self.kill_only_users.is_empty() { self.kill_user_processes } else { named(&self.kill_only_users) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_killed() {
        let user = |name: &str| name.parse::<UserName>().unwrap();
        let mut settings = Settings { kill_user_processes: true, ..Settings::default() };
        assert!(settings.kills_processes_of(&user("alice")));
        assert!(!settings.kills_processes_of(&user("root")), "root is exempt unless the list is set");
        settings.kill_exclude_users = Some(vec![]);
        assert!(settings.kills_processes_of(&user("root")));
        settings.kill_exclude_users = Some(vec!["alice".into()]);
        assert!(!settings.kills_processes_of(&user("alice")));
        settings.kill_only_users = vec!["bob".into()];
        assert!(settings.kills_processes_of(&user("bob")) && !settings.kills_processes_of(&user("carol")));
        settings.kill_user_processes = false;
        assert!(settings.kills_processes_of(&user("bob")), "the list stands for itself");
    }
}
