//! The sessions by id. Each is in a box of its own: a tree has room for nearly twice as many as are in it. And a tree it is
//! because a table keeps the room of the most sessions there ever were.

use std::collections::BTreeMap;

use usher_protocol::ids::SessionId;

use crate::session::Session;

/// Every session there is.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<SessionId, Box<Session>>);

impl Sessions {
    pub(crate) fn insert(&mut self, session: Session) {
        self.0.insert(session.id.clone(), Box::new(session));
    }

    pub(crate) fn remove(&mut self, id: &SessionId) -> Option<Session> {
        self.0.remove(id).map(|session| *session)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.0.get(id).map(|session| &**session)
    }

    pub(crate) fn get_mut(&mut self, id: &SessionId) -> Option<&mut Session> {
        self.0.get_mut(id).map(|session| &mut **session)
    }

    pub(crate) fn contains_key(&self, id: &SessionId) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.0.iter().map(|(id, session)| (id, &**session))
    }

    /// In no order that means anything.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Session> {
        self.0.values().map(|session| &**session)
    }

    /// The same, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.0.values_mut().map(|session| &mut **session)
    }
}
