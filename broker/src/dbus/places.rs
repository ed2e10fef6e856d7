//! How many calls are worked on at one time: most of those that take long wait for polkit or the name service. Connections are
//! cheap to come by, so what counts is whose they are; and who floods the bus does not keep root from getting through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use usher_protocol::ids::Uid;

/// Calls of one user other than root.
const OF_USER_MAX: usize = 128;
/// Calls of all such users together.
const OF_USERS_MAX: usize = 1024;
/// Calls of everybody, those included of which is not known yet whose they are.
const MAX: usize = 2 * OF_USERS_MAX;

/// The calls that are worked on.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_users: usize,
    by_user: BTreeMap<Uid, usize>,
}

/// A call that is worked on until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    user: Option<Uid>,
}

impl Places {
    /// A place for a call of which is not known yet whose it is; `None` if there is none.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= MAX {
            return None;
        }
        taken.all += 1;
        Some(Place { places: self.clone(), user: None })
    }
}

impl Place {
    /// It is a call of this user, if there is room for one.
    pub(super) fn of(mut self, uid: Uid) -> Option<Self> {
        if !uid.is_root() {
            let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let of_user = taken.by_user.get(&uid).copied().unwrap_or_default();
            if of_user >= OF_USER_MAX || taken.of_users >= OF_USERS_MAX {
                return None;
            }
            taken.of_users += 1;
            taken.by_user.insert(uid, of_user + 1);
            drop(taken);
            self.user = Some(uid);
        }
        Some(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let Some(uid) = self.user else { return };
        taken.of_users = taken.of_users.saturating_sub(1);
        if let Some(count) = taken.by_user.get_mut(&uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.by_user.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(number: u32) -> Uid {
        number.try_into().unwrap()
    }

    #[test]
    fn one_user_leaves_room_for_others_and_all_for_root() {
        let places = Arc::<Places>::default();
        let take = |number| places.take().and_then(|place| place.of(uid(number)));
        let mut held: Vec<_> = (0..OF_USER_MAX).map(|_| take(1000).unwrap()).collect();
        assert!(take(1000).is_none());
        for number in 1001..1008 {
            held.extend((0..OF_USER_MAX).map(|_| take(number).unwrap()));
        }
        assert_eq!(held.len(), OF_USERS_MAX);
        assert!(take(1008).is_none(), "all users together");
        held.extend((0..MAX - OF_USERS_MAX).map(|_| take(0).unwrap()));
        assert!(places.take().is_none(), "everybody");
        held.truncate(1);
        assert!(take(1008).is_some() && take(0).is_some());
        held.clear();
        let taken = places.taken.lock().unwrap();
        assert!(taken.all == 0 && taken.of_users == 0 && taken.by_user.is_empty());
    }
}
