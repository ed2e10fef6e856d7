//! How many may be connected at once: all together, and of one user. Root's do not count: every login and logout is one of
//! them, thousands of which may come together, and to refuse a logout is an error for whoever logs out. They are
//! bounded by descriptors, see `headroom`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// Who is connected. The lock is held for a few instructions, never across a wait.
#[derive(Debug)]
pub(crate) struct Guests {
    max: u64,
    max_per_user: u64,
    present: Mutex<HashMap<Uid, u64>>,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    guests: Arc<Guests>,
    uid: Uid,
}

impl Guests {
    pub(crate) fn new(max: u64, max_per_user: u64) -> Self {
        Self { max, max_per_user, present: Mutex::default() }
    }

    /// A place for one more connection of a user.
    pub(crate) fn admit(self: &Arc<Self>, uid: Uid) -> Result<Place, Refusal> {
        if uid.is_root() {
            return Ok(Place { guests: Arc::clone(self), uid });
        }
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u64 = present.values().sum();
        let of_user = present.get(&uid).copied().unwrap_or(0);
        if of_user >= self.max_per_user {
            let message = format!("User {uid} has {of_user} connections to usherd, as many as permitted");
            return Err(Refusal::LimitsExceeded { message });
        }
        if all >= self.max {
            let message = format!("usherd has {all} connections, as many as permitted");
            return Err(Refusal::LimitsExceeded { message });
        }
        *present.entry(uid).or_insert(0) += 1;
        drop(present);
        Ok(Place { guests: Arc::clone(self), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.guests.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_limit_but_root() {
        let guests = Arc::new(Guests::new(3, 2));
        let uid = |n: u32| Uid::try_from(n).unwrap();
        let held: Vec<_> = (0..2).map(|_| guests.admit(uid(1)).unwrap()).collect();
        assert!(guests.admit(uid(1)).is_err(), "the user's limit");
        let other = guests.admit(uid(2)).unwrap();
        assert!(guests.admit(uid(3)).is_err(), "everybody's limit");
        let roots: Vec<_> = (0..10).map(|_| guests.admit(Uid::ROOT).unwrap()).collect();
        drop(held);
        assert!(guests.admit(uid(1)).is_ok(), "root's do not count");
        drop(roots);
        assert!(guests.admit(uid(1)).is_ok());
        drop(other);
        assert!(guests.present.lock().unwrap().len() <= 1, "nobody is remembered for nothing");
    }
}
