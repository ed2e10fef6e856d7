//! What waits for its turn: in order for each user, and no more than there is room for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use usher_protocol::ids::Uid;

use crate::witness::Incident;

/// Of one user: more than any login and logout make, and little enough that nobody takes the others' room.
const USER_MAX: usize = 64;
/// Of everybody.
const ALL_MAX: usize = 1024;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Uid, VecDeque<Incident>>,
    count: usize,
    /// Users one of whose incidents is being worked on.
    busy: BTreeSet<Uid>,
    /// Whose turn was last.
    last: Option<Uid>,
}

impl Queue {
    /// Puts something at the end; gives it back if there is no room.
    pub(super) fn push(&mut self, incident: Incident) -> Result<(), Incident> {
        let of_user = self.waiting.entry(incident.uid).or_default();
        if self.count >= ALL_MAX || of_user.len() >= USER_MAX {
            if of_user.is_empty() {
                self.waiting.remove(&incident.uid);
            }
            return Err(incident);
        }
        of_user.push_back(incident);
        self.count += 1;
        Ok(())
    }

    /// What is to be worked on next: of the users in turn, and of nobody two things at a time. [`Self::done`] is due after
    /// it.
    pub(super) fn next(&mut self) -> Option<Incident> {
        let after = self.last.map_or(0, |uid| uid.get());
        let free = |(uid, _): &(&Uid, &VecDeque<Incident>)| !self.busy.contains(*uid);
        let waiting = || self.waiting.iter().filter(free).map(|(uid, _)| *uid);
        let uid = waiting().find(|uid| uid.get() > after).or_else(|| waiting().next())?;
        let of_user = self.waiting.get_mut(&uid)?;
        let incident = of_user.pop_front()?;
        if of_user.is_empty() {
            self.waiting.remove(&uid);
        }
        self.count -= 1;
        self.busy.insert(uid);
        self.last = Some(uid);
        Some(incident)
    }

    /// What was worked on for a user is done.
    pub(super) fn done(&mut self, uid: Uid) {
        self.busy.remove(&uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::Kind;

    fn incident(uid: u32, kind: Kind) -> Incident {
        Incident { kind, uid: Uid::try_from(uid).unwrap(), user: "".into(), session: None }
    }

    fn next(queue: &mut Queue) -> Option<(u32, Kind)> {
        queue.next().map(|incident| (incident.uid.get(), incident.kind))
    }

    #[test]
    fn users_take_turns_and_each_ones_are_in_order() {
        use Kind::{UserCame, UserGone};
        let mut queue = Queue::default();
        for (uid, kind) in [(1, UserCame), (1, UserGone), (2, UserCame), (3, UserCame)] {
            queue.push(incident(uid, kind)).unwrap();
        }
        assert_eq!(next(&mut queue), Some((1, UserCame)));
        assert_eq!(next(&mut queue), Some((2, UserCame)));
        queue.done(Uid::try_from(1).unwrap());
        assert_eq!(next(&mut queue), Some((3, UserCame)));
        assert_eq!(next(&mut queue), Some((1, UserGone)));
        assert_eq!(next(&mut queue), None);
    }

    #[test]
    fn one_users_next_waits_for_the_last() {
        let mut queue = Queue::default();
        queue.push(incident(1, Kind::UserCame)).unwrap();
        queue.push(incident(1, Kind::UserGone)).unwrap();
        assert!(queue.next().is_some());
        assert!(queue.next().is_none());
        queue.done(Uid::try_from(1).unwrap());
        assert_eq!(next(&mut queue), Some((1, Kind::UserGone)));
    }

    #[test]
    fn there_is_room_for_so_many_of_one_and_of_all() {
        let mut queue = Queue::default();
        for _ in 0..USER_MAX {
            queue.push(incident(1, Kind::UserCame)).unwrap();
        }
        assert!(queue.push(incident(1, Kind::UserCame)).is_err());
        for uid in 2..=u32::try_from(ALL_MAX - USER_MAX).unwrap() + 1 {
            queue.push(incident(uid, Kind::UserCame)).unwrap();
        }
        assert!(queue.push(incident(9_999, Kind::UserCame)).is_err());
        assert!(queue.next().is_some());
        queue.push(incident(9_999, Kind::UserCame)).unwrap();
    }
}
