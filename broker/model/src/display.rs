//! What is shown of a user: the state, and the session that stands for the user.

use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{SessionClass, SessionState, SessionType, UserState};

use crate::grace::Grace;
use crate::model::{Model, Out};
use crate::record::{GcMode, SessionEntry, UserRecord};
use crate::runtime::Runtime;
use crate::session::{Phase, Session};
use crate::user::User;

impl Model {
    /// A session is opening: it stands for its user if it does so better than the one that does now.
    pub(crate) fn consider_display(&mut self, id: &SessionId) {
        let Some(rank) = self.sessions.get(id).and_then(display_rank) else { return };
        let Some(uid) = self.sessions.get(id).map(Session::uid) else { return };
        let Some(user) = self.users.get(&uid) else { return };
        let present = user.display.as_ref().and_then(|d| self.sessions.get(d)).and_then(display_rank);
        if present.is_none_or(|present| rank < present) {
            self.set_display(uid, Some(id.clone()));
        }
    }

    /// After a restart: what the file says may be over.
    pub(crate) fn elect_display_unless_in_office(&mut self, uid: Uid) {
        let display = self.display_of(uid).and_then(|id| self.sessions.get(id));
        // Of an older file whose number has been given to somebody else's session since.
        let display = display.filter(|session| session.uid() == uid);
        if display.and_then(display_rank).is_none() {
            self.elect_display(uid);
        }
    }

    /// A session stands for its user better or worse than before.
    pub(crate) fn rank_changed(&mut self, id: &SessionId, out: &mut Out) {
        let Some(uid) = self.sessions.get(id).map(Session::uid) else { return };
        let before = self.display_of(uid).cloned();
        if before.as_ref() == Some(id) {
            self.elect_anew(uid);
        } else {
            self.consider_display(id);
        }
        if self.display_of(uid) != before.as_ref() {
            self.tell_display(uid, out);
        }
    }

    /// The best of all; who is in office stays unless somebody is better.
    fn elect_anew(&mut self, uid: Uid) {
        let Some(user) = self.users.get(&uid) else { return };
        let ranked = |id: &SessionId| Some((self.sessions.get(id).and_then(display_rank)?, id.clone()));
        let mut best = user.display.as_ref().and_then(ranked);
        for other in user.sessions.values().filter_map(ranked) {
            if best.as_ref().is_none_or(|best| other.0 < best.0) {
                best = Some(other);
            }
        }
        self.set_display(uid, best.map(|(_, id)| id));
    }

    /// The session that stands for the user has gone: the best of the others does now.
    pub(crate) fn elect_display(&mut self, uid: Uid) {
        let Some(user) = self.users.get(&uid) else { return };
        let before = user.display.as_ref().and_then(|id| self.sessions.get(id)).map(rank);
        let mut best = None;
        for id in user.sessions.values() {
            let Some(rank) = self.sessions.get(id).and_then(display_rank) else { continue };
            if best.is_none_or(|(better, _)| rank < better) {
                best = Some((rank, id));
            }
            // Nobody stood for the user better than the one who did: of thousands of sessions that end, oldest first,
            // each would look through all that are left.
            if before.is_some_and(|before| rank <= before) {
                break;
            }
        }
        let best = best.map(|(_, id)| id.clone());
        self.set_display(uid, best);
    }

    fn set_display(&mut self, uid: Uid, display: Option<SessionId>) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        if user.display == display {
            return;
        }
        let before = std::mem::replace(&mut user.display, display.clone());
        for id in [before, display].into_iter().flatten().filter(|id| self.sessions.contains_key(id)) {
            self.stale_sessions.insert(id);
        }
        self.stale_users.insert(uid);
    }

    /// A user's state as it is on file (contract/user-lifecycle.md section 1).
    pub(crate) fn user_state(&self, user: &User) -> UserState {
        self.user_state_by(user, |session| self.session_state(session))
    }

    /// A user's state as it is shown, and the sessions' are.
    pub(crate) fn shown_user_state(&self, user: &User) -> UserState {
        self.user_state_by(user, |session| self.shown_state(session))
    }

    fn user_state_by(&self, user: &User, state_of: impl Fn(&Session) -> SessionState) -> UserState {
        if user.stopping || user.tearing_down {
            return UserState::Closing;
        }
        if matches!(user.runtime, Runtime::Absent | Runtime::Creating) {
            return UserState::Opening;
        }
        let mut online = false;
        for session in user.sessions.values().rev().filter_map(|id| self.sessions.get(id)) {
            let state = state_of(session);
            if state == SessionState::Active && session.params.class.pins_user() {
                return UserState::Active;
            }
            let counts = user.gc_mode == GcMode::Any || session.params.class.pins_user();
            online |= counts && state != SessionState::Closing;
        }
        if user.pinning == 0 && user.linger {
            UserState::Lingering
        } else if online {
            UserState::Online
        } else {
            UserState::Closing
        }
    }

    /// What keeps a user, for whoever wonders: the parts of `User::is_kept` in words.
    pub(crate) fn keepers(&self, user: &User) -> Vec<String> {
        let counts = |session: &&Session| user.gc_mode == GcMode::Any || session.params.class.pins_user();
        let sessions = user.sessions.values().filter_map(|id| self.sessions.get(id)).filter(counts);
        let mut keepers: Vec<_> = sessions
            .map(|session| match session.is_closing() {
                true => format!("processes left in session {}", session.id),
                false => format!("session {}", session.id),
            })
            .collect();
        if user.linger && !user.terminated {
            keepers.push("linger".to_owned());
        }
        if user.grace != Grace::None {
            keepers.push("UserStopDelaySec".to_owned());
        }
        keepers
    }

    /// The user as it is persisted.
    pub(crate) fn user_record(&self, user: &User) -> UserRecord {
        let newest_first = user.sessions.values().rev().filter_map(|id| self.sessions.get(id));
        let sessions = newest_first
            .map(|session| SessionEntry {
                id: session.id.clone(),
                uid: session.uid(),
                state: self.session_state(session),
                seat: session.seat.clone(),
            })
            .collect();
        UserRecord {
            uid: user.account.uid,
            name: user.account.name.clone(),
            state: self.user_state(user),
            stopping: user.stopping,
            gc_mode: user.gc_mode,
            display: user.display.clone(),
            realtime: user.since.realtime,
            monotonic: user.since.monotonic,
            last_session: user.last_session,
            sessions,
            gid: user.account.gid,
            home: user.account.home.clone(),
            shell: user.account.shell.clone(),
            runtime: user.made,
            manager: user.manager.main(),
            manager_ready: user.manager.is_ready(),
            terminated: user.terminated,
        }
    }
}

/// How well a session stands for its user, the lower the better; `None`: not at all (contract/user-lifecycle.md
/// section 3, "Display election").
fn display_rank(session: &Session) -> Option<(u8, u8)> {
    let class = session.params.class;
    // From the moment it is on file, so that it is written once; but not while it waits for a runtime directory.
    let open = matches!(session.phase, Phase::Placing | Phase::Running);
    (open && class.display_candidate()).then(|| rank(session))
}

fn rank(session: &Session) -> (u8, u8) {
    let class_rank = match session.params.class {
        SessionClass::User => 0,
        SessionClass::UserEarly => 1,
        SessionClass::UserLight => 2,
        SessionClass::UserEarlyLight => 3,
        _ => 4,
    };
    let type_rank = match session.params.kind {
        SessionType::X11 | SessionType::Wayland | SessionType::Mir => 0,
        SessionType::Tty => 1,
        SessionType::Web => 2,
        SessionType::Unspecified => 3,
    };
    (class_rank, type_rank)
}
