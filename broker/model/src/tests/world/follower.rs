//! Somebody who follows the broker, as a desktop does: looks at everything once, and then believes what it is told. What it
//! believes is what there is.

use std::collections::BTreeMap;

use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{SessionClass, SessionType};

use crate::change::{Change, Idleness, SeatProperty, SessionProperty, UserProperty};
use crate::model::Model;

/// What is believed.
#[derive(Debug, Default)]
pub(super) struct Follower {
    users: BTreeMap<Uid, Option<SessionId>>,
    sessions: BTreeMap<SessionId, Seen>,
    active: Option<SessionId>,
}

/// What is believed of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    uid: Uid,
    active: bool,
    kind: SessionType,
    class: SessionClass,
    tty: String,
    display: String,
    idle: Idleness,
    locked: bool,
}

impl Seen {
    fn of(model: &Model, id: &SessionId) -> Self {
        let view = model.session(id).unwrap_or_else(|| panic!("{id} is not there"));
        let (since, since_monotonic) = (view.idle_since, view.idle_since_monotonic);
        Self {
            uid: view.uid,
            active: view.active,
            kind: view.kind,
            class: view.class,
            tty: view.tty,
            display: view.display,
            idle: Idleness { hint: view.idle_hint, since, since_monotonic },
            locked: view.locked_hint,
        }
    }

    fn hears(&mut self, property: SessionProperty) {
        match property {
            SessionProperty::Active(active) => self.active = active,
            SessionProperty::Kind(kind) => self.kind = kind,
            SessionProperty::Class(class) => self.class = class,
            SessionProperty::Tty(tty) => self.tty = tty,
            SessionProperty::Display(display) => self.display = display,
            SessionProperty::Idle(idle) => self.idle = idle,
            SessionProperty::LockedHint(locked) => self.locked = locked,
        }
    }
}

impl Follower {
    /// Everything, as it is after a restart.
    pub(super) fn looks(model: &Model) -> Self {
        let seat = model.seats().pop().unwrap();
        Self {
            users: model.users().into_iter().map(|user| (user.uid, user.display)).collect(),
            sessions: model.sessions.iter().map(|(id, _)| (id.clone(), Seen::of(model, id))).collect(),
            active: seat.active,
        }
    }

    /// A change, by a model that is past it.
    pub(super) fn hears(&mut self, change: &Change, model: &Model) {
        match change.clone() {
            Change::UserNew(uid) => assert_eq!(self.users.insert(uid, None), None, "{uid} is here already"),
            Change::UserRemoved(uid) => {
                let left = self.sessions.iter().find(|(_, seen)| seen.uid == uid);
                assert_eq!(left, None, "{uid} goes before a session");
                assert!(self.users.remove(&uid).is_some(), "{uid} was not here");
            }
            Change::SessionNew(id) => {
                let seen = Seen::of(model, &id);
                assert!(self.users.contains_key(&seen.uid), "{id} is here before its user");
                assert_eq!(self.sessions.insert(id.clone(), seen), None, "{id} is here already");
            }
            Change::SessionRemoved(gone) => {
                let id = gone.id;
                assert!(!model.knows_session(&id), "{id} is still here");
                assert!(self.sessions.remove(&id).is_some(), "{id} was not here");
            }
            Change::Session(id, properties) => {
                let seen =
                    self.sessions.get_mut(&id).unwrap_or_else(|| panic!("{id} is not here: {change:?}"));
                properties.into_iter().for_each(|property| seen.hears(property));
            }
            Change::User(uid, properties) => {
                let display =
                    self.users.get_mut(&uid).unwrap_or_else(|| panic!("{uid} is not here: {change:?}"));
                for property in properties {
                    if let UserProperty::Display(now) = property {
                        let known = now.as_ref().is_none_or(|id| self.sessions.contains_key(id));
                        assert!(known, "{uid} has a display that is not here: {now:?}");
                        *display = now;
                    }
                }
            }
            Change::Seat(_, properties) => {
                for property in properties {
                    if let SeatProperty::ActiveSession(now) = property {
                        assert_ne!(self.active, now, "no change");
                        let active = now.as_ref().is_none_or(|id| self.sessions[id].active);
                        assert!(active, "the seat's session is told before it is active: {now:?}");
                        self.active = now;
                    }
                }
            }
            Change::ManagerReady(uid) => assert!(self.users.contains_key(&uid), "{uid} is not here"),
            Change::Idle(_) => {}
            Change::Lock(id) | Change::Unlock(id) => assert!(self.sessions.contains_key(&id), "{change:?}"),
        }
    }

    /// After every event.
    pub(super) fn check(&self, model: &Model) {
        let users: Vec<_> = model.users.keys().collect();
        assert_eq!(self.users.keys().collect::<Vec<_>>(), users, "users as followers know them");
        let told = model.sessions.iter().filter(|(_, session)| session.told.is_some());
        let sessions: BTreeMap<_, _> = told.map(|(id, _)| (id.clone(), Seen::of(model, id))).collect();
        assert_eq!(self.sessions, sessions, "sessions as followers know them");
        let active = model.active_on_seat().map(|session| (session.id.clone(), session.told.is_some()));
        match active {
            // Until it is open nothing is told of it.
            Some((_, false)) => {}
            Some((id, true)) => assert_eq!(self.active, Some(id), "the seat as followers know it"),
            None => assert_eq!(self.active, None, "the seat as followers know it"),
        }
    }
}
