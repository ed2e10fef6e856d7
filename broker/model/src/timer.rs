//! Every deadline there is, one slot each.

use std::collections::{BTreeMap, BTreeSet};

use usher_protocol::ids::{SessionId, Uid, UserName};

use crate::event::Now;

/// What a deadline is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The stop delay after a user's last session.
    UserStop(Uid),
    /// The stop delay of a manager that no session keeps any more.
    ManagerIdle(Uid),
    /// A manager has not become ready, or has not stopped; or one that died is started again.
    Manager(Uid),
    /// A login has waited long enough for the manager.
    ReadyWait(SessionId),
    /// A session's end was announced, and its leader is still there.
    Release(SessionId),
    /// The processes of a session that is being ended have had their time.
    ScopeKill(SessionId),
    /// Removing a scope failed for a reason of the moment.
    ScopeRetry(SessionId),
    /// A lingering user's name is looked up again.
    LingerRetry(UserName),
    /// What could not be put on file is written again.
    SaveRetry,
}

/// Deadlines by time and by purpose.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(u64, Timer)>,
    slots: BTreeMap<Timer, u64>,
}

impl Timers {
    /// Sets a deadline, in place of an earlier one for the same thing. A delay without end never passes.
    pub(crate) fn set(&mut self, timer: Timer, now: Now, delay: u64) {
        self.clear(&timer);
        let Some(deadline) = now.monotonic.checked_add(delay) else { return };
        self.queue.insert((deadline, timer.clone()));
        self.slots.insert(timer, deadline);
    }

    /// Forgets a deadline.
    pub(crate) fn clear(&mut self, timer: &Timer) {
        if let Some(deadline) = self.slots.remove(timer) {
            self.queue.remove(&(deadline, timer.clone()));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// When a deadline passes.
    pub(crate) fn deadline(&self, timer: &Timer) -> Option<u64> {
        self.slots.get(timer).copied()
    }

    /// Every purpose with a deadline.
    #[cfg(test)]
    pub(crate) fn armed(&self) -> impl Iterator<Item = &Timer> {
        self.slots.keys()
    }

    /// Whether there is a deadline for that.
    #[cfg(test)]
    pub(crate) fn contains(&self, timer: &Timer) -> bool {
        self.slots.contains_key(timer)
    }

    /// Takes one deadline that has passed.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.slots.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_a_purpose_earliest_first() {
        let uid = |n: u32| Uid::try_from(n).unwrap();
        let at = |monotonic| Now { monotonic, realtime: 0 };
        let mut timers = Timers::default();
        timers.set(Timer::UserStop(uid(1)), at(0), 30);
        timers.set(Timer::UserStop(uid(2)), at(5), 15);
        timers.set(Timer::UserStop(uid(1)), at(3), 7);
        timers.set(Timer::Manager(uid(1)), at(0), 15);
        timers.set(Timer::Manager(uid(2)), at(1), u64::MAX);
        timers.clear(&Timer::Manager(uid(1)));
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.pop(9), None);
        assert_eq!(timers.pop(20), Some(Timer::UserStop(uid(1))));
        assert_eq!(timers.pop(20), Some(Timer::UserStop(uid(2))));
        assert_eq!(timers.pop(u64::MAX), None);
    }
}
