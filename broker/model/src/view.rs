//! What anyone may see. When a manager was started and what it says are an edge's to know. Of idleness, only what sessions say themselves: terminals are an edge's business.

use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid, UserName};
use usher_protocol::messages::{ManagerView, SeatView, SessionView, UserView};

use crate::event::{Generation, Now};
use crate::model::Model;
use crate::session::Session;
use crate::user::User;

/// As much of a session as lists show: there may be thousands, and a whole view of each takes time.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The session.
    pub id: &'a SessionId,
    /// Whose it is.
    pub uid: Uid,
    /// The user's name.
    pub user: &'a UserName,
    /// The seat.
    pub seat: Option<&'a SeatId>,
}

impl Model {
    /// Every session, oldest first.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.oldest_first().into_iter().map(|session| self.view_of_session(session)).collect()
    }

    /// The same, for lists.
    pub fn list_sessions(&self) -> impl Iterator<Item = Listed<'_>> {
        self.oldest_first().into_iter().map(|session| {
            let Session { id, params, seat, .. } = session;
            Listed { id, uid: params.uid, user: &params.user, seat: seat.as_ref() }
        })
    }

    fn oldest_first(&self) -> Vec<&Session> {
        let mut sessions: Vec<_> = self.sessions.values().collect();
        sessions.sort_unstable_by_key(|session| session.seq);
        sessions
    }

    /// Every session in no order, one at a time, for whoever may not need to see all.
    pub fn each_session(&self) -> impl Iterator<Item = SessionView> {
        self.sessions.values().map(|session| self.view_of_session(session))
    }

    /// One session.
    pub fn session(&self, id: &SessionId) -> Option<SessionView> {
        self.sessions.get(id).map(|session| self.view_of_session(session))
    }

    /// Whether a session is known.
    pub fn knows_session(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id)
    }

    /// When a session was opened.
    pub fn opened_at(&self, id: &SessionId) -> Option<Now> {
        self.sessions.get(id).map(|session| session.since)
    }

    /// The process that leads a session, as long as its end would be heard of.
    pub fn leader_of(&self, id: &SessionId) -> Option<LeaderPid> {
        self.sessions.get(id).filter(|session| !session.released)?.leader
    }

    /// The session that a process leads.
    pub fn session_led_by(&self, process: LeaderPid) -> Option<SessionId> {
        let session = self.leaders.get(&process).and_then(|id| self.sessions.get(id))?;
        (session.leader == Some(process)).then(|| session.id.clone())
    }

    /// The session that stands for a user.
    pub fn display_of(&self, uid: Uid) -> Option<&SessionId> {
        self.users.get(&uid).and_then(|user| user.display.as_ref())
    }

    /// Every user, by uid.
    pub fn users(&self) -> Vec<UserView> {
        self.users.values().map(|user| self.view_of_user(user)).collect()
    }

    /// Uid and name of every user, by uid, for lists.
    pub fn list_users(&self) -> impl Iterator<Item = (Uid, &str)> {
        self.users.iter().map(|(uid, user)| (*uid, user.account.name.as_str()))
    }

    /// One user.
    pub fn user(&self, uid: Uid) -> Option<UserView> {
        self.users.get(&uid).map(|user| self.view_of_user(user))
    }

    /// Every seat.
    pub fn seats(&self) -> Vec<SeatView> {
        self.seat(&SeatId::seat0()).into_iter().collect()
    }

    /// One seat.
    pub fn seat(&self, id: &SeatId) -> Option<SeatView> {
        id.is_seat0().then(|| {
            let record = self.seat_record();
            let idle = self.idleness_of_seat();
            SeatView {
                id: record.id,
                active: record.active.map(|(id, _)| id),
                can_tty: record.can_tty,
                can_graphical: record.can_graphical,
                sessions: record.sessions.into_iter().map(|(id, _)| id).collect(),
                idle_hint: idle.hint,
                idle_since: idle.since,
                idle_since_monotonic: idle.since_monotonic,
            }
        })
    }

    /// The account of a user who is tracked.
    pub fn account(&self, uid: Uid) -> Option<&crate::event::Account> {
        self.users.get(&uid).map(|user| &user.account)
    }

    /// Whether a user's manager runs and has said that it is ready.
    pub fn has_ready_manager(&self, uid: Uid) -> bool {
        self.users.get(&uid).is_some_and(|user| user.manager.is_ready())
    }

    /// Every user with a manager, for whoever wants to check that there is one each.
    pub fn managers(&self) -> impl Iterator<Item = (Uid, Generation)> {
        self.users.iter().filter_map(|(uid, user)| Some((*uid, user.manager.run()?.generation)))
    }

    /// Settings and counters.
    pub fn manager_view(&self) -> ManagerView {
        let settings = &self.settings;
        ManagerView {
            kill_user_processes: settings.kill_user_processes,
            kill_only_users: settings.kill_only_users.clone(),
            kill_exclude_users: settings
                .kill_exclude_users
                .clone()
                .unwrap_or_else(|| vec!["root".to_owned()]),
            user_stop_delay_usec: settings.user_stop_delay.unwrap_or(u64::MAX),
            remove_ipc: settings.remove_ipc,
            runtime_directory_size: settings.runtime_size,
            runtime_directory_inodes_max: settings.runtime_inodes,
            sessions_max: settings.sessions_max,
            n_current_sessions: self.sessions.len() as u64,
        }
    }

    /// The session as it is shown, even if it is not among the others any more.
    pub(crate) fn view_of_session(&self, session: &Session) -> SessionView {
        let params = &session.params;
        let scope = session.scope_name();
        let idle = session.idleness();
        SessionView {
            id: session.id.clone(),
            uid: params.uid,
            user: params.user.clone(),
            timestamp: session.since.realtime,
            timestamp_monotonic: session.since.monotonic,
            vtnr: session.vtnr,
            seat: session.seat.clone(),
            tty: params.tty.to_string(),
            display: params.display.to_string(),
            remote: params.remote,
            remote_host: params.remote_host.to_string(),
            remote_user: params.remote_user.to_string(),
            service: params.service.to_string(),
            desktop: params.desktop.to_string(),
            control_group: scope.as_ref().map(|scope| format!("/user.slice/{}/{scope}", params.uid.slice())),
            scope,
            leader: session.leader.map_or(0, |leader| leader.pid),
            audit: session.audit,
            kind: params.kind,
            class: params.class,
            active: self.is_active(session),
            state: self.shown_state(session),
            idle_hint: idle.hint,
            idle_since: idle.since,
            idle_since_monotonic: idle.since_monotonic,
            locked_hint: session.locked,
        }
    }

    fn view_of_user(&self, user: &User) -> UserView {
        let account = &user.account;
        let idle = self.idleness_of_user(user);
        let last = user.troubles.last.as_ref();
        UserView {
            uid: account.uid,
            gid: account.gid,
            name: account.name.clone(),
            timestamp: user.since.realtime,
            timestamp_monotonic: user.since.monotonic,
            runtime_path: user.has_runtime_dir().then(|| account.uid.runtime_path()),
            service: account.uid.manager_unit(),
            slice: account.uid.slice(),
            display: user.display.clone(),
            state: self.shown_user_state(user),
            sessions: user.sessions.values().rev().cloned().collect(),
            idle_hint: idle.hint,
            idle_since: idle.since,
            idle_since_monotonic: idle.since_monotonic,
            linger: user.linger,
            manager: user.manager.state(),
            manager_pid: user.manager.main().map(|main| main.pid),
            manager_since: 0,
            manager_restarts: user.troubles.restarts,
            manager_error: last.map_or_else(String::new, |(why, _)| why.clone()),
            manager_error_time: last.map_or(0, |(_, time)| *time),
            manager_log: Vec::new(),
            notice: user.notice(),
            kept_by: self.keepers(user),
            control_group: self.settings.cgroups.then(|| format!("/user.slice/{}", account.uid.slice())),
        }
    }
}
