//! How long and how large a storm is.

use std::time::{Duration, Instant};

/// How long and how large a storm is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many logins, as far as there is time.
    pub logins: usize,
    /// No login is begun after that.
    pub until: Instant,
    /// Where chance begins: the same number, the same choices. What the kernel makes of them is another matter.
    pub seed: u64,
}

impl Plan {
    /// As many logins as that, for as long as that at most.
    pub fn new(logins: usize, limit: Duration, seed: u64) -> Self {
        Self { logins, until: Instant::now() + limit, seed }
    }

    /// Whether there is time for more.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.until
    }
}
