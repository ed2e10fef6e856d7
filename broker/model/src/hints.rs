//! What sessions say of themselves: that nobody uses them, that their screen is locked; and what they are asked: to lock it
//! (contract/dbus.md section 6, contract/user-lifecycle.md section 10).
//!
//! Only graphical sessions say whether they are idle. Terminals are looked at by the edges: here they are in use.

use usher_protocol::ids::SessionId;
use usher_protocol::messages::Refusal;

use crate::change::{Change, Idleness, SeatProperty, SessionProperty, UserProperty};
use crate::event::Now;
use crate::model::{Model, Out};
use crate::session::Session;
use crate::user::User;

impl Session {
    /// Whether nobody uses the session, as far as it says so itself.
    pub(crate) fn idleness(&self) -> Idleness {
        match self.idle_since {
            Some(since) => Idleness { hint: true, since: since.realtime, since_monotonic: since.monotonic },
            None => Idleness::default(),
        }
    }
}

/// Whether all of them are idle, and since when: since the last of them is. Where there is none, nobody is there.
fn all_idle<'a>(sessions: impl Iterator<Item = &'a Session>) -> Idleness {
    let mut all = Idleness { hint: true, since: 0, since_monotonic: 0 };
    for one in sessions.map(Session::idleness) {
        if !one.hint {
            return Idleness::default();
        }
        if one.since_monotonic >= all.since_monotonic {
            all = one;
        }
    }
    all
}

fn can_idle(session: &&Session) -> bool {
    session.params.class.can_idle()
}

impl Model {
    /// Whether nobody uses the machine, as far as sessions say so themselves. A walk through all sessions.
    pub fn idleness(&self) -> Idleness {
        all_idle(self.sessions.values().filter(can_idle))
    }

    /// Whether nobody uses a user's sessions.
    pub(crate) fn idleness_of_user(&self, user: &User) -> Idleness {
        all_idle(user.sessions.values().filter_map(|id| self.sessions.get(id)).filter(can_idle))
    }

    /// Whether nobody is at the seat. Sessions that cannot be idle are in use.
    pub(crate) fn idleness_of_seat(&self) -> Idleness {
        all_idle(self.seat_sessions())
    }

    /// A graphical session says whether anybody uses it.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: no session of that kind.
    pub(crate) fn set_idle_hint(
        &mut self,
        now: Now,
        id: &SessionId,
        idle: bool,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        if !session.params.class.can_idle() || !session.params.kind.is_graphical() {
            let message = "Session type does not support idle hints.".to_owned();
            return Err(Refusal::NotSupported { message });
        }
        if session.idle_since.is_some() == idle {
            return Ok(());
        }
        self.note_idleness(id, idle.then_some(now), out);
        Ok(())
    }

    /// Notes since when nobody uses a session, and tells of all that are idle, or are not any more, by that.
    pub(crate) fn note_idleness(&mut self, id: &SessionId, since: Option<Now>, out: &mut Out) {
        if self.sessions.get(id).is_none_or(|session| session.idle_since == since) {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.idle_since = since;
        let (uid, seat) = (session.uid(), session.seat.clone());
        self.dirty_sessions.insert(id.clone());
        let [of_session, of_seat, of_user, of_all] = self.idlenesses(id);
        self.tell_session(id, vec![SessionProperty::Idle(of_session)], out);
        // Whether or not they are what they were, as logind does.
        if let Some(seat) = seat {
            out.tell(Change::Seat(seat, vec![SeatProperty::Idle(of_seat)]));
        }
        out.tell(Change::User(uid, vec![UserProperty::Idle(of_user)]));
        out.tell(Change::Idle(of_all));
    }

    /// Of the session, the seat, its user, and everybody.
    fn idlenesses(&self, id: &SessionId) -> [Idleness; 4] {
        let session = self.sessions.get(id);
        let user = session.and_then(|session| self.users.get(&session.uid()));
        [
            session.map(Session::idleness).unwrap_or_default(),
            self.idleness_of_seat(),
            user.map(|user| self.idleness_of_user(user)).unwrap_or_default(),
            self.idleness(),
        ]
    }

    /// A session says whether its screen is locked.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: it has no screen to lock.
    pub(crate) fn set_locked_hint(
        &mut self,
        id: &SessionId,
        locked: bool,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        if !session.params.class.can_lock() {
            return Err(cannot_lock());
        }
        if session.locked == locked {
            return Ok(());
        }
        session.locked = locked;
        self.dirty_sessions.insert(id.clone());
        self.tell_session(id, vec![SessionProperty::LockedHint(locked)], out);
        Ok(())
    }

    /// A session is asked to lock or unlock its screen.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: it has none.
    pub(crate) fn lock(&self, id: &SessionId, lock: bool, out: &mut Out) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        if !session.params.class.can_lock() {
            return Err(cannot_lock());
        }
        if session.told.is_some() {
            out.tell(if lock { Change::Lock(id.clone()) } else { Change::Unlock(id.clone()) });
        }
        Ok(())
    }

    /// The same of all that have a screen.
    pub(crate) fn lock_all(&self, lock: bool, out: &mut Out) {
        for (id, _) in self.sessions.iter().filter(|(_, session)| session.params.class.can_lock()) {
            // None of them refuses.
            let _ = self.lock(id, lock, out);
        }
    }
}

fn cannot_lock() -> Refusal {
    Refusal::NotSupported { message: "Session does not support lock screen.".to_owned() }
}
