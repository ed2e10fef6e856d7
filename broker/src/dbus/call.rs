//! One method call: its arguments, who makes it, what it may do, its answer.

use std::sync::Arc;

use serde::Serialize;
use usher_model::{Action, Answer, Authority, Event, Model, RequestId, Verdict, judge};
use usher_protocol::ids::Uid;
use usher_protocol::messages::{Refusal, SeatView, SessionView, UserView};
use zbus::DynamicType;
use zbus::message::{Flags, Header, Message};
use zbus::names::OwnedUniqueName;
use zbus::wire::DynamicDeserialize;

use super::caller::Caller;
use super::failure::Failure;
use super::link::Link;
use super::path::{SeatName, SessionName, UserName};
use super::polkit::Decision;
use crate::belonging::Belonging;
use crate::inbox::shutting_down;

/// What a method gives.
pub(crate) type Reply = Result<Message, Failure>;

/// A method call.
pub(crate) struct Call {
    pub(crate) link: Arc<Link>,
    pub(crate) message: Message,
    pub(crate) sender: OwnedUniqueName,
    pub(crate) caller: Caller,
}

impl Call {
    pub(crate) fn header(&self) -> Header<'_> {
        self.message.header()
    }

    /// The arguments, whose types have been compared with the table.
    pub(crate) fn arguments<T>(&self) -> Result<T, Failure>
    where
        T: for<'a> DynamicDeserialize<'a>,
    {
        Ok(self.message.body().deserialize::<T>()?)
    }

    /// The answer with these values.
    pub(crate) fn reply<T: Serialize + DynamicType>(&self, values: &T) -> Reply {
        Ok(Message::method_return(&self.header()).build(values)?)
    }

    /// The answer without any.
    pub(crate) fn done(&self) -> Reply {
        self.reply(&())
    }

    /// Whether the caller agrees to its user being asked for a password: a flag of the message.
    pub(crate) fn is_interactive(&self) -> bool {
        self.header().primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH)
    }

    /// Asks the model something.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Model) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        Ok(self.link.facade.service.broker.query(look).await?)
    }

    /// Has the model do something that has one answer.
    pub(crate) async fn request(
        &self,
        make: impl FnOnce(RequestId) -> Event + Send + 'static,
    ) -> Result<(), Failure> {
        match self.link.facade.service.broker.request(None, make).await.recv().await {
            Some(Answer::Done | Answer::Opened { .. }) => Ok(()),
            Some(Answer::Refused(refusal)) => Err(refusal.into()),
            None => Err(shutting_down().into()),
        }
    }

    /// By what right the caller does something to what belongs to `owner`: the table's, or polkit's, which is asked without
    /// anybody else waiting for that. The model has the last word.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn authorize(
        &self,
        action: Action,
        owner: Uid,
        interactive: bool,
    ) -> Result<Authority, Failure> {
        let asks = match judge(self.caller.uid, action, owner) {
            Verdict::Allowed => return Ok(Authority::Caller(self.caller.uid)),
            Verdict::Denied(refusal) => return Err(refusal.into()),
            Verdict::Ask(asks) => asks,
        };
        let interactive = interactive || self.is_interactive();
        let who = (&*self.sender, self.caller.uid);
        match self.link.facade.polkit.check(&self.link.bus, who, asks, interactive).await {
            Decision::Granted => Ok(Authority::Polkit),
            Decision::Absent => Ok(Authority::Caller(self.caller.uid)),
            Decision::Denied => Err(Failure::denied("Access denied")),
            Decision::InteractiveRequired => Err(Failure::standard(
                "InteractiveAuthorizationRequired",
                "Interactive authentication required.",
            )),
            Decision::TooMany => {
                let message = "Too much is waiting for polkit to decide; try again";
                Err(Failure::standard("LimitsExceeded", message))
            }
        }
    }

    /// Whose a process is; 0 is the caller.
    pub(crate) fn belonging_of(&self, pid: u32) -> Belonging {
        let pid = if pid == 0 { self.caller.pid } else { pid };
        Belonging::of(pid, self.link.facade.service.cgroups.as_deref())
    }

    /// A session by its id or by who asks; nothing where that is none.
    pub(crate) async fn find_session(&self, name: &SessionName) -> Result<Option<SessionView>, Failure> {
        let (name, place) = match name {
            SessionName::Id(_) => (name.clone(), Belonging::default()),
            SessionName::Own | SessionName::Auto => (name.clone(), self.belonging_of(0)),
        };
        let look = move |model: &Model| {
            let id = match name {
                SessionName::Id(id) => Some(id),
                SessionName::Own => place.session(model),
                SessionName::Auto => place.session_or_display(model),
            };
            id.and_then(|id| model.session(&id))
        };
        self.query(look).await
    }

    /// The session that a method's argument names.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn session(&self, word: &str) -> Result<SessionView, Failure> {
        let unknown = || Failure::from(Refusal::NoSuchSession { session: printable(word) });
        let name = SessionName::parse(word).ok_or_else(unknown)?;
        let session = self.find_session(&name).await?;
        session.ok_or_else(|| match name {
            SessionName::Id(_) => unknown(),
            SessionName::Own => Failure::no_own_session(false),
            SessionName::Auto => Failure::no_own_session(true),
        })
    }

    /// A seat by its id or by who asks; nothing where that is none.
    pub(crate) async fn find_seat(&self, name: &SeatName) -> Result<Option<SeatView>, Failure> {
        let session = match name {
            SeatName::Id(id) => {
                let id = id.clone();
                return self.query(move |model| model.seat(&id)).await;
            }
            SeatName::Own => SessionName::Own,
            SeatName::Auto => SessionName::Auto,
        };
        let seat = self.find_session(&session).await?.and_then(|session| session.seat);
        self.query(move |model| seat.and_then(|id| model.seat(&id))).await
    }

    /// The seat that a method's argument names.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn seat(&self, word: &str) -> Result<SeatView, Failure> {
        let unknown = || Failure::from(Refusal::NoSuchSeat { seat: printable(word) });
        let name = SeatName::parse(word).ok_or_else(unknown)?;
        let session = match name {
            SeatName::Id(_) => return self.find_seat(&name).await?.ok_or_else(unknown),
            SeatName::Own => self.session("self").await?,
            SeatName::Auto => self.session("auto").await?,
        };
        let id = session.seat.ok_or_else(|| Failure::login1("NoSuchSeat", "Session has no seat."))?;
        self.query(move |model| model.seat(&id)).await?.ok_or_else(unknown)
    }

    /// A user by number or by who asks; nothing where that one is not tracked.
    pub(crate) async fn find_user(&self, name: UserName) -> Result<Option<UserView>, Failure> {
        let uid = match name {
            UserName::Uid(uid) => Some(uid),
            UserName::Own => self.belonging_of(0).owner,
        };
        self.query(move |model| uid.and_then(|uid| model.user(uid))).await
    }

    /// The user that a method's argument names.
    ///
    /// # Errors
    /// That user is not tracked.
    pub(crate) async fn user(&self, number: u32) -> Result<UserView, Failure> {
        let unknown = || Failure::from(Refusal::NoSuchUser { uid: number });
        let name = UserName::from_argument(number).ok_or_else(unknown)?;
        let user = self.find_user(name).await?;
        user.ok_or_else(|| match name {
            UserName::Uid(_) => unknown(),
            UserName::Own => Failure::no_user_for(self.caller.pid),
        })
    }
}

/// As much of a caller's word as is fit to be repeated.
pub(crate) fn printable(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// A signal that there is (contract/dbus.md section 3: 0 is invalid).
pub(crate) fn signal(number: i32) -> Result<i32, Failure> {
    if (1..=64).contains(&number) {
        Ok(number)
    } else {
        Err(Failure::invalid(format!("Invalid signal {number}")))
    }
}
