//! A session whose user was incomplete at first, because the home directory was still locked away, becomes a full one
//! (contract/dbus.md section 6, SetClass): now the user's manager is wanted, and waited for as by a login.

use usher_protocol::ids::SessionId;
use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use crate::change::SessionProperty;
use crate::event::RequestId;
use crate::model::{Model, Out};
use crate::policy::{Action, Authority};
use crate::session::{Asked, Phase, Waiting};

impl Model {
    /// Changes a session's class. Answered when the user's manager is there, as far as it is waited for.
    pub(crate) fn set_class(
        &mut self,
        request: RequestId,
        authority: Authority,
        id: &SessionId,
        class: SessionClass,
        out: &mut Out,
    ) {
        match self.may_become(authority, id, class) {
            Ok(true) => self.upgrade(request, id, out),
            Ok(false) => out.answer(request, Ok(())),
            Err(refusal) => out.answer(request, Err(refusal)),
        }
    }

    /// Whether there is anything to be done.
    fn may_become(&self, authority: Authority, id: &SessionId, class: SessionClass) -> Result<bool, Refusal> {
        let session = self.sessions.get(id);
        let session = session.ok_or_else(|| Refusal::NoSuchSession { session: id.to_string() })?;
        authority.permits(Action::Describe, session.uid(), |_| false)?;
        let refuse = |message: &str| {
            Err(Refusal::InvalidParameter { parameter: "class".to_owned(), message: message.to_owned() })
        };
        match (class, session.params.class) {
            (SessionClass::User, SessionClass::User) => Ok(false),
            (SessionClass::User, SessionClass::UserIncomplete) if session.phase == Phase::Running => Ok(true),
            (SessionClass::User, SessionClass::UserIncomplete) => {
                Err(Refusal::Failed { message: format!("session {id} is not open") })
            }
            (SessionClass::User, _) => refuse("Only sessions of class 'user-incomplete' change their class."),
            _ => refuse("A session's class can be changed to 'user' only."),
        }
    }

    fn upgrade(&mut self, request: RequestId, id: &SessionId, out: &mut Out) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.params.class = SessionClass::User;
        session.waiting = Some(Waiting { request, asked: Asked::Upgrade });
        let uid = session.params.uid;
        if let Some(user) = self.users.get_mut(&uid) {
            user.wanting_manager += usize::from(session.wants_manager());
            user.try_again(session.wants_manager());
        }
        self.dirty_sessions.insert(id.clone());
        self.stale_users.insert(uid);
        self.tell_session(id, vec![SessionProperty::Class(SessionClass::User)], out);
        self.rank_changed(id, out);
        self.touch_user(uid);
        self.settle_later(id);
    }
}
