//! The properties of the manager (contract/dbus.md section 3). What usher does not do has the value that says so.

use std::collections::HashMap;

use usher_model::Idleness;
use usher_protocol::messages::ManagerView;
use zbus::Variant;

use super::{Properties, text};
use crate::sys::{idle, power};

/// No point in time, no limit, nothing chosen: systemd's infinity, in every property of type `t`.
const NONE: u64 = u64::MAX;
/// For how long logind lets inhibitors delay shutdown and sleep. There are none here; its default, for who computes
/// with it.
const INHIBIT_DELAY_MAX: u64 = 5_000_000;
/// For how long logind does not look at the lid after start and resume. Here nobody ever does; its default.
const HOLDOFF_TIMEOUT: u64 = 30_000_000;

/// Where the manager's properties come from.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Settings and counters.
    pub(crate) view: ManagerView,
    /// Whether everybody is idle. Only needed for what [`Manager::needs_idle`] says.
    pub(crate) idle: Idleness,
}

impl Manager {
    /// Whether a property tells of idleness, for which every session's terminal has to be looked at.
    pub(crate) fn needs_idle(name: &str) -> bool {
        matches!(name, "IdleHint" | "IdleSinceHint" | "IdleSinceHintMonotonic")
    }
}

impl Properties for Manager {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        let value = settings(&self.view, name).or_else(|| idleness(&self.idle, name));
        value.or_else(|| machine(name)).or_else(|| inhibitors(name))
    }
}

/// What is configured and counted.
fn settings(view: &ManagerView, name: &str) -> Option<Variant<'static>> {
    Some(match name {
        "KillUserProcesses" => view.kill_user_processes.into(),
        "KillOnlyUsers" => texts(&view.kill_only_users).into(),
        "KillExcludeUsers" => texts(&view.kill_exclude_users).into(),
        "UserStopDelayUSec" => view.user_stop_delay_usec.into(),
        "RemoveIPC" => view.remove_ipc.into(),
        "RuntimeDirectorySize" => view.runtime_directory_size.into(),
        "RuntimeDirectoryInodesMax" => view.runtime_directory_inodes_max.into(),
        "SessionsMax" => view.sessions_max.into(),
        "NCurrentSessions" => view.n_current_sessions.into(),
        "UserTasksMax" => NONE.into(),
        // Getties are the init's business.
        "NAutoVTs" => 0u32.into(),
        _ => return None,
    })
}

fn texts(texts: &[String]) -> Vec<String> {
    texts.iter().map(|one| text(one)).collect()
}

fn idleness(idleness: &Idleness, name: &str) -> Option<Variant<'static>> {
    Some(match name {
        "IdleHint" => idleness.hint.into(),
        "IdleSinceHint" => idleness.since.into(),
        "IdleSinceHintMonotonic" => idleness.since_monotonic.into(),
        // From when on a terminal counts as idle. Nothing is done about it.
        "IdleActionUSec" => idle::IDLE_AFTER.into(),
        "IdleAction" => "ignore".into(),
        "StopIdleSessionUSec" => NONE.into(),
        _ => return None,
    })
}

/// Shutdown, sleep, keys and lid: usher leaves them alone.
fn machine(name: &str) -> Option<Variant<'static>> {
    Some(match name {
        "HandlePowerKey"
        | "HandlePowerKeyLongPress"
        | "HandleRebootKey"
        | "HandleRebootKeyLongPress"
        | "HandleSuspendKey"
        | "HandleSuspendKeyLongPress"
        | "HandleHibernateKey"
        | "HandleHibernateKeyLongPress"
        | "HandleLidSwitch"
        | "HandleLidSwitchExternalPower"
        | "HandleLidSwitchDocked"
        | "HandleSecureAttentionKey" => "ignore".into(),
        "HoldoffTimeoutUSec" => HOLDOFF_TIMEOUT.into(),
        // No lid switch and no dock is opened, as logind opens none where every action is to ignore it.
        "Docked" | "LidClosed" => false.into(),
        "OnExternalPower" => power::on_external_power().into(),
        "PreparingForShutdown" | "PreparingForSleep" => false.into(),
        "PreparingForShutdownWithMetadata" => HashMap::from([("preparing", Variant::from(false))]).into(),
        "ScheduledShutdown" => ("", NONE).into(),
        "DesignatedMaintenanceTime" => "".into(),
        // Without a kind of sleep that would be tried.
        "SleepOperation" => Vec::<String>::new().into(),
        "EnableWallMessages" => false.into(),
        "WallMessage" => "".into(),
        "RebootParameter" | "RebootToBootLoaderEntry" => "".into(),
        "RebootToFirmwareSetup" => false.into(),
        "RebootToBootLoaderMenu" => NONE.into(),
        "BootLoaderEntries" => Vec::<String>::new().into(),
        _ => return None,
    })
}

/// Inhibitors: nobody can take one.
fn inhibitors(name: &str) -> Option<Variant<'static>> {
    Some(match name {
        "BlockInhibited" | "BlockWeakInhibited" | "DelayInhibited" => "".into(),
        "InhibitDelayMaxUSec" => INHIBIT_DELAY_MAX.into(),
        "InhibitorsMax" | "NCurrentInhibitors" => 0u64.into(),
        _ => return None,
    })
}
