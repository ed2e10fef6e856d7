//! What org.freedesktop.login1.Manager has to say about power, sleep, inhibitors and devices: usherd does nothing of that yet,
//! and says so in the words in which logind tells of a machine that cannot do it (contract/inhibit-power.md section 6).

use super::call::{Call, Reply};
use super::failure::Failure;

/// Answers one call.
pub(super) async fn answer(call: &Call, method: &str) -> Reply {
    match method {
        "ListInhibitors" => {
            let none: Vec<(String, String, String, String, u32, u32)> = Vec::new();
            call.reply(&(none,))
        }
        "CanPowerOff"
        | "CanReboot"
        | "CanHalt"
        | "CanSuspend"
        | "CanHibernate"
        | "CanHybridSleep"
        | "CanSuspendThenHibernate"
        | "CanSleep"
        | "CanRebootParameter"
        | "CanRebootToFirmwareSetup"
        | "CanRebootToBootLoaderMenu"
        | "CanRebootToBootLoaderEntry" => call.reply(&("na",)),
        // None is ever scheduled.
        "CancelScheduledShutdown" => call.reply(&(false,)),
        "Suspend" | "Hibernate" | "HybridSleep" | "SuspendThenHibernate" => Err(no_sleep()),
        "SuspendWithFlags"
        | "HibernateWithFlags"
        | "HybridSleepWithFlags"
        | "SuspendThenHibernateWithFlags"
        | "Sleep" => {
            check_flags(call, false)?;
            Err(no_sleep())
        }
        "PowerOffWithFlags" | "HaltWithFlags" => {
            check_flags(call, false)?;
            Err(not_here(method))
        }
        "RebootWithFlags" => {
            check_flags(call, true)?;
            Err(not_here(method))
        }
        _ => Err(not_here(method)),
    }
}

fn no_sleep() -> Failure {
    Failure::login1("SleepVerbNotSupported", "usherd does not put the machine to sleep yet")
}

fn not_here(method: &str) -> Failure {
    let message =
        format!("usherd does not do {method} yet; the init of this machine may have a command for it");
    Failure::not_supported(message)
}

/// contract/inhibit-power.md section 2: which flags there are, and for what.
fn check_flags(call: &Call, reboot: bool) -> Result<(), Failure> {
    const REBOOT_VIA_KEXEC: u64 = 2;
    const SOFT_REBOOT: u64 = 4;
    const SOFT_REBOOT_IF_NEXTROOT_SET_UP: u64 = 8;
    const FOR_REBOOT: u64 = REBOOT_VIA_KEXEC | SOFT_REBOOT | SOFT_REBOOT_IF_NEXTROOT_SET_UP;
    /// ROOT_CHECK_INHIBITORS and SKIP_INHIBITORS.
    const FOR_ALL: u64 = 1 | 16;
    let (flags,): (u64,) = call.arguments()?;
    let known = if reboot { FOR_ALL | FOR_REBOOT } else { FOR_ALL };
    let both = REBOOT_VIA_KEXEC | SOFT_REBOOT;
    if flags & !known != 0 || flags & both == both {
        return Err(Failure::invalid("Invalid flags parameter"));
    }
    Ok(())
}
