//! Changes in the model with everything that hooks and targets want to know about them. A session that is gone cannot be
//! looked up any more, so its end comes with how it was; only what has been said of it is kept from its beginning to its end.

use std::collections::BTreeMap;
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
    pub(crate) seat: Box<str>,
    pub(crate) vtnr: u32,
    pub(crate) service: Box<str>,
    pub(crate) tty: Box<str>,
    pub(crate) display: Box<str>,
    pub(crate) remote: bool,
    pub(crate) remote_host: Box<str>,
    pub(crate) remote_user: Box<str>,
}

impl From<SessionView> for Facts {
    fn from(view: SessionView) -> Self {
        Self {
            in_front: is_in_front(&view),
            seat: view.seat.map_or_else(Default::default, |seat| seat.as_str().into()),
            vtnr: view.vtnr.map_or(0, |vtnr| vtnr.get()),
            id: view.id,
            uid: view.uid,
            class: view.class,
            kind: view.kind,
            service: view.service.into(),
            tty: view.tty.into(),
            display: view.display.into(),
            remote: view.remote,
            remote_host: view.remote_host.into(),
            remote_user: view.remote_user.into(),
        }
    }
}

fn is_in_front(view: &SessionView) -> bool {
    view.seat.is_some() && view.active
}

/// Whoever remembers.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    users: BTreeMap<Uid, Arc<str>>,
    /// Those that were told of, and whether each is in front. A tree: a table would keep the room of the most there ever were.
    sessions: BTreeMap<SessionId, bool>,
}

impl Witness {
    /// Takes notice of what is there already.
    pub(crate) fn looks(model: &Model) -> Self {
        let sessions = model.sessions().into_iter();
        Self {
            users: model.list_users().map(|(uid, name)| (uid, name.into())).collect(),
            sessions: sessions.map(|view| (view.id.clone(), is_in_front(&view))).collect(),
        }
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
                self.sessions.insert(id.clone(), facts.in_front);
                let front = facts.in_front.then(|| self.of_session(Kind::SessionActive, &facts));
                [self.of_session(Kind::SessionOpened, &facts)].into_iter().chain(front).collect()
            }
            Change::SessionRemoved(view) => {
                let Some(was_in_front) = self.sessions.remove(&view.id) else { return Vec::new() };
                let facts = Arc::new(Facts { in_front: false, ..Facts::from((**view).clone()) });
                let front = was_in_front.then(|| self.of_session(Kind::SessionInactive, &facts));
                front.into_iter().chain([self.of_session(Kind::SessionClosed, &facts)]).collect()
            }
            Change::Session(id, properties) => {
                properties.iter().filter_map(|property| self.has_changed(id, property, model)).collect()
            }
            Change::User(..) | Change::Seat(..) | Change::Idle(_) | Change::Lock(_) | Change::Unlock(_) => {
                Vec::new()
            }
        }
    }

    /// One that is over by now leaves the foreground with its end.
    fn has_changed(&mut self, id: &SessionId, property: &SessionProperty, model: &Model) -> Option<Incident> {
        let SessionProperty::Active(active) = property else { return None };
        let in_front = self.sessions.get_mut(id)?;
        // Told already when it was opened, if it came there before it was told of.
        if in_front == active {
            return None;
        }
        let facts = model.session(id).map(Facts::from).filter(|facts| !facts.seat.is_empty())?;
        *in_front = *active;
        let kind = if *active { Kind::SessionActive } else { Kind::SessionInactive };
        Some(self.of_session(kind, &Arc::new(Facts { in_front: *active, ..facts })))
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
