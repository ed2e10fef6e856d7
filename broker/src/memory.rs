//! Memory that a rush has taken goes back to the system when the rush is over. The allocator keeps what is free below
//! anything that is not: of thousands of sessions or connections one that stays keeps the memory of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::sys;

/// After so many connections and sessions have ended it is worth a look: together they had about a megabyte.
const MANY: usize = 256;
/// More of a rush end soon after the first.
const REST: Duration = Duration::from_secs(1);

/// Counts what ends.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Ended>);

#[derive(Default)]
struct Ended {
    count: AtomicUsize,
    many: Notify,
}

impl Memory {
    /// So many connections or sessions have ended.
    pub(crate) fn ended(&self, count: usize) {
        if self.0.count.fetch_add(count, Ordering::Relaxed) + count >= MANY {
            self.0.many.notify_one();
        }
    }

    /// Gives back what is free, whenever many have ended. Never returns.
    pub(crate) async fn give_back(self) {
        loop {
            self.0.many.notified().await;
            tokio::time::sleep(REST).await;
            self.0.count.store(0, Ordering::Relaxed);
            sys::memory::give_back();
        }
    }
}
