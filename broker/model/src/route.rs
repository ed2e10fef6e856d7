//! Which function an event is for, and whether whoever asks may.

use usher_protocol::ids::{SeatId, SessionId, Uid};
use usher_protocol::messages::Refusal;

use crate::effect::Effect;
use crate::event::{Event, Now, RequestId};
use crate::logout::Why;
use crate::model::{Model, Out};
use crate::policy::{Action, Authority};
use crate::session::Session;

impl Model {
    pub(crate) fn route(&mut self, now: Now, event: Event, out: &mut Out) {
        match event {
            Event::Open(open) => self.open(now, *open, out),
            Event::Close { request, authority, session, closer } => {
                let owner = self.sessions.get(&session).map(Session::uid);
                let allowed = owner.ok_or_else(|| Refusal::NoSuchSession { session: session.to_string() });
                let allowed = allowed.and_then(|owner| authority.check(owner));
                let result = allowed.map(|()| self.close(now, &session, authority, closer, out));
                out.answer(request, result);
            }
            Event::SetLinger { request, authority, account, linger } => {
                self.set_linger(request, authority, account, linger, out);
            }
            Event::TerminateSession { request, authority, session } => {
                let end = |model: &mut Self, out: &mut Out| {
                    model.close_session(now, &session, Why::Terminated, out);
                    Ok(())
                };
                self.on_session(request, authority, Action::Terminate, &session, out, end);
            }
            Event::TerminateUser { request, authority, uid } => {
                let end = |model: &mut Self, out: &mut Out| model.terminate_user(now, uid, out);
                self.on_user(request, authority, Action::Terminate, uid, out, end);
            }
            Event::KillSession { request, authority, session, whom, signal } => {
                let kill = |model: &mut Self, out: &mut Out| model.kill(&session, whom, signal, out);
                self.on_session(request, authority, Action::Kill, &session, out, kill);
            }
            Event::KillUser { request, authority, uid, signal } => {
                let kill = |_: &mut Self, out: &mut Out| out.act(Effect::SignalUser { uid, signal });
                self.on_user(request, authority, Action::Kill, uid, out, kill);
            }
            Event::ReleaseSession { request, session } => {
                let result = self.release(now, &session);
                out.answer(request, result);
            }
            Event::AttachFifo { request, session } => self.attach_fifo(request, &session, out),
            Event::FifoClosed { session } => self.fifo_closed(now, &session, out),
            Event::TerminateSeat { request, authority, seat } => {
                let end = |model: &mut Self, out: &mut Out| {
                    model.terminate_seat(now, out);
                    Ok(())
                };
                self.on_seat(request, authority, Action::TerminateSeat, &seat, out, end);
            }
            Event::Activate { request, authority, session } => {
                let activate = |model: &mut Self, out: &mut Out| model.activate(&session, out);
                self.on_session(request, authority, Action::ChangeVt, &session, out, activate);
            }
            Event::Switch { request, authority, seat, to } => {
                let switch = |model: &mut Self, out: &mut Out| model.switch(to, out);
                self.on_seat(request, authority, Action::ChangeVt, &seat, out, switch);
            }
            Event::Lock { request, authority, session: Some(session), lock } => {
                let ask = |model: &mut Self, out: &mut Out| model.lock(&session, lock, out);
                self.on_session(request, authority, Action::Lock, &session, out, ask);
            }
            Event::Lock { request, authority, session: None, lock } => {
                let allowed = authority.permits(Action::LockAll, Uid::ROOT, |_| false);
                let result = allowed.map(|()| self.lock_all(lock, out));
                out.answer(request, result);
            }
            Event::SetIdleHint { request, authority, session, idle } => {
                let set = |model: &mut Self, out: &mut Out| model.set_idle_hint(now, &session, idle, out);
                self.on_session(request, authority, Action::Describe, &session, out, set);
            }
            Event::SetLockedHint { request, authority, session, locked } => {
                let set = |model: &mut Self, out: &mut Out| model.set_locked_hint(&session, locked, out);
                self.on_session(request, authority, Action::Describe, &session, out, set);
            }
            Event::SetClass { request, authority, session, class } => {
                self.set_class(request, authority, &session, class, out);
            }
            Event::TakeControl { request, authority, session, controller, force } => {
                let take = |model: &mut Self, _: &mut Out| {
                    model.take_control(authority, &session, controller, force)
                };
                self.on_session(request, authority, Action::Control, &session, out, take);
            }
            Event::ReleaseControl { request, session, controller } => {
                let result = self.release_control(&session, &controller, out);
                out.answer(request, result);
            }
            Event::ControllerGone { controller } => self.controller_gone(&controller, out),
            Event::SetType { request, session, controller, kind } => {
                let result = self.set_type(&session, &controller, kind, out);
                out.answer(request, result);
            }
            Event::SetDisplay { request, session, controller, display } => {
                let result = self.set_x_display(&session, &controller, display, out);
                out.answer(request, result);
            }
            Event::SetTty { request, session, controller, tty } => {
                let result = self.set_terminal(&session, &controller, tty, out);
                out.answer(request, result);
            }
            Event::LeaderExited { session } => self.close_session(now, &session, Why::LeaderGone, out),
            Event::ScopeEmptied { session } => self.scope_emptied(&session),
            Event::VtChanged { foreground } => self.vt_changed(foreground),
            Event::RuntimeDirCreated { uid, result } => self.runtime_dir_created(uid, result, out),
            Event::ScopeCreated { session, result } => self.scope_created(&session, result, out),
            Event::ScopeReaped { session, result } => self.scope_reaped(now, &session, result, out),
            Event::ManagerStarted { uid, generation, result } => {
                self.manager_started(now, uid, generation, result, out);
            }
            Event::ManagerUnwanted { uid, generation } => self.manager_unwanted(uid, generation, out),
            Event::ManagerTimes { uid, generation, start, stop } => {
                self.manager_times(now, uid, generation, (start, stop));
            }
            Event::ManagerReady { uid, generation } => self.manager_ready(now, uid, generation, out),
            Event::ManagerGone { uid, generation, how } => self.manager_gone(now, uid, generation, how, out),
            Event::UserTornDown { uid, result } => self.user_torn_down(now, uid, result, out),
            Event::LingerWritten { request, account, also, linger, result } => {
                let written = result.map(|()| (account, also, linger));
                self.linger_written(now, request, written, out);
            }
            Event::LingerResolved { name, result } => self.linger_resolved(now, name, result, out),
            Event::MountsChanged => self.mounts_changed(now),
            Event::Reloaded(settings) => {
                self.reload(now, *settings, out);
                self.all_lookups_are_due(now);
            }
            Event::NotSaved(file) => self.not_saved(now, file),
            Event::Tick => {}
        }
    }

    /// Does something to a session, if it is there and the table permits it.
    fn on_session(
        &mut self,
        request: RequestId,
        authority: Authority,
        action: Action,
        id: &SessionId,
        out: &mut Out,
        act: impl FnOnce(&mut Self, &mut Out) -> Result<(), Refusal>,
    ) {
        let allowed = match self.sessions.get(id) {
            None => Err(Refusal::NoSuchSession { session: id.to_string() }),
            Some(session) => {
                let seat = session.seat.as_ref();
                authority.permits(action, session.uid(), |caller| self.sits_at(caller, seat))
            }
        };
        let result = allowed.and_then(|()| act(self, out));
        out.answer(request, result);
    }

    /// The same, to a seat.
    fn on_seat(
        &mut self,
        request: RequestId,
        authority: Authority,
        action: Action,
        seat: &SeatId,
        out: &mut Out,
        act: impl FnOnce(&mut Self, &mut Out) -> Result<(), Refusal>,
    ) {
        let allowed = match seat.is_seat0() {
            false => Err(Refusal::NoSuchSeat { seat: seat.to_string() }),
            // It is nobody's.
            true => authority.permits(action, Uid::ROOT, |caller| self.sits_at(caller, Some(seat))),
        };
        let result = allowed.and_then(|()| act(self, out));
        out.answer(request, result);
    }

    /// The same, to a user.
    fn on_user(
        &mut self,
        request: RequestId,
        authority: Authority,
        action: Action,
        uid: Uid,
        out: &mut Out,
        act: impl FnOnce(&mut Self, &mut Out),
    ) {
        let allowed = match self.users.get(&uid) {
            None => Err(Refusal::NoSuchUser { uid: uid.get() }),
            Some(_) => authority.permits(action, uid, |_| false),
        };
        let result = allowed.map(|()| act(self, out));
        out.answer(request, result);
    }
}
