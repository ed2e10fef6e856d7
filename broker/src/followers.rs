//! Whoever follows what changes in the broker: at present, the bus.

use tokio::sync::mpsc;
use usher_model::Change;

/// How many changes a follower may be behind.
const CAPACITY: usize = 8192;

/// A queue of everything that changes from now on. It ends when its follower is too far behind, who then has to look at
/// everything anew.
pub(crate) fn queue() -> (mpsc::Sender<Change>, mpsc::Receiver<Change>) {
    mpsc::channel(CAPACITY)
}

/// The ends of the followers' queues at which changes go in.
#[derive(Default)]
pub(crate) struct Followers {
    queues: Vec<mpsc::Sender<Change>>,
}

impl Followers {
    pub(crate) fn join(&mut self, queue: mpsc::Sender<Change>) {
        self.queues.push(queue);
    }

    /// Tells everybody, and forgets who has gone or is too far behind.
    pub(crate) fn tell(&mut self, changes: &mut Vec<Change>) {
        for change in changes.drain(..) {
            self.queues.retain(|queue| queue.try_send(change.clone()).is_ok());
        }
    }
}
