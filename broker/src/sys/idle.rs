//! Idleness: how long nobody has typed at a terminal (contract/user-lifecycle.md section 10). Read when somebody asks,
//! not on any login's way.

use std::borrow::Borrow;
use std::os::linux::fs::MetadataExt;

use usher_model::{Idleness, Now};
use usher_protocol::messages::{SeatView, SessionView, UserView};
use usher_protocol::session::SessionType;

use super::clock;

/// A terminal that nobody has typed at for this long is idle, in microseconds: logind's IdleActionSec.
pub const IDLE_AFTER: u64 = 30 * 60 * 1_000_000;

const DEV: &str = "/dev";

/// Fills in the idle hint of a session on a terminal, from the terminal's time of last input.
pub fn fill_in(session: &mut SessionView) {
    let idle = of_session(session, DEV, clock::now());
    session.idle_hint = idle.hint;
    session.idle_since = idle.since;
    session.idle_since_monotonic = idle.since_monotonic;
}

/// Fills in a user's idle hint, from the user's sessions: idle if all are that can be at all, and so if there is none.
pub fn fill_in_user(user: &mut UserView, sessions: impl IntoIterator<Item: Borrow<SessionView>>) {
    let idle = together(capable(sessions), DEV, clock::now());
    user.idle_hint = idle.hint;
    user.idle_since = idle.since;
    user.idle_since_monotonic = idle.since_monotonic;
}

/// Fills in a seat's idle hint, from the seat's sessions: idle if all are. One of a class that never is idle keeps the
/// seat from it, other than a user (contract/seats-devices.md section 6).
pub fn fill_in_seat(seat: &mut SeatView, sessions: impl IntoIterator<Item: Borrow<SessionView>>) {
    let idle = together(sessions, DEV, clock::now());
    seat.idle_hint = idle.hint;
    seat.idle_since = idle.since;
    seat.idle_since_monotonic = idle.since_monotonic;
}

/// Whether everybody is idle: all sessions that can be at all. Since `start`, when usherd started, at the earliest: of the
/// time before it nobody can tell.
pub fn of_everybody(sessions: impl IntoIterator<Item: Borrow<SessionView>>, start: Now) -> Idleness {
    let idle = together(capable(sessions), DEV, clock::now());
    if !idle.hint || idle.since_monotonic >= start.monotonic {
        return idle;
    }
    Idleness { hint: true, since: start.realtime, since_monotonic: start.monotonic }
}

fn capable<S: Borrow<SessionView>>(sessions: impl IntoIterator<Item = S>) -> impl Iterator<Item = S> {
    sessions.into_iter().filter(|session| session.borrow().class.can_idle())
}

/// Whether all of the sessions are idle, and since when the last one of them. Looks no further than the first one that
/// is in use.
fn together(sessions: impl IntoIterator<Item: Borrow<SessionView>>, dev: &str, now: Now) -> Idleness {
    let mut together = Idleness { hint: true, ..Idleness::default() };
    for session in sessions {
        let idle = of_session(session.borrow(), dev, now);
        if !idle.hint {
            return Idleness::default();
        }
        if idle.since_monotonic > together.since_monotonic {
            together = idle;
        }
    }
    together
}

/// One session: on a terminal, the terminal tells; a graphical one is as idle as it says of itself; others never are.
fn of_session(session: &SessionView, dev: &str, now: Now) -> Idleness {
    if !session.class.can_idle() {
        return Idleness::default();
    }
    if session.kind != SessionType::Tty {
        return Idleness {
            hint: session.idle_hint,
            since: session.idle_since,
            since_monotonic: session.idle_since_monotonic,
        };
    }
    let Some(last_input) = last_input(dev, &session.tty) else { return Idleness::default() };
    let idle_for = now.realtime.saturating_sub(last_input);
    if idle_for < IDLE_AFTER {
        return Idleness::default();
    }
    Idleness { hint: true, since: last_input, since_monotonic: now.monotonic.saturating_sub(idle_for) }
}

/// When somebody last typed at a terminal, CLOCK_REALTIME in microseconds; `None` if nobody can tell.
fn last_input(dev: &str, tty: &str) -> Option<u64> {
    if tty.is_empty() || tty.contains("..") {
        return None;
    }
    let terminal = std::fs::metadata(format!("{dev}/{tty}")).ok()?;
    let seconds: u64 = terminal.st_atime().try_into().ok()?;
    let nanos: u64 = terminal.st_atime_nsec().try_into().ok()?;
    Some(seconds * 1_000_000 + nanos / 1000)
}

#[cfg(test)]
mod tests;
