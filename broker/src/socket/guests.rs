//! How many may be connected at once, and how many of them may ask for something at once: all together, and of one user.
//! Root's do not count and never wait: every login and logout is one of them, thousands of which may come together, and to
//! refuse a logout is an error for whoever logs out. They are bounded by descriptors, see `headroom`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// How many requests of one user are answered at once; the user's others wait, and nobody else for them.
const REQUESTS_OF_USER: usize = 4;
/// How many requests of everybody but root are worked on at once. usherd has one thread: more would be faster for nobody, and
/// a login, which is root's request, would have to wait for each of them at each of its steps.
const WORK: usize = 1;
/// How many questions of one user the name service is asked at once: each takes a process.
const LOOKUPS_OF_USER: usize = 1;

/// Who is connected. The lock is held for a few instructions, never across a wait.
#[derive(Debug)]
pub(crate) struct Guests {
    max: u64,
    max_per_user: u64,
    present: Mutex<HashMap<Uid, Guest>>,
    work: Arc<Semaphore>,
}

/// A user who is connected.
#[derive(Debug)]
struct Guest {
    connections: u64,
    requests: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    guests: Arc<Guests>,
    uid: Uid,
    /// Of the user; nothing for root.
    requests: Option<Arc<Semaphore>>,
    lookups: Option<Arc<Semaphore>>,
}

/// The right to have one request answered, until it is dropped. Root needs none and holds nothing.
#[derive(Debug)]
pub(crate) struct Turn {
    #[expect(dead_code, reason = "held, not read")]
    of_user: Option<OwnedSemaphorePermit>,
    work: Option<OwnedSemaphorePermit>,
}

/// The right to ask the name service one question, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lookup(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Guests {
    pub(crate) fn new(max: u64, max_per_user: u64) -> Self {
        Self { max, max_per_user, present: Mutex::default(), work: Arc::new(Semaphore::new(WORK)) }
    }

    /// A place for one more connection of a user.
    ///
    /// # Errors
    /// The refusal that names the limit.
    pub(crate) fn admit(self: &Arc<Self>, uid: Uid) -> Result<Place, Refusal> {
        if uid.is_root() {
            return Ok(Place { guests: Arc::clone(self), uid, requests: None, lookups: None });
        }
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u64 = present.values().map(|guest| guest.connections).sum();
        let of_user = present.get(&uid).map_or(0, |guest| guest.connections);
        if of_user >= self.max_per_user {
            let message = format!(
                "User {uid} has {of_user} connections to usherd, as many as UserConnectionsMax= in usher.conf permits"
            );
            return Err(Refusal::LimitsExceeded { message });
        }
        if all >= self.max {
            let message =
                format!("usherd has {all} connections, as many as ConnectionsMax= in usher.conf permits");
            return Err(Refusal::LimitsExceeded { message });
        }
        let guest = present.entry(uid).or_insert_with(|| Guest {
            connections: 0,
            requests: Arc::new(Semaphore::new(REQUESTS_OF_USER)),
            lookups: Arc::new(Semaphore::new(LOOKUPS_OF_USER)),
        });
        guest.connections += 1;
        let (requests, lookups) = (Some(Arc::clone(&guest.requests)), Some(Arc::clone(&guest.lookups)));
        drop(present);
        Ok(Place { guests: Arc::clone(self), uid, requests, lookups })
    }
}

impl Place {
    /// Waits until a request may be worked on.
    pub(crate) async fn turn(&self) -> Turn {
        // The user's own first: whoever has many that wait keeps only himself waiting.
        let of_user = permit(self.requests.as_ref()).await;
        let work = permit(self.requests.as_ref().map(|_| &self.guests.work)).await;
        Turn { of_user, work }
    }

    /// Waits until the name service may be asked.
    pub(crate) async fn lookup(&self) -> Lookup {
        Lookup(permit(self.lookups.as_ref()).await)
    }
}

impl Turn {
    /// What is left to be done is for somebody else to do, the peer or the disk: the next request may be worked on.
    pub(crate) fn hand_on(&mut self) {
        self.work = None;
    }
}

async fn permit(semaphore: Option<&Arc<Semaphore>>) -> Option<OwnedSemaphorePermit> {
    // It is never closed.
    Arc::clone(semaphore?).acquire_owned().await.ok()
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.guests.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guest) = present.get_mut(&self.uid) {
            guest.connections -= 1;
            if guest.connections == 0 {
                present.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn uid(n: u32) -> Uid {
        Uid::try_from(n).unwrap()
    }

    /// What a wait comes to at once.
    fn now<T>(wait: impl Future<Output = T>) -> Option<T> {
        match pin!(wait).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(got) => Some(got),
            Poll::Pending => None,
        }
    }

    #[test]
    fn everyone_has_a_limit_but_root() {
        let guests = Arc::new(Guests::new(3, 2));
        let refused = |n: u32| guests.admit(uid(n)).unwrap_err().to_string();
        let held: Vec<_> = (0..2).map(|_| guests.admit(uid(1)).unwrap()).collect();
        assert!(refused(1).contains("2 connections") && refused(1).contains("UserConnectionsMax="));
        let other = guests.admit(uid(2)).unwrap();
        assert!(refused(3).contains("3 connections") && refused(3).contains(" ConnectionsMax="));
        let roots: Vec<_> = (0..100).map(|_| guests.admit(Uid::ROOT).unwrap()).collect();
        drop(held);
        // Root's keep nobody out either.
        assert!(guests.admit(uid(1)).is_ok());
        drop(other);
        drop(roots);
        assert!(guests.present.lock().unwrap().is_empty(), "nobody is remembered for nothing");
    }

    #[test]
    fn a_user_has_so_many_turns_and_keeps_nobody_else_waiting() {
        let guests = Arc::new(Guests::new(100, 100));
        let connections: Vec<_> = (0..20).map(|_| guests.admit(uid(1)).unwrap()).collect();
        let turn = |place: &Place| {
            now(place.turn()).map(|mut turn| {
                turn.hand_on();
                turn
            })
        };
        let mut turns: Vec<_> = connections.iter().filter_map(turn).collect();
        assert_eq!(turns.len(), REQUESTS_OF_USER);
        let bob = guests.admit(uid(2)).unwrap();
        assert!(turn(&bob).is_some());
        turns.pop();
        assert!(turn(&connections[0]).is_some());
        let lookup = now(connections[0].lookup());
        assert!(lookup.is_some() && now(connections[1].lookup()).is_none());
        assert!(now(bob.lookup()).is_some());
    }

    #[test]
    fn one_works_at_a_time_and_root_anyway() {
        let guests = Arc::new(Guests::new(100, 100));
        let [alice, bob, root] = [1, 2, 0].map(|n| guests.admit(uid(n)).unwrap());
        let mut working = now(alice.turn()).unwrap();
        assert!(now(alice.turn()).is_none() && now(bob.turn()).is_none());
        let roots: Vec<_> = (0..100).map_while(|_| Some((now(root.turn())?, now(root.lookup())?))).collect();
        assert_eq!(roots.len(), 100);
        working.hand_on();
        assert!(now(bob.turn()).is_some());
        drop(working);
        assert!(now(alice.turn()).is_some());
    }
}
