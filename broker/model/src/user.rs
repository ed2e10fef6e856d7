//! A user: what keeps one, and the steps of coming and going. What is shown of one is in `display`.

use std::collections::BTreeMap;

use usher_protocol::ids::{SessionId, Uid, UserName};

use crate::change::Change;
use crate::effect::{Effect, Severity};
use crate::event::{Account, Now};
use crate::grace::Grace;
use crate::logout::Why;
use crate::manager::{Manager, Troubles};
use crate::model::{Model, Out};
use crate::record::{GcMode, RuntimeDir};
use crate::runtime::Runtime;
use crate::service::ManagerUse;
use crate::session::{Phase, Session};
use crate::timer::Timer;

/// A user. The table of what happens when is in the crate's documentation.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) account: Account,
    pub(crate) since: Now,
    /// By age.
    pub(crate) sessions: BTreeMap<u64, SessionId>,
    /// Those that wait for the runtime directory.
    pub(crate) queued: Vec<SessionId>,
    /// How many of them pin the user.
    pub(crate) pinning: usize,
    /// How many of them want a manager and have not begun to close.
    pub(crate) wanting_manager: usize,
    /// How many of them keep a manager that runs.
    pub(crate) keeping_manager: usize,
    /// The stop delay after the last of those, while others keep the user.
    pub(crate) manager_grace: Grace,
    /// Whether the log says that the user is here.
    pub(crate) announced: bool,
    /// When the last of those went.
    pub(crate) last_session: Option<u64>,
    pub(crate) grace: Grace,
    pub(crate) gc_mode: GcMode,
    pub(crate) linger: bool,
    /// An administrator has ended the user: nothing keeps it until the next login.
    pub(crate) terminated: bool,
    pub(crate) runtime: Runtime,
    /// The directory that was made last, to be removed in the end, even if another one is in its place.
    pub(crate) made: Option<RuntimeDir>,
    pub(crate) manager: Manager,
    /// This user is to have none, whatever others have: so it was found at the last attempt.
    pub(crate) unmanaged: bool,
    /// How long the manager may take to start and to stop, where that is not what the settings say.
    pub(crate) manager_times: (Option<u64>, Option<u64>),
    /// What has become of managers before.
    pub(crate) troubles: Troubles,
    /// The user's things are being removed; a login waits for that, then starts anew.
    pub(crate) tearing_down: bool,
    /// Nothing keeps the user any more.
    pub(crate) stopping: bool,
    pub(crate) display: Option<SessionId>,
}

impl User {
    pub(crate) fn new(now: Now, account: Account, gc_mode: GcMode) -> Self {
        Self {
            account,
            since: now,
            sessions: BTreeMap::new(),
            queued: Vec::new(),
            pinning: 0,
            wanting_manager: 0,
            keeping_manager: 0,
            manager_grace: Grace::None,
            announced: true,
            last_session: None,
            grace: Grace::None,
            gc_mode,
            linger: false,
            terminated: false,
            runtime: Runtime::Absent,
            made: None,
            manager: Manager::Off,
            unmanaged: false,
            manager_times: (None, None),
            troubles: Troubles::default(),
            tearing_down: false,
            stopping: false,
            display: None,
        }
    }

    /// The one predicate that says whether a user stays (contract/user-lifecycle.md section 3).
    pub(crate) fn is_kept(&self) -> bool {
        if self.terminated {
            return false;
        }
        let by_sessions = match self.gc_mode {
            GcMode::Any => !self.sessions.is_empty(),
            GcMode::Pin => self.pinning > 0,
        };
        by_sessions || self.linger || self.grace != Grace::None
    }

    /// Whether a login changes nothing but the list of sessions in the user's file. What a restart needs of it is to be
    /// there before the session is.
    fn is_on_file_for(&self, account: &Account, pins: bool) -> bool {
        let kept = self.gc_mode == GcMode::Pin && self.last_session.is_none() && !self.terminated;
        self.account == *account && (kept || !pins)
    }

    pub(crate) fn has_runtime_dir(&self) -> bool {
        matches!(self.runtime, Runtime::Present(_)) && !self.tearing_down
    }

    /// Whether a manager that runs may go on. Without sessions the user's own stop delay decides.
    pub(crate) fn keeps_manager(&self) -> bool {
        self.pinning == 0 || self.keeping_manager > 0 || self.linger || self.manager_grace != Grace::None
    }

    /// A new login, or a new linger flag, deserves a new attempt at what has failed; at the manager, if it wants one.
    pub(crate) fn try_again(&mut self, manager: bool) {
        if let Runtime::Failed(_) = self.runtime {
            self.runtime = Runtime::Absent;
        }
        if manager {
            self.manager.try_again();
            self.unmanaged = false;
        }
    }

    /// What the administrator should know, or nothing.
    pub(crate) fn notice(&self) -> String {
        match &self.runtime {
            Runtime::Failed(why) => why.clone(),
            Runtime::Absent | Runtime::Creating | Runtime::Present(_) => self.manager.notice(),
        }
    }
}

impl Model {
    /// A name of a user, in the same memory as the user's own if it is that.
    pub(crate) fn shared_name(&self, uid: Uid, name: UserName) -> UserName {
        let own = self.users.get(&uid).map(|user| &user.account.name);
        own.filter(|own| **own == name).cloned().unwrap_or(name)
    }

    /// A login's user is found or made, and everything that was about to end for it is called off.
    pub(crate) fn user_logs_in(&mut self, now: Now, session: &Session, account: Account, out: &mut Out) {
        let params = &session.params;
        let pins = params.class.pins_user();
        let uid = params.uid;
        // Whoever has a linger flag lingers again after a login, be it after a termination or before the user database
        // could be asked.
        let lingers = pins && self.has_linger_flag(&account.name, uid);
        if pins {
            self.check_other_names(&account.name, uid, out);
        }
        let on_file = self.users.get(&uid).is_some_and(|user| user.is_on_file_for(&account, pins));
        let user = self.track_user(now, account, params.class.is_announced_at_its_end(), out);
        user.sessions.insert(session.seq, session.id.clone());
        user.queued.push(session.id.clone());
        if pins {
            user.pinning += 1;
            user.gc_mode = GcMode::Pin;
            user.last_session = None;
            user.grace = Grace::None;
            user.terminated = false;
            user.linger |= lingers;
            user.wanting_manager += usize::from(session.wants_manager());
            if session.keeps_manager() {
                user.keeping_manager += 1;
                user.manager_grace = Grace::None;
            }
            user.try_again(session.manager == ManagerUse::Start);
            self.timers.clear(&Timer::UserStop(uid));
            if session.keeps_manager() {
                self.timers.clear(&Timer::ManagerIdle(uid));
            }
        }
        self.touch_user(uid);
        if on_file {
            self.stale_users.insert(uid)
        } else {
            self.dirty_users.insert(uid)
        };
    }

    /// The user with that account, new if need be. Names change and numbers are used again: the newest login knows.
    /// The log hears of one who comes for a job in the background when it hears of the job, and only then.
    pub(crate) fn track_user(
        &mut self,
        now: Now,
        account: Account,
        announced: bool,
        out: &mut Out,
    ) -> &mut User {
        let uid = account.uid;
        let known = self.users.get(&uid).map(|user| user.announced);
        if announced && known != Some(true) {
            let text = format!("user {} ({uid}) is here", account.name);
            out.announce(Severity::Info, Some(uid), None, text);
        }
        if known.is_none() {
            out.tell(Change::UserNew(uid));
        }
        let user = self.users.entry(uid).or_insert_with(|| User::new(now, account.clone(), GcMode::Any));
        // Sessions share the name that is there.
        if user.account != account {
            user.account = account;
        }
        user.announced = known == Some(true) || announced;
        user
    }

    /// The steps between a user's states, as far as the results of earlier ones are in. Safe to call at any time.
    pub(crate) fn settle_user(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        let kept = user.is_kept();
        if !kept {
            self.refuse_queued(now, uid, out);
        }
        let Some(user) = self.users.get_mut(&uid).filter(|user| !user.tearing_down) else { return };
        if user.stopping == kept {
            user.stopping = !kept;
            self.dirty_users.insert(uid);
        }
        if kept { self.keep_user(now, uid, out) } else { self.end_user(now, uid, out) }
    }

    /// A session of class manager that comes while its user goes is none: it keeps nobody, and there is nothing to wait
    /// for.
    fn refuse_queued(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        for id in std::mem::take(&mut user.queued) {
            if self.sessions.get(&id).is_some_and(|session| session.phase == Phase::Queued) {
                self.remove_session(now, &id, out);
            }
        }
    }

    fn keep_user(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        match user.runtime {
            Runtime::Creating => return,
            Runtime::Absent => {
                user.runtime = Runtime::Creating;
                self.dirty_users.insert(uid);
                return out.act(Effect::CreateRuntimeDir {
                    uid,
                    gid: user.account.gid,
                    form: self.settings.runtime_form,
                    size: self.settings.runtime_size,
                    inodes: self.settings.runtime_inodes,
                    known: user.made,
                });
            }
            Runtime::Present(_) | Runtime::Failed(_) => {}
        }
        for id in std::mem::take(&mut user.queued) {
            self.place_session(&id, out);
        }
        if self.users.get(&uid).is_some_and(User::keeps_manager) {
            self.start_manager_if_wanted(now, uid, out);
        } else {
            self.stop_manager(now, uid, out);
        }
    }

    fn end_user(&mut self, now: Now, uid: Uid, out: &mut Out) {
        if !self.stop_manager(now, uid, out) {
            return;
        }
        let Some(user) = self.users.get(&uid) else { return };
        if user.pinning > 0 || user.runtime == Runtime::Creating {
            return;
        }
        self.drop_sessions(now, uid, out);
        let remove_ipc = self.settings.remove_ipc && uid.get() > self.settings.system_uid_max;
        let Some(user) = self.users.get_mut(&uid) else { return };
        user.tearing_down = true;
        self.dirty_users.insert(uid);
        out.act(Effect::TearDownUser { uid, gid: user.account.gid, runtime: user.made, remove_ipc });
    }

    /// Ends the sessions of a user who goes. They are of classes that keep nobody: of managers that usher did not
    /// start, or whose end the kernel is about to report.
    fn drop_sessions(&mut self, now: Now, uid: Uid, out: &mut Out) {
        for id in self.sessions_in(uid, |_| true) {
            self.remove_session(now, &id, out);
        }
    }

    /// The user's things are gone. If somebody has come back meanwhile, they are made again.
    pub(crate) fn user_torn_down(&mut self, now: Now, uid: Uid, result: Result<(), String>, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid).filter(|user| user.tearing_down) else { return };
        user.tearing_down = false;
        user.runtime = Runtime::Absent;
        user.made = None;
        self.dirty_users.insert(uid);
        if let Err(error) = result {
            out.announce(Severity::Error, Some(uid), None, error);
        }
        // One who has come back and was ended at once stays until the login has gone.
        if user.is_kept() || user.pinning > 0 {
            return self.touch_user(uid);
        }
        let (name, announced) = (user.account.name.clone(), user.announced);
        self.drop_sessions(now, uid, out);
        self.users.remove(&uid);
        self.dirty_users.remove(&uid);
        self.stale_users.remove(&uid);
        self.touched_users.remove(&uid);
        out.act(Effect::RemoveUser(uid));
        out.tell(Change::UserRemoved(uid));
        if announced {
            out.announce(Severity::Info, Some(uid), None, format!("user {name} ({uid}) is gone"));
        }
    }

    /// A session has begun to close: another one may stand for the user now.
    pub(crate) fn session_left(&mut self, id: &SessionId, uid: Uid, wanted_manager: bool) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        if wanted_manager {
            user.wanting_manager = user.wanting_manager.saturating_sub(1);
        }
        if user.display.as_ref() == Some(id) {
            self.elect_display(uid);
        }
        if self.sessions.get(id).is_some_and(|session| session.seat.is_some()) {
            self.seat_changed();
        }
    }

    /// A session is gone for good.
    pub(crate) fn user_lost_session(&mut self, now: Now, session: &Session) {
        let uid = session.uid();
        let Some(user) = self.users.get_mut(&uid) else { return };
        user.sessions.remove(&session.seq);
        let was_display = user.display.as_ref() == Some(&session.id);
        self.stale_users.insert(uid);
        if session.params.class.pins_user() {
            user.pinning = user.pinning.saturating_sub(1);
            user.keeping_manager -= usize::from(session.keeps_manager());
            if user.pinning == 0 {
                user.manager_grace = Grace::None;
                self.timers.clear(&Timer::ManagerIdle(uid));
            }
            // A login that came during teardown and has gone before its end leaves nothing worth keeping.
            if user.pinning == 0 && !user.terminated && !user.tearing_down {
                self.delay_stop(now, uid, now.monotonic);
            } else if session.keeps_manager() {
                self.delay_manager_stop_if_idle(now, uid);
            }
        }
        if was_display {
            self.elect_display(uid);
        }
        self.touch_user(uid);
    }

    /// Everything a user has is to end, now.
    pub(crate) fn terminate_user(&mut self, now: Now, uid: Uid, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        user.terminated = true;
        user.grace = Grace::None;
        user.manager_grace = Grace::None;
        self.timers.clear(&Timer::UserStop(uid));
        self.timers.clear(&Timer::ManagerIdle(uid));
        // A lookup that is under way must not bring the user back.
        self.forget_lookups_of(uid);
        for id in self.sessions_in(uid, |session| session.params.class.pins_user()) {
            self.close_session(now, &id, Why::Terminated, out);
        }
        self.dirty_users.insert(uid);
        self.touch_user(uid);
    }

    /// The user's sessions that satisfy a condition, oldest first.
    pub(crate) fn sessions_in(&self, uid: Uid, condition: impl Fn(&Session) -> bool) -> Vec<SessionId> {
        let ids = self.users.get(&uid).into_iter().flat_map(|user| user.sessions.values());
        ids.filter(|id| self.sessions.get(id).is_some_and(&condition)).cloned().collect()
    }
}
