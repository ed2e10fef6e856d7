//! What whoever follows the broker is told of sessions, users and the seat (contract/dbus.md sections 3, 6, 8 and 10). Nothing
//! of a session before its SessionNew, and nothing again that has been told.

use usher_protocol::ids::{SeatId, SessionId, Uid};

use crate::change::{Change, SeatProperty, SessionProperty, UserProperty};
use crate::model::{Model, Out};
use crate::session::Session;

impl Model {
    /// A session is open. One that an earlier broker has opened is known already.
    pub(crate) fn tell_new_session(&mut self, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get(id).filter(|session| session.told.is_none()) else { return };
        let (uid, seated, active) = (session.uid(), session.seat.is_some(), self.is_active(session));
        if let Some(session) = self.sessions.get_mut(id) {
            session.told = Some(active);
        }
        out.tell(Change::SessionNew(id.clone()));
        self.tell_display(uid, out);
        if seated {
            self.tell_seat(out);
        }
    }

    /// A session, which is not among the others any more, is gone. Its user may have another display session by now.
    pub(crate) fn tell_session_gone(&mut self, session: &Session, out: &mut Out) {
        if session.told.is_some() {
            out.tell(Change::SessionRemoved(Box::new(self.view_of_session(session))));
        }
        if session.seat.is_some() {
            self.tell_seat(out);
        }
        if session.told.is_some() {
            self.tell_display(session.uid(), out);
        }
    }

    /// Which session stands for a user; told at every session's beginning and end, as logind does.
    pub(crate) fn tell_display(&self, uid: Uid, out: &mut Out) {
        if !self.users.contains_key(&uid) {
            return;
        }
        let known = |id: &&SessionId| self.sessions.get(id).is_some_and(|session| session.told.is_some());
        let display = self.display_of(uid).filter(known).cloned();
        out.tell(Change::User(uid, vec![UserProperty::Display(display)]));
    }

    /// Properties of a session that is known of.
    pub(crate) fn tell_session(&self, id: &SessionId, properties: Vec<SessionProperty>, out: &mut Out) {
        if self.sessions.get(id).is_some_and(|session| session.told.is_some()) {
            out.tell(Change::Session(id.clone(), properties));
        }
    }

    /// Who is in the foreground of the seat now: who is there no more, who is there now, and last the seat itself.
    pub(crate) fn tell_seat(&mut self, out: &mut Out) {
        let active = self.active_on_seat().map(|session| (session.id.clone(), session.told.is_some()));
        let is_active = |id: &SessionId| active.as_ref().is_some_and(|(active, _)| active == id);
        for wanted in [false, true] {
            for id in self.seat0.sessions().filter(|id| is_active(id) == wanted) {
                let Some(session) = self.sessions.get_mut(id).filter(|s| s.told == Some(!wanted)) else {
                    continue;
                };
                session.told = Some(wanted);
                out.tell(Change::Session(id.clone(), vec![SessionProperty::Active(wanted)]));
            }
        }
        // One that is not open yet is told of when it is.
        let known = active.as_ref().is_none_or(|(_, known)| *known);
        let active = active.map(|(id, _)| id);
        if known && self.seat0.told != active {
            self.seat0.told.clone_from(&active);
            out.tell(Change::Seat(SeatId::seat0(), vec![SeatProperty::ActiveSession(active)]));
        }
    }

    /// After a restart: whoever follows the broker has looked, or will look, at everything that is there.
    pub(crate) fn all_is_told(&mut self, out: &mut Out) {
        let active = self.active_on_seat().map(|session| session.id.clone());
        for session in self.sessions.values_mut() {
            session.told = Some(session.seat.is_none() || active.as_ref() == Some(&session.id));
        }
        self.seat0.told = active;
        self.seat0.untold = false;
        out.nothing_to_tell();
    }
}
