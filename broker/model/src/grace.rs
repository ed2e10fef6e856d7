//! How long a user stays after the last session, and a manager that nobody keeps any more; and what new settings change about
//! that.

use usher_protocol::ids::Uid;

use crate::event::Now;
use crate::manager::Manager;
use crate::model::{Model, Out};
use crate::settings::Settings;
use crate::timer::{Timer, Timers};

/// The stop delay after the last session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grace {
    /// Not running, or over.
    None,
    /// Running; there is a timer.
    Running,
    /// UserStopDelaySec=infinity.
    Forever,
}

impl Grace {
    /// One that lasts so long from now on, without end if there is none; in place of an earlier one with that timer.
    fn begin(timers: &mut Timers, timer: Timer, now: Now, left: Option<u64>) -> Self {
        timers.clear(&timer);
        match left {
            None => Self::Forever,
            Some(0) => Self::None,
            Some(left) => {
                timers.set(timer, now, left);
                Self::Running
            }
        }
    }
}

impl Model {
    /// Keeps a user whose last session went at that time for the rest of the stop delay, if there is any.
    pub(crate) fn delay_stop(&mut self, now: Now, uid: Uid, last: u64) {
        let delay = self.settings.user_stop_delay;
        let Some(user) = self.users.get_mut(&uid) else { return };
        user.last_session = Some(last);
        user.manager_grace = Grace::None;
        self.timers.clear(&Timer::ManagerIdle(uid));
        self.dirty_users.insert(uid);
        let end = delay.and_then(|delay| last.checked_add(delay));
        let left = end.map(|end| end.saturating_sub(now.monotonic));
        user.grace = Grace::begin(&mut self.timers, Timer::UserStop(uid), now, left);
        self.touch_user(uid);
    }

    /// A manager that nobody keeps any more stays for the stop delay, as it would if the user had gone.
    pub(crate) fn delay_manager_stop_if_idle(&mut self, now: Now, uid: Uid) {
        let delay = self.settings.user_stop_delay;
        let Some(user) = self.users.get_mut(&uid) else { return };
        if user.terminated || user.pinning == 0 || user.keeping_manager > 0 || user.manager == Manager::Off {
            return;
        }
        user.manager_grace = Grace::begin(&mut self.timers, Timer::ManagerIdle(uid), now, delay);
        self.touch_user(uid);
    }

    /// The stop delay of a manager is over.
    pub(crate) fn manager_grace_is_over(&mut self, uid: Uid) {
        if let Some(user) = self.users.get_mut(&uid) {
            user.manager_grace = Grace::None;
            self.touch_user(uid);
        }
    }

    /// The stop delay is over.
    pub(crate) fn grace_is_over(&mut self, uid: Uid) {
        if let Some(user) = self.users.get_mut(&uid) {
            user.grace = Grace::None;
            self.touch_user(uid);
        }
    }

    /// New settings: the stop delay holds for those whom it keeps now, too, and so does the size of a runtime directory; and
    /// whoever is there gets the manager that there was none of. One that runs stays until its user goes.
    pub(crate) fn reload(&mut self, now: Now, settings: Settings, out: &mut Out) {
        let delay_changed = settings.user_stop_delay != self.settings.user_stop_delay;
        if settings.manager && !self.settings.manager {
            self.touched_users.extend(self.users.keys());
        }
        self.settings = settings;
        // Even the same size: one that could not be had before may be had now.
        self.resize_runtime_dirs(out);
        let kept = self.users.iter().filter(|(_, user)| delay_changed && user.grace != Grace::None);
        let kept: Vec<_> = kept.filter_map(|(uid, user)| Some((*uid, user.last_session?))).collect();
        for (uid, last) in kept {
            self.delay_stop(now, uid, last);
        }
        let idle = self.users.iter().filter(|(_, user)| delay_changed && user.manager_grace != Grace::None);
        for uid in idle.map(|(uid, _)| *uid).collect::<Vec<_>>() {
            self.delay_manager_stop_if_idle(now, uid);
        }
    }
}
