//! Linger flags whose users are yet to be found: when each is looked up, and when again after a failure.
//!
//! | the last answer | the next attempt |
//! |---|---|
//! | the user database fails or hangs | after 1 s, then every 2 s: whoever waits for it to come up waits no longer than that |
//! | there is no such user | the same for ten minutes, then every five: the user was likely deleted |
//! | the home directory is not there | when the mount table changes; else after 1 s, doubled up to 30 s, and after ten minutes every five |
//!
//! Of many names, eight a second are looked up again, so that a database that stays away costs next to nothing. As soon as
//! it knows one of those that it did not know before, all others are due.

use std::collections::BTreeMap;

use usher_protocol::ids::UserName;

use crate::effect::{Effect, Severity};
use crate::event::{LookupFailure, Now};
use crate::model::{Model, Out};
use crate::settings::SECOND;
use crate::timer::Timer;

/// The first wait after a failure; doubled each time.
const FIRST_RETRY: u64 = SECOND;
/// The longest wait for a user database that fails.
const LONGEST_RETRY: u64 = 2 * SECOND;
/// The longest wait for a home directory, which may come without a mount.
const LONGEST_HOME_RETRY: u64 = 30 * SECOND;
/// After this long the same answer is taken for one that stays.
const PATIENCE: u64 = 600 * SECOND;
/// How often it is asked for, then.
const RARE_RETRY: u64 = 300 * SECOND;
/// How far apart the attempts for many names are.
const SPACING: u64 = SECOND / 8;
/// A mount rarely comes alone.
const MOUNTS_SETTLE: u64 = SECOND / 4;

/// The names that are being looked up, or will be.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    names: BTreeMap<UserName, Pending>,
    /// When the next attempt of many may be.
    slot: u64,
    /// When all were made due, the last time.
    all_due: u64,
    /// Whether the edge will tell of a change of the mount table.
    watching_mounts: bool,
}

/// A name that is being looked up; if there is a timer, it is not at the moment.
#[derive(Debug, Default)]
struct Pending {
    last: Option<Answer>,
    /// How many times in a row that was the answer, and since when.
    times: u32,
    since: u64,
    /// What the administrator has been told about already.
    told: Vec<Answer>,
    /// The mount table has changed since the attempt began.
    mounts_changed: bool,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    NoSuchUser,
    Unavailable,
    NoHome,
}

impl Lookups {
    /// The names that are being looked up.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &UserName> {
        self.names.keys()
    }

    /// Whether this one is.
    pub(crate) fn contains(&self, name: &UserName) -> bool {
        self.names.contains_key(name)
    }
}

impl Pending {
    fn failed(&mut self, now: u64, answer: Answer) {
        if self.last.replace(answer) != Some(answer) {
            (self.times, self.since) = (0, now);
        }
        self.times = self.times.saturating_add(1);
    }

    /// How long to wait for the next attempt.
    fn delay(&self, now: u64) -> u64 {
        let longest = match self.last {
            Some(Answer::NoHome) => LONGEST_HOME_RETRY,
            Some(Answer::NoSuchUser | Answer::Unavailable) | None => LONGEST_RETRY,
        };
        let settled = self.last != Some(Answer::Unavailable) && now.saturating_sub(self.since) >= PATIENCE;
        match settled {
            true => RARE_RETRY,
            false => (FIRST_RETRY << self.times.saturating_sub(1).min(8)).min(longest),
        }
    }
}

impl Model {
    /// Begins to look a name up, unless that is under way.
    pub(crate) fn look_up(&mut self, name: UserName, out: &mut Out) {
        if !self.lookups.contains(&name) {
            self.lookups.names.insert(name.clone(), Pending::default());
            self.look_up_now(name, out);
        }
    }

    /// One attempt. A user who is here, or was, needs no home directory to be known.
    pub(crate) fn look_up_now(&mut self, name: UserName, out: &mut Out) {
        let home = self.settings.linger_needs_home && self.lingering.get(&name) == Some(&None);
        if let Some(pending) = self.lookups.names.get_mut(&name) {
            pending.mounts_changed = false;
        }
        if home && !std::mem::replace(&mut self.lookups.watching_mounts, true) {
            // First, so that no mount is missed.
            out.act(Effect::WatchMounts);
        }
        out.act(Effect::ResolveLinger { name, home });
    }

    /// A name's user is known: nobody need look it up any more. Gives whether that had failed before.
    pub(crate) fn stop_looking_up(&mut self, name: &UserName) -> bool {
        self.timers.clear(&Timer::LingerRetry(name.clone()));
        self.lookups.names.remove(name).is_some_and(|pending| pending.last.is_some())
    }

    /// A name could not be looked up: it will be again.
    pub(crate) fn lookup_failed(&mut self, now: Now, name: UserName, failure: LookupFailure, out: &mut Out) {
        let Some(pending) = self.lookups.names.get_mut(&name) else { return };
        let (answer, why) = match failure {
            LookupFailure::NoSuchUser => (
                Answer::NoSuchUser,
                "cannot be looked up, trying again until it can: no such user".to_owned(),
            ),
            LookupFailure::Unavailable(why) => {
                (Answer::Unavailable, format!("cannot be looked up, trying again until it can: {why}"))
            }
            LookupFailure::HomeUnavailable(why) => {
                (Answer::NoHome, format!("is started when there is a home directory or a login: {why}"))
            }
        };
        pending.failed(now.monotonic, answer);
        let mut delay = pending.delay(now.monotonic);
        match answer {
            Answer::NoHome if pending.mounts_changed => delay = MOUNTS_SETTLE,
            Answer::NoHome => {}
            Answer::NoSuchUser | Answer::Unavailable if delay <= LONGEST_RETRY => {
                let due = self.lookups.slot.max(now.monotonic.saturating_add(delay));
                self.lookups.slot = due.saturating_add(SPACING);
                delay = due.saturating_sub(now.monotonic);
            }
            Answer::NoSuchUser | Answer::Unavailable => {}
        }
        if !pending.told.contains(&answer) {
            pending.told.push(answer);
            out.announce(Severity::Warning, None, None, format!("user {name} lingers but {why}"));
        }
        self.timers.set(Timer::LingerRetry(name), now, delay);
    }

    /// The user database has begun to know names that it did not know: none of the others waits for long any more.
    pub(crate) fn all_lookups_are_due(&mut self, now: Now) {
        let all_due = self.lookups.all_due.saturating_add(LONGEST_RETRY);
        if self.lookups.all_due != 0 && now.monotonic < all_due {
            return;
        }
        self.lookups.all_due = now.monotonic;
        self.lookups.slot = now.monotonic;
        self.make_due(now, 0, |_| true);
    }

    /// Something was mounted or unmounted: it may have been a home directory.
    pub(crate) fn mounts_changed(&mut self, now: Now) {
        self.lookups.watching_mounts = false;
        for pending in self.lookups.names.values_mut() {
            pending.mounts_changed = true;
        }
        self.make_due(now, MOUNTS_SETTLE, |pending| pending.last == Some(Answer::NoHome));
    }

    /// Shortens the waits of some names to a delay.
    fn make_due(&mut self, now: Now, delay: u64, which: impl Fn(&Pending) -> bool) {
        let due = now.monotonic.saturating_add(delay);
        for (name, _) in self.lookups.names.iter().filter(|(_, pending)| which(pending)) {
            let timer = Timer::LingerRetry(name.clone());
            // One without a timer is being looked up at this moment.
            if self.timers.deadline(&timer).is_some_and(|deadline| deadline > due) {
                self.timers.set(timer, now, delay);
            }
        }
    }
}
