//! The settings as types, with their defaults (contract/conf.md section 2), and what each key does to them.

use std::time::Duration;

use usher_model::RuntimeForm;

use super::definition;
use super::values::{self, Amount, Expected};

/// The longest that a login may be told to wait for its user's manager.
const READY_WAIT_LIMIT: Duration = Duration::from_secs(120);

/// The longest time-out for starting or stopping something. Without an end, one hung process would keep its user
/// for ever.
pub(super) const TIMEOUT_LIMIT: Duration = Duration::from_secs(3600);

/// The configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UserStopDelaySec; `None` is for ever.
    pub user_stop_delay: Option<Duration>,
    /// KillUserProcesses.
    pub kill_user_processes: bool,
    /// KillOnlyUsers.
    pub kill_only_users: Vec<String>,
    /// KillExcludeUsers; `None`: never configured, which means root. An empty list exempts nobody.
    pub kill_exclude_users: Option<Vec<String>>,
    /// RemoveIPC.
    pub remove_ipc: bool,
    /// RuntimeDirectory: as what runtime directories are made.
    pub runtime_directory: RuntimeForm,
    /// RuntimeDirectorySize.
    pub runtime_directory_size: Amount,
    /// RuntimeDirectoryInodesMax; `None`: as many as the default size has pages of 4 KiB.
    pub runtime_directory_inodes: Option<u64>,
    /// SessionsMax.
    pub sessions_max: u64,
    /// UserSessionsMax: the same for one user.
    pub user_sessions_max: u64,
    /// Manager.
    pub manager: Manager,
    /// ManagerOf: whose manager is another one, by definition.
    pub manager_of: Vec<ManagerOf>,
    /// ManagerReadyWaitSec: how long a login waits for the manager's readiness.
    pub manager_ready_wait: Duration,
    /// ManagerStartTimeoutSec: how long a manager may take to become ready before it is ended.
    pub manager_start_timeout: Duration,
    /// ManagerStopTimeoutSec: how long a manager may take to stop before it is killed.
    pub manager_stop_timeout: Duration,
    /// LingerStart: when lingering users are started at boot.
    pub linger_start: LingerStart,
    /// SessionStopTimeoutSec: how long the processes of a session that is ended have before they are killed.
    pub session_stop_timeout: Duration,
    /// ExpediteRCU: whether moves to other cgroups are expedited.
    pub expedite_rcu: bool,
    /// HookTimeoutSec: how long a hook may run before it is killed.
    pub hook_timeout: Duration,
    /// DisplayManagers: the PAM services that are believed about seats and virtual terminals.
    pub display_managers: Vec<String>,
    /// `[Service …]`: what holds for the sessions of single PAM services.
    pub services: usher_model::Services,
    /// ConnectionsMax: connections to the socket at one time; root has a reserve beyond it.
    pub connections_max: u64,
    /// UserConnectionsMax: the same for one user.
    pub user_connections_max: u64,
}

/// What runs as a user's service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// The one of that definition, `systemd` by default.
    Named(String),
    /// Nothing.
    None,
    /// A command: an absolute path and arguments.
    Command(Vec<String>),
}

/// Whose manager is the one of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerOf {
    /// The users.
    pub whose: Whose,
    /// The name of the definition.
    pub manager: String,
}

/// One user, or the members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The user of that name.
    User(String),
    /// Whoever is in the group of that name.
    Group(String),
}

/// When a lingering user is started at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LingerStart {
    /// As soon as the user database knows the user.
    Boot,
    /// As soon as the home directory is there, too.
    HomeAvailable,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_stop_delay: Some(Duration::from_secs(10)),
            kill_user_processes: false,
            kill_only_users: Vec::new(),
            kill_exclude_users: None,
            remove_ipc: true,
            runtime_directory: RuntimeForm::Auto,
            runtime_directory_size: DEFAULT_RUNTIME_SIZE,
            runtime_directory_inodes: None,
            sessions_max: 8192,
            user_sessions_max: 2048,
            manager: Manager::Named("systemd".to_owned()),
            manager_of: Vec::new(),
            manager_ready_wait: Duration::from_secs(10),
            manager_start_timeout: Duration::from_secs(90),
            manager_stop_timeout: Duration::from_secs(120),
            linger_start: LingerStart::Boot,
            session_stop_timeout: Duration::from_secs(90),
            expedite_rcu: true,
            hook_timeout: Duration::from_secs(10),
            display_managers: DISPLAY_MANAGERS.iter().map(|&name| name.to_owned()).collect(),
            services: super::services::built_in(),
            connections_max: 4096,
            user_connections_max: 256,
        }
    }
}

const DEFAULT_RUNTIME_SIZE: Amount = Amount::Share(1_000);

/// The PAM services of the display managers that distributions ship, greeters included.
const DISPLAY_MANAGERS: &[&str] = &[
    "gdm",
    "gdm-autologin",
    "gdm-fingerprint",
    "gdm-launch-environment",
    "gdm-password",
    "gdm-smartcard",
    "greetd",
    "lemurs",
    "lightdm",
    "lightdm-autologin",
    "lightdm-greeter",
    "lxdm",
    "ly",
    "plasmalogin",
    "plasmalogin-autologin",
    "plasmalogin-greeter",
    "sddm",
    "sddm-autologin",
    "sddm-greeter",
    "slim",
    "xdm",
];

impl Settings {
    /// Bytes and inodes of a new runtime directory on a machine with this much memory. The bytes are whole pages.
    /// Unless they are set, the inodes follow from the built-in default size, not from the configured one
    /// (contract/conf.md section 2).
    pub fn runtime_directory_limits(&self, memory: u64, page: u64) -> (u64, u64) {
        let bytes = |amount| match amount {
            Amount::Bytes(bytes) => whole_pages(bytes, page),
            Amount::Share(share) => {
                let bytes = u128::from(memory) * u128::from(share) / 10_000;
                whole_pages(u64::try_from(bytes).unwrap_or(u64::MAX), page)
            }
        };
        let inodes =
            self.runtime_directory_inodes.unwrap_or_else(|| bytes(DEFAULT_RUNTIME_SIZE).div_ceil(4096));
        (bytes(self.runtime_directory_size), inodes)
    }

    /// The part of the settings that decides, for the model; `limits` are those of [`Self::runtime_directory_limits`].
    pub fn for_model(&self, cgroups: bool, system_uid_max: u32, limits: (u64, u64)) -> usher_model::Settings {
        let usec = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        usher_model::Settings {
            user_stop_delay: self.user_stop_delay.map(usec),
            kill_user_processes: self.kill_user_processes,
            kill_only_users: self.kill_only_users.clone(),
            kill_exclude_users: self.kill_exclude_users.clone(),
            remove_ipc: self.remove_ipc,
            sessions_max: self.sessions_max,
            user_sessions_max: self.user_sessions_max,
            manager: self.manager != Manager::None || !self.manager_of.is_empty(),
            manager_ready_wait: usec(self.manager_ready_wait),
            manager_start_timeout: usec(self.manager_start_timeout),
            manager_stop_timeout: usec(self.manager_stop_timeout),
            scope_stop_timeout: usec(self.session_stop_timeout),
            display_managers: self.display_managers.clone(),
            services: self.services.clone(),
            runtime_form: self.runtime_directory,
            runtime_size: limits.0,
            runtime_inodes: limits.1,
            cgroups,
            system_uid_max,
            linger_needs_home: self.linger_start == LingerStart::HomeAvailable,
        }
    }
}

/// Rounded up to whole pages, at least one; and down where the next one would be beyond what can be counted.
fn whole_pages(bytes: u64, page: u64) -> u64 {
    let page = page.max(1);
    bytes.div_ceil(page).clamp(1, u64::MAX / page).saturating_mul(page)
}

/// What became of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// It is a setting now.
    Effective,
    /// It is right, and logind would heed it, but usher does not yet.
    WithoutEffect,
    /// Nobody knows the key.
    UnknownKey,
}

/// Carries out one assignment. A bad value changes nothing.
pub(super) fn apply(settings: &mut Settings, key: &str, value: &str) -> Result<Applied, Expected> {
    let s = settings;
    // LingerStart may be written linger-start: nothing else could be meant.
    match key.to_ascii_lowercase().replace('-', "").as_str() {
        "userstopdelaysec" => s.user_stop_delay = values::span(value)?,
        "killuserprocesses" => s.kill_user_processes = values::boolean(value)?,
        "killonlyusers" => extend(&mut s.kill_only_users, value)?,
        "killexcludeusers" => {
            let mut list = s.kill_exclude_users.take().unwrap_or_default();
            let outcome = extend(&mut list, value);
            s.kill_exclude_users = Some(list);
            outcome?;
        }
        "removeipc" => s.remove_ipc = values::boolean(value)?,
        "runtimedirectory" => s.runtime_directory = runtime_form(value)?,
        "runtimedirectorysize" => s.runtime_directory_size = values::amount(value)?,
        "runtimedirectoryinodesmax" => s.runtime_directory_inodes = Some(values::size(value)?),
        "sessionsmax" => s.sessions_max = values::number(value)?,
        "usersessionsmax" => s.user_sessions_max = values::number(value)?,
        "manager" => s.manager = manager(value)?,
        "managerof" => manager_of(&mut s.manager_of, value)?,
        "managerreadywaitsec" => {
            s.manager_ready_wait =
                values::bounded_span(value, READY_WAIT_LIMIT, "expected a time span of at most 2min")?;
        }
        "managerstarttimeoutsec" => s.manager_start_timeout = timeout(value)?,
        "managerstoptimeoutsec" => s.manager_stop_timeout = timeout(value)?,
        "lingerstart" => s.linger_start = linger_start(value)?,
        "sessionstoptimeoutsec" => s.session_stop_timeout = timeout(value)?,
        "expeditercu" => s.expedite_rcu = values::boolean(value)?,
        "hooktimeoutsec" => s.hook_timeout = timeout(value)?,
        "displaymanagers" => extend(&mut s.display_managers, value)?,
        "connectionsmax" => s.connections_max = positive(value)?,
        "userconnectionsmax" => s.user_connections_max = positive(value)?,
        other => return without_effect(other, value),
    }
    Ok(Applied::Effective)
}

/// Lists grow with every assignment, defaults included; an empty assignment starts them anew.
fn extend(list: &mut Vec<String>, value: &str) -> Result<(), Expected> {
    let words = values::words(value)?;
    if value.is_empty() {
        list.clear();
    }
    for word in words {
        if !list.contains(&word) {
            list.push(word);
        }
    }
    Ok(())
}

fn positive(value: &str) -> Result<u64, Expected> {
    values::number(value).ok().filter(|&n| n > 0).ok_or("expected a number of at least 1")
}

fn timeout(value: &str) -> Result<Duration, Expected> {
    values::bounded_span(value, TIMEOUT_LIMIT, "expected a time span of at most 1h")
}

fn runtime_form(value: &str) -> Result<RuntimeForm, Expected> {
    match value {
        "auto" => Ok(RuntimeForm::Auto),
        "tmpfs" => Ok(RuntimeForm::Tmpfs),
        "directory" => Ok(RuntimeForm::Directory),
        _ => Err("expected auto, tmpfs or directory"),
    }
}

fn manager(value: &str) -> Result<Manager, Expected> {
    const EXPECTED: Expected = "expected the name of a definition such as systemd or none, or a command that starts with an absolute path";
    match value {
        "none" => Ok(Manager::None),
        name if definition::is_name(name) => Ok(Manager::Named(name.to_owned())),
        _ => {
            let command = values::words(value).map_err(|_| EXPECTED)?;
            let absolute = command.first().is_some_and(|program| program.starts_with('/'));
            if absolute { Ok(Manager::Command(command)) } else { Err(EXPECTED) }
        }
    }
}

/// Grows with every assignment; an empty one starts it anew.
fn manager_of(list: &mut Vec<ManagerOf>, value: &str) -> Result<(), Expected> {
    const EXPECTED: Expected =
        "expected USER:DEFINITION or @GROUP:DEFINITION, such as alice:dinit @wheel:runit";
    let parse = |word: &String| {
        let (whose, manager) = word.rsplit_once(':')?;
        let whose = match whose.strip_prefix('@') {
            Some(group) => Whose::Group(group.to_owned()),
            None => Whose::User(whose.to_owned()),
        };
        let (Whose::User(name) | Whose::Group(name)) = &whose;
        let good = !name.is_empty() && !name.contains(char::is_control) && definition::is_name(manager);
        good.then(|| ManagerOf { whose, manager: manager.to_owned() })
    };
    let entries: Option<Vec<_>> = values::words(value)?.iter().map(parse).collect();
    let entries = entries.ok_or(EXPECTED)?;
    if value.is_empty() {
        list.clear();
    }
    list.extend(entries);
    Ok(())
}

fn linger_start(value: &str) -> Result<LingerStart, Expected> {
    match value {
        "boot" => Ok(LingerStart::Boot),
        "home-available" => Ok(LingerStart::HomeAvailable),
        _ => Err("expected boot or home-available"),
    }
}

/// logind's and elogind's other keys: checked, so that a mistake shows, but not heeded yet.
fn without_effect(key: &str, value: &str) -> Result<Applied, Expected> {
    match key {
        "powerkeyignoreinhibited"
        | "suspendkeyignoreinhibited"
        | "hibernatekeyignoreinhibited"
        | "rebootkeyignoreinhibited"
        | "lidswitchignoreinhibited"
        | "delegatesessioncgroups" => _ = values::boolean(value)?,
        "inhibitdelaymaxsec" | "holdofftimeoutsec" | "idleactionsec" | "stopidlesessionsec" => {
            _ = values::span(value)?;
        }
        "nautovts" | "reservevt" | "inhibitorsmax" => _ = values::number(value)?,
        "handlepowerkey"
        | "handlepowerkeylongpress"
        | "handlerebootkey"
        | "handlerebootkeylongpress"
        | "handlesuspendkey"
        | "handlesuspendkeylongpress"
        | "handlehibernatekey"
        | "handlehibernatekeylongpress"
        | "handlelidswitch"
        | "handlelidswitchexternalpower"
        | "handlelidswitchdocked"
        | "handlesecureattentionkey"
        | "idleaction" => action(value)?,
        "sleepoperation" => _ = values::words(value)?,
        "designatedmaintenancetime" | "usertasksmax" => {}
        _ => return Ok(Applied::UnknownKey),
    }
    Ok(Applied::WithoutEffect)
}

fn action(value: &str) -> Result<(), Expected> {
    match value {
        "ignore"
        | "poweroff"
        | "reboot"
        | "halt"
        | "kexec"
        | "soft-reboot"
        | "suspend"
        | "hibernate"
        | "hybrid-sleep"
        | "suspend-then-hibernate"
        | "sleep"
        | "lock"
        | "factory-reset"
        | "secure-attention-key" => Ok(()),
        _ => Err("expected an action such as ignore, poweroff, suspend or lock"),
    }
}

#[cfg(test)]
mod tests;
