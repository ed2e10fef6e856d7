//! Gives runtime directories another size, outside of the loop: many users are many calls, and nobody waits for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{info, warn};
use usher_model::record::RuntimeDir;
use usher_protocol::ids::Uid;

use crate::sys::mount;

/// One change after the other; the last one holds.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    turn: Arc<Mutex<()>>,
    latest: Arc<AtomicU64>,
}

impl Resizer {
    /// Begins to resize those directories, and calls off what has not been done of an earlier change.
    pub(crate) fn resize(&self, dirs: Vec<(Uid, RuntimeDir)>, size: u64, inodes: u64) {
        let number = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
        let (turn, latest) = (Arc::clone(&self.turn), Arc::clone(&self.latest));
        tokio::task::spawn_blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            for (uid, dir) in dirs {
                if latest.load(Ordering::Relaxed) != number {
                    return;
                }
                resize_one(uid, &dir, size, inodes);
            }
        });
    }
}

fn resize_one(uid: Uid, dir: &RuntimeDir, size: u64, inodes: u64) {
    match mount::resize(uid, dir, size, inodes) {
        Ok(true) => info!(%uid, size, inodes, "runtime directory resized"),
        Ok(false) => {}
        Err(error) => warn!(
            %uid,
            "{error}; it keeps its size: if more is in it than RuntimeDirectorySize= and RuntimeDirectoryInodesMax= permit, \
             have it cleared and send usherd SIGHUP again"
        ),
    }
}
