//! Who is brought to the foreground of the seat: by the kernel, where it has virtual terminals; else here, at once
//! (contract/seats-devices.md section 2).

use std::collections::BTreeMap;

use usher_protocol::ids::{SeatId, SessionId, Uid, VtNr};
use usher_protocol::messages::Refusal;

use crate::effect::Effect;
use crate::event::{Now, SwitchTo};
use crate::logout::Why;
use crate::model::{Model, Out};
use crate::session::Session;

impl Model {
    /// Whether a user has a session at a seat that is not about to end.
    pub(crate) fn sits_at(&self, caller: Uid, seat: Option<&SeatId>) -> bool {
        let seat = seat.filter(|seat| seat.is_seat0());
        seat.is_some() && self.seat_sessions().any(|s| s.uid() == caller && !s.is_closing())
    }

    /// Where on its seat a session is, from 1; 0: nowhere any more.
    fn position_of(&self, session: &Session) -> u32 {
        if self.seat0.has_vts { session.vtnr.map_or(0, VtNr::get) } else { session.position }
    }

    /// The positions of the seat that are taken, and by whom; where several are at one place, by the newest.
    fn positions(&self) -> BTreeMap<u32, SessionId> {
        let mut positions = BTreeMap::new();
        for session in self.seat_sessions().filter(|session| !session.is_closing()) {
            let position = self.position_of(session);
            if position > 0 {
                positions.entry(position).or_insert_with(|| session.id.clone());
            }
        }
        positions
    }

    /// The lowest position that is free on a seat without virtual terminals.
    pub(crate) fn free_position(&self) -> u32 {
        let taken = self.positions();
        (1..).find(|position| !taken.contains_key(position)).unwrap_or_default()
    }

    /// A session has its place on the seat, and without virtual terminals the foreground, too.
    pub(crate) fn take_seat(&mut self, id: &SessionId) {
        let Some(seq) = self.sessions.get(id).filter(|s| s.seat.is_some()).map(|s| s.seq) else { return };
        self.seat0.enter(seq, id.clone());
        if !self.seat0.has_vts {
            let position = self.free_position();
            if let Some(session) = self.sessions.get_mut(id) {
                session.position = position;
            }
            self.seat0.chosen = Some(id.clone());
        }
        self.seat_changed();
    }

    /// After a restart: whoever is on file without a position gets one, where there are any.
    pub(crate) fn seat_those_without_a_place(&mut self) {
        let missing = |session: &&Session| !session.is_closing() && self.position_of(session) == 0;
        let without = self.seat_sessions().filter(|_| !self.seat0.has_vts).filter(missing);
        for id in without.map(|session| session.id.clone()).collect::<Vec<_>>() {
            let position = self.free_position();
            if let Some(session) = self.sessions.get_mut(&id) {
                session.position = position;
            }
        }
    }

    /// Brings a session to the foreground of its seat.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: there is no foreground that it could be in.
    pub(crate) fn activate(&mut self, id: &SessionId, out: &mut Out) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        let refuse = |message: String| Err(Refusal::NotSupported { message });
        // logind's words (contract/loginctl.md section 5).
        let nowhere = || refuse("Operation not supported".to_owned());
        if session.seat.is_none() {
            return nowhere();
        }
        if self.is_active(session) {
            return Ok(());
        }
        match (self.seat0.has_vts, session.vtnr) {
            (true, Some(vtnr)) => out.act(Effect::ActivateVt(vtnr)),
            (true, None) => return nowhere(),
            (false, _) if session.is_closing() => return refuse(format!("Session '{id}' is closing")),
            (false, _) => {
                self.seat0.chosen = Some(id.clone());
                self.seat_changed();
            }
        }
        Ok(())
    }

    /// Brings another session to the foreground of the seat, or shows a virtual terminal that has none.
    ///
    /// # Errors
    /// [`Refusal::InvalidParameter`]: nobody is there.
    pub(crate) fn switch(&mut self, to: SwitchTo, out: &mut Out) -> Result<(), Refusal> {
        let positions = self.positions();
        let start = self.active_on_seat().map_or(0, |session| self.position_of(session)).max(1);
        let active = self.active_on_seat().map(|session| session.id.clone());
        let mut others = positions.iter().filter(|(_, id)| active.as_ref() != Some(*id));
        let target = match to {
            SwitchTo::Position(number) => match positions.get(&number) {
                None if self.seat0.has_vts => {
                    let vtnr = VtNr::try_from(number).map_err(|_| nobody_at(number))?;
                    out.act(Effect::ActivateVt(vtnr));
                    return Ok(());
                }
                there => Some(there.ok_or_else(|| nobody_at(number))?),
            },
            // Round the corner, if need be.
            SwitchTo::Next => {
                let after = others.clone().find(|(position, _)| **position > start);
                after.or_else(|| others.next()).map(|(_, id)| id)
            }
            SwitchTo::Previous => {
                let before = others.clone().rfind(|(position, _)| **position < start);
                before.or_else(|| others.next_back()).map(|(_, id)| id)
            }
        };
        match target {
            Some(id) => self.activate(id, out),
            None => Err(invalid_position("there is no other session on the seat".to_owned())),
        }
    }

    /// All sessions of the seat are to end, now.
    pub(crate) fn terminate_seat(&mut self, now: Now, out: &mut Out) {
        for id in self.seat0.sessions().cloned().collect::<Vec<_>>() {
            self.close_session(now, &id, Why::Terminated, out);
        }
    }
}

fn nobody_at(number: u32) -> Refusal {
    invalid_position(format!("nothing is at position {number} of the seat"))
}

fn invalid_position(message: String) -> Refusal {
    Refusal::InvalidParameter { parameter: "vtnr".to_owned(), message }
}
