//! org.freedesktop.systemd1 where PID 1 is not systemd: the one method that a user's manager needs of it, to take processes of
//! its user's sessions into its own units (contract/user-lifecycle.md section 8).

use std::fs;
use std::sync::LazyLock;

use super::call::{Call, Reply};
use super::failure::Failure;

/// Whether usherd answers for systemd here: not where PID 1 is systemd. sd_booted(3) says so, too, but its marker is there on
/// some machines for the sake of programs that will not run without.
pub(super) fn is_served() -> bool {
    static SERVED: LazyLock<bool> = LazyLock::new(|| {
        fs::read_to_string("/proc/1/comm").map_or(true, |name| name.trim_end() != "systemd")
    });
    *SERVED
}

/// Answers one call.
pub(super) async fn answer(_call: &Call, method: &str) -> Reply {
    Err(Failure::not_supported(format!("usherd is not systemd and does not do {method}")))
}
