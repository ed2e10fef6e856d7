//! Whoever follows what changes in the broker: at present, the bus.

use usher_model::Change;

/// Is told of a change; whether it wants to hear of more. It never waits.
pub(crate) type Follower = Box<dyn Fn(&Change) -> bool + Send>;

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
    pub(crate) fn tell(&mut self, changes: &mut Vec<Change>) {
        for change in changes.drain(..) {
            self.followers.retain(|follower| follower(&change));
        }
    }
}
