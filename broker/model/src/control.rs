//! Session control: the one program, a display server, that may say what a session is shown on (contract/dbus.md section 6,
//! contract/seats-devices.md section 3). It is known by its name on the bus and loses control with it.

use usher_protocol::ids::SessionId;
use usher_protocol::messages::{MAX_TEXT, Refusal};
use usher_protocol::session::SessionType;

use crate::change::SessionProperty;
use crate::event::BusName;
use crate::model::{Model, Out};
use crate::policy::{Action, Authority};
use crate::session::Session;

impl Model {
    /// Every program that controls a session: after a restart, those of them who are not on the bus any more are to be
    /// reported with [`crate::Event::ControllerGone`].
    pub fn controllers(&self) -> Vec<BusName> {
        self.controllers.keys().cloned().collect()
    }

    /// Whether a program controls a session.
    pub fn is_controlled_by(&self, id: &SessionId, controller: &BusName) -> bool {
        self.sessions.get(id).is_some_and(|session| session.controller.as_ref() == Some(controller))
    }

    /// A program becomes the one that controls a session.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`]: only root may force it. [`Refusal::AlreadyControlled`]: another program does.
    pub(crate) fn take_control(
        &mut self,
        authority: Authority,
        id: &SessionId,
        controller: BusName,
        force: bool,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        if force {
            authority.permits(Action::SeizeControl, session.uid(), |_| false)?;
        }
        match session.controller.clone() {
            Some(present) if present == controller => return Ok(()),
            Some(_) if !force => return Err(Refusal::AlreadyControlled {}),
            // What the old one has made of the session stays, until nobody controls it.
            Some(old) => self.forget_controller(&old, id),
            None => {}
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.controller = Some(controller.clone());
            self.controllers.entry(controller).or_default().insert(id.clone());
            self.dirty_sessions.insert(id.clone());
        }
        Ok(())
    }

    /// A program controls a session no more.
    ///
    /// # Errors
    /// [`Refusal::NotInControl`]: it never has.
    pub(crate) fn release_control(
        &mut self,
        id: &SessionId,
        controller: &BusName,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        self.controlled_by(id, controller)?;
        self.drop_control(id, out);
        Ok(())
    }

    /// A program is gone.
    pub(crate) fn controller_gone(&mut self, controller: &BusName, out: &mut Out) {
        for id in self.controllers.get(controller).cloned().unwrap_or_default() {
            self.drop_control(&id, out);
        }
    }

    /// Nobody controls the session; what it is shown on is what it was.
    fn drop_control(&mut self, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(controller) = session.controller.take() else { return };
        let original = session.original_kind;
        self.forget_controller(&controller, id);
        self.dirty_sessions.insert(id.clone());
        self.change_type(id, original, out);
    }

    /// A session that is gone has no controller.
    pub(crate) fn forget_controller(&mut self, controller: &BusName, id: &SessionId) {
        let Some(sessions) = self.controllers.get_mut(controller) else { return };
        sessions.remove(id);
        if sessions.is_empty() {
            self.controllers.remove(controller);
        }
    }

    /// What a session is shown on is changed, until control of it is given up.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: not of a session of that class. [`Refusal::NotInControl`].
    pub(crate) fn set_type(
        &mut self,
        id: &SessionId,
        controller: &BusName,
        kind: SessionType,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let class = self.sessions.get(id).map(|session| session.params.class);
        if class.is_some_and(|class| !class.can_be_driven()) {
            let message = "Session class does not support changes of the type.".to_owned();
            return Err(Refusal::NotSupported { message });
        }
        self.controlled_by(id, controller)?;
        self.change_type(id, kind, out);
        Ok(())
    }

    fn change_type(&mut self, id: &SessionId, kind: SessionType, out: &mut Out) {
        if !kind.is_graphical() {
            // Who is no desktop any more says nothing of idleness.
            self.note_idleness(id, None, out);
        }
        let Some(session) = self.sessions.get_mut(id).filter(|s| s.params.kind != kind) else { return };
        session.params.kind = kind;
        self.dirty_sessions.insert(id.clone());
        self.tell_session(id, vec![SessionProperty::Kind(kind)], out);
        self.rank_changed(id, out);
    }

    /// A graphical session's X display is another one.
    ///
    /// # Errors
    /// [`Refusal::NotSupported`]: it is none. [`Refusal::InvalidParameter`], [`Refusal::NotInControl`].
    pub(crate) fn set_x_display(
        &mut self,
        id: &SessionId,
        controller: &BusName,
        display: String,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if !self.controlled_by(id, controller)?.params.kind.is_graphical() {
            let message = "Only graphical sessions have an X display.".to_owned();
            return Err(Refusal::NotSupported { message });
        }
        check_text("display", &display)?;
        let session = self.controlled_by(id, controller)?;
        if *session.params.display != *display {
            session.params.display = display.as_str().into();
            self.dirty_sessions.insert(id.clone());
            self.tell_session(id, vec![SessionProperty::Display(display)], out);
        }
        Ok(())
    }

    /// A session's terminal is another one.
    ///
    /// # Errors
    /// [`Refusal::InvalidParameter`], [`Refusal::NotInControl`].
    pub(crate) fn set_terminal(
        &mut self,
        id: &SessionId,
        controller: &BusName,
        tty: String,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        check_text("tty", &tty)?;
        let session = self.controlled_by(id, controller)?;
        if *session.params.tty != *tty {
            session.params.tty = tty.as_str().into();
            self.dirty_sessions.insert(id.clone());
            self.tell_session(id, vec![SessionProperty::Tty(tty)], out);
        }
        Ok(())
    }

    fn controlled_by(&mut self, id: &SessionId, controller: &BusName) -> Result<&mut Session, Refusal> {
        let session = self.sessions.get_mut(id);
        let session = session.ok_or_else(|| Refusal::NoSuchSession { session: id.to_string() })?;
        if session.controller.as_ref() == Some(controller) {
            Ok(session)
        } else {
            Err(Refusal::NotInControl {})
        }
    }
}

/// The same rules as for a login's.
fn check_text(parameter: &str, text: &str) -> Result<(), Refusal> {
    let why = match text {
        _ if text.len() > MAX_TEXT => "longer than 1024 bytes",
        _ if text.chars().any(char::is_control) => "contains control characters",
        _ => return Ok(()),
    };
    Err(Refusal::InvalidParameter { parameter: parameter.to_owned(), message: format!("{parameter}: {why}") })
}
