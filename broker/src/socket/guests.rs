//! How many may be connected at once: all together, and of one user. Root has a reserve that nobody else can use up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// Root's connections beyond the limit: whoever comes to mend the machine must get in.
const ROOT_RESERVE: u64 = 1024;

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
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u64 = present.values().sum();
        let of_user = present.get(&uid).copied().unwrap_or(0);
        let (max, max_of_user) =
            if uid.is_root() { (self.max + ROOT_RESERVE, u64::MAX) } else { (self.max, self.max_per_user) };
        if of_user >= max_of_user {
            let message = format!("User {uid} has {of_user} connections to usherd, as many as permitted");
            return Err(Refusal::LimitsExceeded { message });
        }
        if all >= max {
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
    fn everyone_has_a_limit_and_root_a_reserve() {
        let guests = Arc::new(Guests::new(3, 2));
        let uid = |n: u32| Uid::try_from(n).unwrap();
        let held: Vec<_> = (0..2).map(|_| guests.admit(uid(1)).unwrap()).collect();
        assert!(guests.admit(uid(1)).is_err(), "the user's limit");
        let other = guests.admit(uid(2)).unwrap();
        assert!(guests.admit(uid(3)).is_err(), "everybody's limit");
        let root = guests.admit(Uid::ROOT).unwrap();
        drop(held);
        drop(root);
        assert!(guests.admit(uid(1)).is_ok());
        drop(other);
        assert!(guests.present.lock().unwrap().len() <= 1, "nobody is remembered for nothing");
    }
}
