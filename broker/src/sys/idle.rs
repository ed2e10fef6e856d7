//! Idleness: how long nobody has typed at a terminal (contract/user-lifecycle.md section 10). Read when somebody asks,
//! not on any login's way.

use std::os::linux::fs::MetadataExt;

use usher_protocol::messages::SessionView;
use usher_protocol::session::SessionType;

use super::clock;

/// A terminal that nobody has typed at for this long is idle: logind's IdleActionSec.
const IDLE_AFTER: u64 = 30 * 60 * 1_000_000;

/// Fills in the idle hint of a session on a terminal, from the terminal's time of last input.
pub fn fill_in(session: &mut SessionView) {
    if session.kind != SessionType::Tty || session.tty.is_empty() || session.tty.contains("..") {
        return;
    }
    let Ok(terminal) = std::fs::metadata(format!("/dev/{}", session.tty)) else { return };
    let (Ok(seconds), Ok(nanos)) =
        (u64::try_from(terminal.st_atime()), u64::try_from(terminal.st_atime_nsec()))
    else {
        return;
    };
    let last_input = seconds * 1_000_000 + nanos / 1000;
    let now = clock::now();
    let idle_for = now.realtime.saturating_sub(last_input);
    if idle_for >= IDLE_AFTER {
        session.idle_hint = true;
        session.idle_since = last_input;
        session.idle_since_monotonic = now.monotonic.saturating_sub(idle_for);
    }
}
