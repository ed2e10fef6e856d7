//! CreateSession, whichever way it comes: by D-Bus from pam_systemd up to version 257 (contract/dbus.md section 4), by
//! varlink from later ones (contract/pam.md section 7). These callers name a leader, which need not be themselves, and of the
//! user only the uid.

mod error;
mod leader;
mod wish;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use usher_model::{Account, Action, Answer, Authority, Event, Model, Open, check_access};
use usher_protocol::ids::{SeatId, SessionId, Uid, VtNr};
use usher_protocol::messages::Refusal;
use usher_protocol::session::{SessionClass, SessionType};

pub(crate) use error::OpenError;
pub(crate) use leader::{Leader, Whereabouts};
pub(crate) use wish::{Wish, session_class, session_type};

use crate::inbox::{Broker, shutting_down};
use crate::lookups::Lookups;
use crate::sys::accounts::LookupError;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::{mount, pidfd};

/// How long the name service may take for the first login of a user; callers wait for two minutes altogether.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// What it takes to open a session.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) broker: Broker,
    pub(crate) lookups: Lookups,
    /// Where sessions have their cgroups; without, nesting is told by descent.
    pub(crate) cgroups: Option<Arc<CgroupRoot>>,
}

/// A session that is open: its manager is ready, or has been waited for long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) id: SessionId,
    pub(crate) uid: Uid,
    /// Where the runtime directory is, if there is one: logind says so either way.
    pub(crate) runtime_path: String,
    /// As far as the kernel agrees with what was asked for.
    pub(crate) seat: Option<SeatId>,
    pub(crate) vtnr: Option<VtNr>,
    pub(crate) kind: SessionType,
    pub(crate) class: SessionClass,
}

/// What the model knows that has to do with a wish.
struct Known {
    /// The leader leads a session, or is in one.
    busy: bool,
    /// Whether the seat has virtual terminals; `None`: there is no such seat.
    has_vts: Option<bool>,
    account: Option<Account>,
}

impl Opener {
    /// Opens a session for the process that a pidfd stands for; returns when it is settled. Nothing has changed after an error, except after
    /// [`OpenError::Failed`] for a session that has ended at once.
    ///
    /// A caller that goes away meanwhile does not end the session; [`Self::take_back`] does.
    ///
    /// # Errors
    /// Why there is no session.
    pub(crate) async fn open(&self, wish: Wish, leader: OwnedFd, caller: Uid) -> Result<Opened, OpenError> {
        let uid = Uid::try_from(wish.uid).map_err(|error| OpenError::invalid("UID", error.to_string()))?;
        // Nobody else's processes are worth a look.
        check_access(caller, Action::Open, uid)?;
        let seat = wish.seat()?;
        let leader = Leader::of(leader)?;
        let mut place = self.whereabouts(&leader).await?;
        let known = self.known(&leader, &place, &wish.service, seat.clone(), uid).await?;
        let has_vts = known.has_vts.ok_or_else(|| OpenError::NoSuchSeat(wish.seat.clone()))?;
        let vtnr = wish.vt(seat.as_ref(), has_vts)?;
        if known.busy {
            return Err(OpenError::AlreadyMember);
        }
        let account = match known.account {
            Some(account) => account,
            None => {
                let account = self.look_up(uid, caller).await?;
                // That may have taken long.
                place = self.whereabouts(&leader).await?;
                account
            }
        };
        let params = wish.into_request(account, seat, vtnr);
        params.validate()?;
        let (kind, class) = (params.kind, params.class);
        let console = leader.console(&params);
        let Leader { process: leader, pidfd } = leader;
        let Whereabouts { origin, shared, inside, audit } = place;
        let make = move |request| {
            // Here, in the loop: nobody makes or removes one between this look and what is decided by it.
            let runtime = mount::at_path(uid);
            let more = false;
            let open = Open {
                request,
                more,
                caller,
                leader,
                inside,
                origin,
                shared,
                console,
                audit,
                runtime,
                params,
            };
            Event::Open(Box::new(open))
        };
        match self.broker.request(Some(pidfd), make).await.recv().await {
            Some(Answer::Opened { reply, .. }) => {
                let id = reply.session.ok_or(OpenError::AlreadyMember)?;
                let (seat, vtnr, class) = (reply.seat, reply.vtnr, reply.class.unwrap_or(class));
                Ok(Opened { id, uid, runtime_path: uid.runtime_path(), seat, vtnr, kind, class })
            }
            Some(Answer::Refused(refusal)) => Err(refusal.into()),
            Some(Answer::Done) | None => Err(shutting_down().into()),
        }
    }

    /// Closes a session that whoever asked for it does not know of, so that nobody else would before its leader's end.
    pub(crate) async fn take_back(&self, session: SessionId) {
        let authority = Authority::Caller(Uid::ROOT);
        let close = move |request| Event::Close { request, authority, session, closer: None };
        self.broker.request(None, close).await;
    }

    async fn whereabouts(&self, leader: &Leader) -> Result<Whereabouts, OpenError> {
        let place = Whereabouts::ask(leader, &self.broker, self.cgroups.as_ref()).await?;
        if pidfd::has_exited(&leader.pidfd) {
            return Err(OpenError::NoSuchProcess(
                "the process that is to lead the session has gone".to_owned(),
            ));
        }
        Ok(place)
    }

    async fn known(
        &self,
        leader: &Leader,
        place: &Whereabouts,
        service: &str,
        seat: Option<SeatId>,
        uid: Uid,
    ) -> Result<Known, Refusal> {
        let (process, inside, service) = (leader.process, place.inside.clone(), service.to_owned());
        let look = move |model: &Model| Known {
            busy: model.session_led_by(process).is_some()
                || inside.as_ref().is_some_and(|id| model.knows_session(id)) && !model.nests(&service),
            has_vts: match &seat {
                Some(seat) => model.seat(seat).map(|seat| seat.can_tty),
                None => Some(false),
            },
            account: model.account(uid).cloned(),
        };
        self.broker.query(look).await
    }

    /// The account of a user who is not here yet.
    async fn look_up(&self, uid: Uid, caller: Uid) -> Result<Account, OpenError> {
        self.lookups.find(uid, caller, LOOKUP_TIMEOUT).await.map_err(|error| match error {
            LookupError::NoSuchUser => OpenError::NoSuchProcess(format!("there is no user with uid {uid}")),
            error => OpenError::Failed(format!("cannot look up the user with uid {uid}: {error}")),
        })
    }
}
