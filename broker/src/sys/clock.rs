//! The time.

use rustix::time::{ClockId, Timespec, clock_gettime};
use usher_model::Now;

/// The time now, in microseconds.
pub fn now() -> Now {
    Now {
        realtime: microseconds(clock_gettime(ClockId::Realtime)),
        monotonic: microseconds(clock_gettime(ClockId::Monotonic)),
    }
}

/// The time since boot, in microseconds, time in suspend included.
pub fn since_boot() -> u64 {
    microseconds(clock_gettime(ClockId::Boottime))
}

fn microseconds(time: Timespec) -> u64 {
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    // Neither is negative unless somebody has set the clock to before 1970.
    seconds.unwrap_or_default().saturating_mul(1_000_000) + nanoseconds.unwrap_or_default() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let (first, second) = (now(), now());
        assert!(first.monotonic <= second.monotonic);
        assert!(first.realtime > 1_700_000_000_000_000);
    }
}
