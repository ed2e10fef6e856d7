//! How near usherd is to its limit on open descriptors. Each session takes one, for as long as it lasts: a machine whose
//! limit cannot be raised runs out of them. Then a refusal with a reason is better than an accept(2) that fails and lets
//! everybody wait.

use std::os::fd::{AsFd, AsRawFd};

use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// The part of the limit that is kept back: one in so many, half of it for root.
const RESERVE_SHARE: u64 = 4;
/// More than this need not be kept back, however high the limit is.
const RESERVE_MAX: u64 = 256;

/// The limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headroom {
    limit: u64,
}

/// Who can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    /// Nobody: what is left is for usherd's own work.
    Nobody,
    /// Root, who comes to mend the machine.
    Root,
    /// Everybody.
    Everybody,
}

impl Headroom {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit }
    }

    fn reserve(self) -> u64 {
        (self.limit / RESERVE_SHARE).min(RESERVE_MAX)
    }

    /// How it looks now. A descriptor gets the lowest free number, so as long as nobody has ever needed the numbers of the
    /// reserve, one look at the first of them is enough; after that they are counted.
    pub(crate) fn now(self, any: impl AsFd) -> Room {
        let first = self.limit - self.reserve();
        let number = i32::try_from(first).unwrap_or(i32::MAX);
        match rustix::io::fcntl_dupfd_cloexec(any, number) {
            Ok(copy) if copy.as_raw_fd() == number => Room::Everybody,
            _ => self.with(open_descriptors().unwrap_or(self.limit)),
        }
    }

    /// How it looks with so many in use.
    fn with(self, used: u64) -> Room {
        let left = self.limit.saturating_sub(used);
        if left > self.reserve() {
            Room::Everybody
        } else if left > self.reserve() / 2 {
            Room::Root
        } else {
            Room::Nobody
        }
    }

    /// Whether there is room for somebody's business.
    ///
    /// # Errors
    /// The refusal for whom there is none.
    pub(crate) fn check(self, room: Room, uid: Uid) -> Result<(), Refusal> {
        if room == Room::Everybody || (room == Room::Root && uid.is_root()) {
            return Ok(());
        }
        let limit = self.limit;
        let message = format!(
            "usherd has hardly any of its {limit} file descriptors left; start it with a higher limit (ulimit -n, \
             LimitNOFILE=)"
        );
        Err(Refusal::LimitsExceeded { message })
    }
}

/// How many there are; `None` where even that needs one too many.
fn open_descriptors() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::Room::{Everybody, Nobody, Root};
    use super::*;

    #[test]
    fn the_last_ones_are_kept_back() {
        let small = Headroom::new(200);
        let rooms = [0, 149, 150, 174, 175, 200].map(|used| small.with(used));
        assert_eq!(rooms, [Everybody, Everybody, Root, Root, Nobody, Nobody]);
        assert_eq!(Headroom::new(524_288).with(500_000), Everybody);
        let person = Uid::try_from(1000).unwrap();
        assert!(small.check(Root, person).is_err() && small.check(Root, Uid::ROOT).is_ok());
        assert!(small.check(Nobody, Uid::ROOT).is_err() && small.check(Everybody, person).is_ok());
    }

    #[test]
    fn they_are_looked_at_as_they_are() {
        let limit = crate::sys::limits::raise_open_files();
        assert_eq!(Headroom::new(limit).now(std::io::stderr()), Everybody);
    }
}
