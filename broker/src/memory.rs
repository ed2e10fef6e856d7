//! Memory that something has taken goes back to the system when it is over. The allocator keeps what is free below anything
//! that is not: of thousands of sessions or connections one that stays keeps the memory of all. And the kernel keeps mapped
//! what was ever executed, of the start, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::sys;

/// It is over when nothing has ended for so long. Threads that have worked for it have ended by then, too.
const REST: Duration = Duration::from_millis(1500);
/// So many rests at most: some rushes never end.
const RESTS: usize = 10;

/// Counts what ends: connections, calls on the bus, sessions.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Ended>);

#[derive(Default)]
struct Ended {
    count: AtomicUsize,
    some: Notify,
}

impl Memory {
    /// So many of them have ended.
    pub(crate) fn ended(&self, count: usize) {
        self.0.count.fetch_add(count, Ordering::Relaxed);
        self.0.some.notify_one();
    }

    /// Gives back what nobody needs any more: after the start, then whenever something has ended and no more of it does. Never
    /// returns, and wakes nobody while nothing happens.
    pub(crate) async fn give_back(self) {
        loop {
            for _ in 0..RESTS {
                let before = self.0.count.load(Ordering::Relaxed);
                tokio::time::sleep(REST).await;
                if self.0.count.load(Ordering::Relaxed) == before {
                    break;
                }
            }
            sys::memory::give_back();
            self.0.some.notified().await;
        }
    }
}
