//! Two ways in which a PAM module says that a session is over, besides closing it: it announces the logout from within the
//! session, and it lets go of a FIFO (contract/dbus.md sections 4 and 5).

use usher_protocol::ids::SessionId;
use usher_protocol::messages::Refusal;

use crate::effect::Effect;
use crate::event::{Now, RequestId};
use crate::logout::Why;
use crate::model::{Model, Out};
use crate::session::Phase;
use crate::settings::SECOND;
use crate::timer::Timer;

/// How long the leader of a session that has been announced to end may take to do so (logind's own time).
const RELEASE: u64 = 20 * SECOND;

impl Model {
    /// The PAM application says that the user is leaving. The session is shown as closing from now on; on file it stays as it
    /// is until it really closes. A restart forgets this: the leader's end is what counts.
    ///
    /// # Errors
    /// [`Refusal::NoSuchSession`].
    pub(crate) fn release(&mut self, now: Now, id: &SessionId) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else {
            return Err(Refusal::NoSuchSession { session: id.to_string() });
        };
        if !session.signed_off && !session.is_closing() {
            session.signed_off = true;
            self.timers.set(Timer::Release(id.clone()), now, RELEASE);
        }
        Ok(())
    }

    /// The leader has had its time: over without it.
    pub(crate) fn release_is_over(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        self.close_session(now, id, Why::LoggedOut, out);
    }

    /// A FIFO holds the session open, too, from now on.
    pub(crate) fn attach_fifo(&mut self, request: RequestId, id: &SessionId, out: &mut Out) {
        let result = match self.sessions.get_mut(id) {
            None => Err(Refusal::NoSuchSession { session: id.to_string() }),
            Some(session) if session.phase != Phase::Running => {
                Err(Refusal::Failed { message: format!("session {id} is not open, it gets no FIFO") })
            }
            Some(session) => {
                if !std::mem::replace(&mut session.fifo, true) {
                    self.dirty_sessions.insert(id.clone());
                    out.act(Effect::OpenFifo(id.clone()));
                }
                Ok(())
            }
        };
        out.answer(request, result);
    }

    /// Nobody has the session's FIFO open any more: it is closing, and ends with its leader and its processes.
    pub(crate) fn fifo_closed(&mut self, now: Now, id: &SessionId, out: &mut Out) {
        if self.sessions.get(id).is_some_and(|session| session.fifo) {
            self.close_session(now, id, Why::HungUp, out);
        }
    }

    /// A session has begun to close, and needs neither any more.
    pub(crate) fn forget_fifo(&mut self, id: &SessionId, out: &mut Out) {
        self.timers.clear(&Timer::Release(id.clone()));
        let Some(session) = self.sessions.get_mut(id) else { return };
        if std::mem::take(&mut session.fifo) {
            out.act(Effect::RemoveFifo(id.clone()));
        }
    }
}
