//! Changes in the model with everything that hooks and targets want to know about them. A session that is gone cannot be
//! looked up any more, so what there is to know of each one is kept from its beginning to its end: a few hundred bytes a
//! session, of no more sessions than the model has.

use std::collections::HashMap;
use std::sync::Arc;

use usher_model::{Change, Model, SessionProperty};
use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::messages::SessionView;
use usher_protocol::session::{SessionClass, SessionType};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A user is tracked from now on.
    UserCame,
    /// A user is tracked no more.
    UserGone,
    /// A user's manager is ready.
    ManagerReady,
    /// A session is open.
    SessionOpened,
    /// Nothing is left of a session.
    SessionClosed,
    /// A session has come to the foreground of its seat.
    SessionActive,
    /// A session is in the foreground of its seat no more.
    SessionInactive,
}

impl Kind {
    /// What hooks are told (USHER_EVENT).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UserCame => "user-came",
            Self::UserGone => "user-gone",
            Self::ManagerReady => "manager-ready",
            Self::SessionOpened => "session-opened",
            Self::SessionClosed => "session-closed",
            Self::SessionActive => "session-active",
            Self::SessionInactive => "session-inactive",
        }
    }
}

/// Something that has happened to a user or a session.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) kind: Kind,
    pub(crate) uid: Uid,
    pub(crate) user: Arc<str>,
    /// None for what is about the user as a whole.
    pub(crate) session: Option<Arc<Facts>>,
}

/// What there is to know of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: SessionId,
    pub(crate) uid: Uid,
    pub(crate) class: SessionClass,
    pub(crate) kind: SessionType,
    /// Whether it is in the foreground of a seat.
    pub(crate) in_front: bool,
    pub(crate) seat: String,
    pub(crate) vtnr: u32,
    pub(crate) service: String,
    pub(crate) tty: String,
    pub(crate) display: String,
    pub(crate) remote: bool,
    pub(crate) remote_host: String,
    pub(crate) remote_user: String,
}

impl From<SessionView> for Facts {
    fn from(view: SessionView) -> Self {
        Self {
            in_front: view.seat.is_some() && view.active,
            seat: view.seat.map_or_else(String::new, |seat| seat.to_string()),
            vtnr: view.vtnr.map_or(0, |vtnr| vtnr.get()),
            id: view.id,
            uid: view.uid,
            class: view.class,
            kind: view.kind,
            service: view.service,
            tty: view.tty,
            display: view.display,
            remote: view.remote,
            remote_host: view.remote_host,
            remote_user: view.remote_user,
        }
    }
}

/// Whoever remembers.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    users: HashMap<Uid, Arc<str>>,
    sessions: HashMap<SessionId, Arc<Facts>>,
}

impl Witness {
    /// Takes notice of what is there already.
    pub(crate) fn looks(model: &Model) -> Self {
        let sessions = model.sessions().into_iter();
        Self {
            users: model.list_users().map(|(uid, name)| (uid, name.into())).collect(),
            sessions: sessions.map(|view| (view.id.clone(), Arc::new(view.into()))).collect(),
        }
    }

    /// The sessions that are known.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Facts> {
        self.sessions.values().map(|facts| &**facts)
    }

    /// What a change means. A session in the foreground is opened before it is there, and is closed after it was. One that was
    /// over before anybody was told of it has not been.
    pub(crate) fn hears(&mut self, change: &Change, model: &Model) -> Vec<Incident> {
        match change {
            Change::UserNew(uid) => {
                let name: Arc<str> = model.account(*uid).map_or("", |account| account.name.as_str()).into();
                self.users.insert(*uid, name);
                self.of_user(Kind::UserCame, *uid)
            }
            Change::UserRemoved(uid) => {
                let incidents = self.of_user(Kind::UserGone, *uid);
                self.users.remove(uid);
                incidents
            }
            Change::ManagerReady(uid) => self.of_user(Kind::ManagerReady, *uid),
            Change::SessionNew(id) => {
                let Some(view) = model.session(id) else { return Vec::new() };
                let facts = Arc::new(Facts::from(view));
                self.sessions.insert(id.clone(), facts.clone());
                let front = facts.in_front.then(|| self.of_session(Kind::SessionActive, &facts));
                [self.of_session(Kind::SessionOpened, &facts)].into_iter().chain(front).collect()
            }
            Change::SessionRemoved(id) => {
                let Some(mut facts) = self.sessions.remove(id) else { return Vec::new() };
                let was_in_front = std::mem::take(&mut Arc::make_mut(&mut facts).in_front);
                let front = was_in_front.then(|| self.of_session(Kind::SessionInactive, &facts));
                front.into_iter().chain([self.of_session(Kind::SessionClosed, &facts)]).collect()
            }
            Change::Session(id, properties) => {
                properties.iter().filter_map(|property| self.has_changed(id, property)).collect()
            }
            Change::User(..) | Change::Seat(..) | Change::Idle(_) | Change::Lock(_) | Change::Unlock(_) => {
                Vec::new()
            }
        }
    }

    fn has_changed(&mut self, id: &SessionId, property: &SessionProperty) -> Option<Incident> {
        let known = self.sessions.get_mut(id)?;
        match property {
            // Told already when it was opened, if it came there before it was told of.
            SessionProperty::Active(active) if known.in_front == *active || known.seat.is_empty() => {}
            SessionProperty::Active(active) => {
                Arc::make_mut(known).in_front = *active;
                let kind = if *active { Kind::SessionActive } else { Kind::SessionInactive };
                let facts = known.clone();
                return Some(self.of_session(kind, &facts));
            }
            SessionProperty::Kind(kind) => Arc::make_mut(known).kind = *kind,
            SessionProperty::Class(class) => Arc::make_mut(known).class = *class,
            SessionProperty::Tty(tty) => Arc::make_mut(known).tty.clone_from(tty),
            SessionProperty::Display(display) => Arc::make_mut(known).display.clone_from(display),
            SessionProperty::Idle(_) | SessionProperty::LockedHint(_) => {}
        }
        None
    }

    fn of_user(&self, kind: Kind, uid: Uid) -> Vec<Incident> {
        vec![Incident { kind, uid, user: self.name(uid), session: None }]
    }

    fn of_session(&self, kind: Kind, facts: &Arc<Facts>) -> Incident {
        Incident { kind, uid: facts.uid, user: self.name(facts.uid), session: Some(facts.clone()) }
    }

    fn name(&self, uid: Uid) -> Arc<str> {
        self.users.get(&uid).cloned().unwrap_or_default()
    }
}
