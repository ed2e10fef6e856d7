//! What time it is, read once per run, so that all ages in one output agree.

use jiff::tz::TimeZone;
use rustix::time::{ClockId, clock_gettime};

/// A moment on both clocks, in microseconds, and the zone to show times in.
#[derive(Debug, Clone)]
pub struct Now {
    /// CLOCK_REALTIME.
    pub realtime: u64,
    /// CLOCK_MONOTONIC, which nobody sets: ages are differences of this one.
    pub monotonic: u64,
    /// The local time zone (`TZ`, or the system's).
    pub zone: TimeZone,
}

impl Now {
    /// The present.
    pub fn read() -> Self {
        Self {
            realtime: microseconds(ClockId::Realtime),
            monotonic: microseconds(ClockId::Monotonic),
            zone: TimeZone::system(),
        }
    }
}

fn microseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1000)
}
