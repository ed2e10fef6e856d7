//! A user's service manager: at most one a user, started when wanted, started again when it dies, stopped in time.

use usher_protocol::ids::{LeaderPid, Uid};
use usher_protocol::session::ManagerState;

use crate::change::Change;
use crate::effect::{Effect, Severity};
use crate::event::{Generation, Now};
use crate::model::{Model, Out};
use crate::record::GcMode;
use crate::runtime::Runtime;
use crate::session::Phase;
use crate::settings::{SECOND, span};
use crate::timer::Timer;

/// After this many deaths in a row a manager is given up until the next login.
const MAX_FAILURES: u32 = 5;
/// The first wait before a manager that died is started again; doubled with each death in a row.
const FIRST_BACKOFF: u64 = SECOND / 10;
/// A manager that was ready for this long died by accident, not by habit.
const HEALTHY_AFTER: u64 = 60 * SECOND;

/// How a user's manager is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Not running.
    Off,
    /// Started; not ready.
    Starting { run: Run },
    /// Ready.
    Ready { run: Run, since: u64 },
    /// Asked to stop. `failure`: why, if not because the user goes.
    Stopping { run: Run, failure: Option<String> },
    /// Died; waits for its next start.
    Backoff { failures: u32, why: String },
    /// Given up until the next login.
    Failed { why: String },
}

/// What has gone wrong with a user's managers, for whoever wonders. A restart forgets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Troubles {
    /// How often one was started again after one that had died.
    pub(crate) restarts: u64,
    /// The last error, and when it was (CLOCK_REALTIME, microseconds).
    pub(crate) last: Option<(String, u64)>,
}

/// One run of a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) generation: Generation,
    /// Unknown until the start's result is in.
    pub(crate) main: Option<LeaderPid>,
    /// An earlier broker has started it. What it said while no broker was listening is lost.
    pub(crate) adopted: bool,
    /// How often it has died before.
    pub(crate) failures: u32,
}

impl Manager {
    pub(crate) fn state(&self) -> ManagerState {
        match self {
            Self::Off => ManagerState::None,
            Self::Starting { .. } => ManagerState::Starting,
            Self::Ready { .. } => ManagerState::Ready,
            Self::Stopping { .. } => ManagerState::Stopping,
            Self::Backoff { .. } => ManagerState::Restarting,
            Self::Failed { .. } => ManagerState::Failed,
        }
    }

    pub(crate) fn run(&self) -> Option<Run> {
        match self {
            Self::Starting { run } | Self::Ready { run, .. } | Self::Stopping { run, .. } => Some(*run),
            Self::Off | Self::Backoff { .. } | Self::Failed { .. } => None,
        }
    }

    pub(crate) fn main(&self) -> Option<LeaderPid> {
        self.run().and_then(|run| run.main)
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// A new login deserves a new attempt.
    pub(crate) fn try_again(&mut self) {
        match self {
            Self::Failed { .. } => *self = Self::Off,
            Self::Stopping { failure, .. } => *failure = None,
            Self::Off | Self::Starting { .. } | Self::Ready { .. } | Self::Backoff { .. } => {}
        }
    }

    pub(crate) fn notice(&self) -> String {
        match self {
            Self::Failed { why } | Self::Stopping { failure: Some(why), .. } => {
                format!("user manager failed: {why}")
            }
            Self::Backoff { failures, why } => {
                format!("user manager is being restarted (attempt {} of {MAX_FAILURES}): {why}", failures + 1)
            }
            Self::Off | Self::Starting { .. } | Self::Ready { .. } | Self::Stopping { failure: None, .. } => {
                String::new()
            }
        }
    }
}

impl Model {
    /// Starts the manager of a user who stays, if one is wanted and none is there.
    pub(crate) fn start_manager_if_wanted(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get(&uid) else { return };
        if user.manager != Manager::Off {
            return;
        }
        if !self.settings.manager || user.unmanaged {
            // The configuration may have changed while a login waited for the next one.
            return self.answer_all_waiting(uid, out);
        }
        if !user.linger && user.wanting_manager == 0 {
            return;
        }
        if let Runtime::Failed(why) = &user.runtime {
            let why = format!("it needs a runtime directory: {why}");
            return self.set_manager(uid, Manager::Failed { why });
        }
        self.start_manager(now, uid, 0, out);
    }

    fn start_manager(&mut self, now: Now, uid: Uid, failures: u32, out: &mut Out) {
        let generation = Generation(self.next_generation);
        self.next_generation += 1;
        let Some(user) = self.users.get_mut(&uid) else { return };
        // Its own session must not keep it once the linger flag goes, were it while no broker is looking.
        user.gc_mode = GcMode::Pin;
        user.troubles.restarts += u64::from(failures > 0);
        out.act(Effect::StartManager { account: user.account.clone(), generation });
        let run = Run { generation, main: None, adopted: false, failures };
        self.set_manager(uid, Manager::Starting { run });
        self.timers.set(Timer::Manager(uid), now, self.manager_limits(uid).0);
    }

    /// How long this user's manager may take to start and to stop.
    fn manager_limits(&self, uid: Uid) -> (u64, u64) {
        let (start, stop) = self.users.get(&uid).map_or((None, None), |user| user.manager_times);
        (
            start.unwrap_or(self.settings.manager_start_timeout),
            stop.unwrap_or(self.settings.manager_stop_timeout),
        )
    }

    /// Where this user's time-outs are known, they hold for the run that has just begun, too.
    pub(crate) fn manager_times(
        &mut self,
        now: Now,
        uid: Uid,
        generation: Generation,
        times: (Option<u64>, Option<u64>),
    ) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        if user.manager.run().is_none_or(|run| run.generation != generation) {
            return;
        }
        let changed = user.manager_times != times;
        user.manager_times = times;
        if changed && matches!(user.manager, Manager::Starting { run } if !run.adopted) {
            self.timers.set(Timer::Manager(uid), now, self.manager_limits(uid).0);
        }
    }

    /// There is nothing to start for this user; whether that has changed is asked at the next login.
    pub(crate) fn manager_unwanted(&mut self, uid: Uid, generation: Generation, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        if user.manager.run().is_none_or(|run| run.generation != generation) {
            return;
        }
        user.unmanaged = true;
        self.set_manager(uid, Manager::Off);
        self.answer_all_waiting(uid, out);
        self.touch_user(uid);
    }

    /// The manager was forked, or could not be.
    pub(crate) fn manager_started(
        &mut self,
        now: Now,
        uid: Uid,
        generation: Generation,
        result: Result<LeaderPid, String>,
        out: &mut Out,
    ) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        let current = |run: &Run| run.generation == generation;
        match (&mut user.manager, result) {
            (Manager::Starting { run } | Manager::Stopping { run, .. }, Ok(main)) if current(run) => {
                run.main = Some(main);
                self.dirty_users.insert(uid);
                out.act(Effect::ReleaseManager { uid, generation });
            }
            (Manager::Starting { run }, Err(why)) if current(run) => {
                let failures = run.failures;
                self.manager_failed(now, uid, failures, why, out);
            }
            (Manager::Stopping { run, .. }, Err(why)) if current(run) => {
                self.manager_gone(now, uid, generation, why, out);
            }
            _ => {}
        }
    }

    /// The manager says that it is ready.
    pub(crate) fn manager_ready(&mut self, now: Now, uid: Uid, generation: Generation, out: &mut Out) {
        let Some(user) = self.users.get(&uid) else { return };
        let Manager::Starting { run } = user.manager else { return };
        if run.generation != generation {
            return;
        }
        self.manager_is_ready(now, uid, run, out);
    }

    fn manager_is_ready(&mut self, now: Now, uid: Uid, run: Run, out: &mut Out) {
        self.set_manager(uid, Manager::Ready { run, since: now.monotonic });
        out.tell(Change::ManagerReady(uid));
        self.answer_all_waiting(uid, out);
    }

    /// Asks the manager to stop, if it runs. Whether none is left.
    pub(crate) fn stop_manager(&mut self, now: Now, uid: Uid, out: &mut Out) -> bool {
        let Some(user) = self.users.get(&uid) else { return true };
        match &user.manager {
            Manager::Off => true,
            Manager::Backoff { .. } | Manager::Failed { .. } => {
                self.set_manager(uid, Manager::Off);
                true
            }
            Manager::Starting { run } | Manager::Ready { run, .. } => {
                let run = *run;
                self.begin_stop(now, uid, run, None, out);
                false
            }
            Manager::Stopping { .. } => false,
        }
    }

    fn begin_stop(&mut self, now: Now, uid: Uid, run: Run, failure: Option<String>, out: &mut Out) {
        out.act(Effect::StopManager { uid, generation: run.generation });
        self.set_manager(uid, Manager::Stopping { run, failure });
        self.timers.set(Timer::Manager(uid), now, self.manager_limits(uid).1);
    }

    /// The manager and everything in its cgroup is gone: as asked, or not.
    pub(crate) fn manager_gone(
        &mut self,
        now: Now,
        uid: Uid,
        generation: Generation,
        how: String,
        out: &mut Out,
    ) {
        let Some(user) = self.users.get(&uid) else { return };
        if user.manager.run().is_none_or(|run| run.generation != generation) {
            return;
        }
        match user.manager.clone() {
            Manager::Stopping { failure: None, .. } => {
                self.set_manager(uid, Manager::Off);
                self.touch_user(uid);
            }
            Manager::Stopping { failure: Some(why), .. } => {
                self.remember(now, uid, &why);
                self.give_up(uid, why, out);
            }
            Manager::Starting { run } => {
                let why = format!("it ended before it was ready: {how}");
                self.manager_failed(now, uid, run.failures, why, out);
            }
            Manager::Ready { run, since } => {
                let healthy = now.monotonic.saturating_sub(since) >= HEALTHY_AFTER;
                let failures = if healthy { 0 } else { run.failures };
                self.manager_failed(now, uid, failures, format!("it ended unasked: {how}"), out);
            }
            Manager::Off | Manager::Backoff { .. } | Manager::Failed { .. } => {}
        }
    }

    fn manager_failed(&mut self, now: Now, uid: Uid, failures: u32, why: String, out: &mut Out) {
        let failures = failures + 1;
        self.remember(now, uid, &why);
        if failures >= MAX_FAILURES {
            return self.give_up(uid, format!("{why} ({failures} times in a row)"), out);
        }
        let delay = FIRST_BACKOFF << (failures - 1);
        let text = format!("user manager failed, next attempt in {} ms: {why}", delay / 1000);
        out.announce(Severity::Warning, Some(uid), None, text);
        self.set_manager(uid, Manager::Backoff { failures, why });
        self.timers.set(Timer::Manager(uid), now, delay);
        // A login does not wait for attempts that are likely to fail as the last one did.
        self.answer_all_waiting(uid, out);
        self.touch_user(uid);
    }

    fn remember(&mut self, now: Now, uid: Uid, why: &str) {
        if let Some(user) = self.users.get_mut(&uid) {
            user.troubles.last = Some((why.to_owned(), now.realtime));
        }
    }

    fn give_up(&mut self, uid: Uid, why: String, out: &mut Out) {
        let text = format!("user manager is given up until the next login: {why}");
        out.announce(Severity::Error, Some(uid), None, text);
        self.set_manager(uid, Manager::Failed { why });
        self.answer_all_waiting(uid, out);
        self.touch_user(uid);
    }

    /// The manager's time is over: to become ready, to stop, or to wait for its next start.
    pub(crate) fn manager_timed_out(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get(&uid) else { return };
        let kept = user.is_kept() && user.has_runtime_dir() && user.keeps_manager();
        match user.manager {
            Manager::Starting { run } if run.adopted => {
                let text = "user manager was started by an earlier usherd and is taken for ready".to_owned();
                out.announce(Severity::Info, Some(uid), None, text);
                self.manager_is_ready(now, uid, run, out);
            }
            Manager::Starting { run } => {
                let limit = span(self.manager_limits(uid).0);
                let why = format!("it was not ready within {limit} (ManagerStartTimeoutSec=)");
                self.begin_stop(now, uid, run, Some(why), out);
                self.answer_all_waiting(uid, out);
            }
            Manager::Stopping { run, .. } => {
                let limit = span(self.manager_limits(uid).1);
                let why = format!(
                    "user manager has not stopped within {limit} (ManagerStopTimeoutSec=) and is killed"
                );
                out.act(Effect::KillManager { uid, generation: run.generation, why });
            }
            Manager::Backoff { failures, .. } if kept => self.start_manager(now, uid, failures, out),
            Manager::Backoff { .. } => {
                self.set_manager(uid, Manager::Off);
                self.touch_user(uid);
            }
            Manager::Off | Manager::Ready { .. } | Manager::Failed { .. } => {}
        }
    }

    /// Those states that have a deadline set it after this.
    fn set_manager(&mut self, uid: Uid, manager: Manager) {
        self.timers.clear(&Timer::Manager(uid));
        if let Some(user) = self.users.get_mut(&uid) {
            user.manager = manager;
            self.dirty_users.insert(uid);
        }
    }

    fn answer_all_waiting(&mut self, uid: Uid, out: &mut Out) {
        for id in self.sessions_in(uid, |s| s.waiting.is_some() && s.phase == Phase::Running) {
            self.answer_finally(&id, out);
        }
    }
}
