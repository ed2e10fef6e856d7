//! seat0: who is on it, who is in its foreground, and whose word about it is taken.

use std::collections::BTreeMap;

use usher_protocol::ids::{SeatId, SessionId, VtNr};
use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use crate::event::Open;
use crate::model::Model;
use crate::record::SeatRecord;
use crate::session::Session;

/// The seat that always exists.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// Whether the machine has virtual terminals.
    pub(crate) has_vts: bool,
    /// The one that the kernel shows.
    pub(crate) foreground: Option<VtNr>,
    /// Without them: the session in the foreground, the one that came, or was brought there, last.
    pub(crate) chosen: Option<SessionId>,
    /// Whom followers think to be in the foreground; and whether that may be another one by now.
    pub(crate) told: Option<SessionId>,
    pub(crate) untold: bool,
    /// By age.
    sessions: BTreeMap<u64, SessionId>,
}

impl Seat {
    pub(crate) fn enter(&mut self, seq: u64, id: SessionId) {
        self.sessions.insert(seq, id);
    }

    pub(crate) fn leave(&mut self, seq: u64, id: &SessionId) {
        self.sessions.remove(&seq);
        // Nobody else is there of his own: whoever shows the next session says so.
        self.chosen.take_if(|chosen| chosen == id);
    }

    /// Newest first.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions.values().rev()
    }
}

impl Model {
    /// Where a login is. The request's environment is hostile (CVE-2019-3842, CVE-2025-6018): a terminal is believed
    /// when the kernel says that it is the leader's, or when the PAM service is configured as a local display
    /// manager. A remote login is nowhere.
    pub(crate) fn place(&self, open: &Open) -> (Option<SeatId>, Option<VtNr>) {
        let params = &open.params;
        if params.remote || !params.remote_host.is_empty() {
            return (None, None);
        }
        let seat0 = |vtnr| (Some(SeatId::seat0()), vtnr);
        let asked = params.claimed_vt();
        if asked.is_some() && asked == open.console {
            return seat0(asked);
        }
        let trusted = self.settings.believes_seat_of(&params.service);
        let wants_seat0 = params.seat.as_ref().map_or(asked.is_some(), SeatId::is_seat0);
        match (trusted && wants_seat0, self.seat0.has_vts) {
            (true, true) if asked.is_some() => seat0(asked),
            (true, false) if params.seat.is_some() => seat0(None),
            _ => (None, None),
        }
    }

    /// One session a terminal; login screens may share it (contract/seats-devices.md section 2).
    pub(crate) fn check_vt_is_free(
        &self,
        seat: Option<&SeatId>,
        vtnr: Option<VtNr>,
        class: SessionClass,
    ) -> Result<(), Refusal> {
        let (Some(_), Some(vtnr)) = (seat, vtnr) else { return Ok(()) };
        if class.shares_vt() {
            return Ok(());
        }
        let occupant = self.seat_sessions().find(|session| {
            session.vtnr == Some(vtnr) && !session.is_closing() && !session.params.class.shares_vt()
        });
        match occupant {
            None => Ok(()),
            Some(session) => Err(Refusal::SessionBusy {
                message: format!("Already occupied by a session: tty{vtnr} has session {}", session.id),
            }),
        }
    }

    /// Newest first.
    pub(crate) fn seat_sessions(&self) -> impl Iterator<Item = &Session> {
        self.seat0.sessions().filter_map(|id| self.sessions.get(id))
    }

    /// The seat's session in the foreground.
    pub(crate) fn active_on_seat(&self) -> Option<&Session> {
        if !self.seat0.has_vts {
            return self.seat0.chosen.as_ref().and_then(|id| self.sessions.get(id));
        }
        let shown = |session: &&Session| session.vtnr == self.seat0.foreground;
        let live = self.seat_sessions().find(|session| shown(session) && !session.is_closing());
        live.or_else(|| self.seat_sessions().find(shown))
    }

    /// Whether a session is in the foreground, or has no seat that it could be in the background of.
    pub(crate) fn is_active(&self, session: &Session) -> bool {
        session.seat.is_none() || self.active_on_seat().is_some_and(|active| active.id == session.id)
    }

    /// The kernel shows another terminal.
    pub(crate) fn vt_changed(&mut self, foreground: Option<VtNr>) {
        if self.seat0.foreground == foreground {
            return;
        }
        self.seat0.foreground = foreground;
        self.seat_changed();
    }

    /// Who is in the foreground may be another one now.
    pub(crate) fn seat_changed(&mut self) {
        let affected: Vec<_> = self.seat_sessions().map(|s| (s.id.clone(), s.uid())).collect();
        for (id, uid) in affected {
            self.dirty_sessions.insert(id);
            self.stale_users.insert(uid);
        }
        self.dirty_seat = true;
        self.seat0.untold = true;
    }

    /// The seat as it is persisted.
    pub(crate) fn seat_record(&self) -> SeatRecord {
        SeatRecord {
            id: SeatId::seat0(),
            can_tty: self.seat0.has_vts,
            // Known from the devices, which this broker does not watch yet.
            can_graphical: false,
            active: self.active_on_seat().map(|s| (s.id.clone(), s.uid())),
            sessions: self.seat_sessions().map(|s| (s.id.clone(), s.uid())).collect(),
        }
    }
}
