//! Whoever follows what changes in the broker: the bus, hooks and targets.

use usher_model::{Change, Model};

/// Is told of a change, by a model that is past it; whether it wants to hear of more. It never waits.
pub(crate) type Follower = Box<dyn FnMut(&Change, &Model) -> bool + Send>;

/// Everybody who is told.
#[derive(Default)]
pub(crate) struct Followers {
    followers: Vec<Follower>,
}

impl Followers {
    pub(crate) fn join(&mut self, follower: Follower) {
        self.followers.push(follower);
    }

    /// Tells everybody, and forgets who does not want to hear more.
    pub(crate) fn tell(&mut self, changes: &mut Vec<Change>, model: &Model) {
        for change in changes.drain(..) {
            self.followers.retain_mut(|follower| follower(&change, model));
        }
    }
}
