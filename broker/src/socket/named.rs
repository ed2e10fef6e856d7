//! Sessions, users and seats as callers name them: by id, or by the words `self` and `auto` (contract/dbus.md section 1).

use std::collections::BTreeMap;

use usher_model::Model;
use usher_protocol::ids::{SeatId, SessionId, Uid};
use usher_protocol::messages::{
    Refusal, SeatList, SeatReply, SeatSelector, SeatView, SessionReply, SessionSelector, SessionView,
    UserList, UserReply,
};

use super::Service;
use super::peer::Peer;
use crate::belonging::Belonging;
use crate::inbox::Broker;
use crate::sys::{idle, pidfd};

/// The session that a caller names; nothing is `self`.
pub(super) async fn session(
    selector: SessionSelector,
    peer: &Peer,
    service: &Service,
) -> Result<SessionReply, Refusal> {
    let broker = &service.broker;
    let name = selector.session.unwrap_or_default();
    let mut session = match name.as_str() {
        "" | "self" | "auto" => {
            let caller = caller(peer, service);
            let look = move |model: &Model| own_session(&caller, model, name == "auto");
            broker.query(look).await?.ok_or(Refusal::NoSessionForCaller {})?
        }
        _ => {
            let unknown = Refusal::NoSuchSession { session: printable(&name) };
            let Ok(id) = name.parse::<SessionId>() else { return Err(unknown) };
            broker.query(move |model| model.session(&id)).await?.ok_or(unknown)?
        }
    };
    idle::fill_in(&mut session);
    Ok(SessionReply { session })
}

/// A user. What a manager says may be private: it is for root and the user alone.
pub(super) async fn user(uid: Uid, caller: Uid, service: &Service) -> Result<UserReply, Refusal> {
    let look = move |model: &Model| {
        let user = model.user(uid)?;
        let sessions: Vec<_> = user.sessions.iter().filter_map(|id| model.session(id)).collect();
        Some((user, sessions))
    };
    let (mut user, sessions) =
        service.broker.query(look).await?.ok_or(Refusal::NoSuchUser { uid: uid.get() })?;
    idle::fill_in_user(&mut user, &sessions);
    user.manager_since = user.manager_pid.and_then(pidfd::running_since).unwrap_or(0);
    if caller == uid || caller == Uid::ROOT {
        user.manager_log = service.words.last(uid);
    }
    Ok(UserReply { user })
}

/// Every user.
pub(super) async fn users(broker: &Broker) -> Result<UserList, Refusal> {
    let (mut users, sessions) = broker.query(|model| (model.users(), model.sessions())).await?;
    let mut of_users: BTreeMap<Uid, Vec<&SessionView>> = BTreeMap::new();
    for session in &sessions {
        of_users.entry(session.uid).or_default().push(session);
    }
    for user in &mut users {
        let sessions = of_users.remove(&user.uid).unwrap_or_default();
        idle::fill_in_user(user, sessions);
    }
    Ok(UserList { users })
}

/// The seat that a caller names; nothing is `auto`, and an empty name `self`.
pub(super) async fn seat(
    selector: SeatSelector,
    peer: &Peer,
    service: &Service,
) -> Result<SeatReply, Refusal> {
    let broker = &service.broker;
    let name = selector.seat.unwrap_or_else(|| "auto".to_owned());
    let seen = match name.as_str() {
        "" | "self" | "auto" => {
            let caller = caller(peer, service);
            let look = move |model: &Model| {
                let session =
                    own_session(&caller, model, name == "auto").ok_or(Refusal::NoSessionForCaller {})?;
                let seat = session.seat.as_ref().and_then(|id| model.seat(id));
                let message = || format!("Session '{}' has no seat.", session.id);
                seat.map(|seat| Seen::of(model, seat))
                    .ok_or_else(|| Refusal::NotSupported { message: message() })
            };
            broker.query(look).await??
        }
        _ => {
            let unknown = Refusal::NoSuchSeat { seat: printable(&name) };
            let Ok(id) = name.parse::<SeatId>() else { return Err(unknown) };
            let look = move |model: &Model| model.seat(&id).map(|seat| Seen::of(model, seat));
            broker.query(look).await?.ok_or(unknown)?
        }
    };
    Ok(SeatReply { seat: seen.complete() })
}

/// Every seat.
pub(super) async fn seats(broker: &Broker) -> Result<SeatList, Refusal> {
    let look =
        |model: &Model| -> Vec<_> { model.seats().into_iter().map(|seat| Seen::of(model, seat)).collect() };
    let seats = broker.query(look).await?.into_iter().map(Seen::complete).collect();
    Ok(SeatList { seats })
}

/// Who asks, for the words that depend on it: the peer's own user counts where its cgroup is nobody's.
fn caller(peer: &Peer, service: &Service) -> Belonging {
    Belonging::of(peer.pid, service.cgroups.as_deref()).or_of(peer.uid)
}

/// The caller's session, and if there is none, perhaps the one that stands for the caller's user.
fn own_session(caller: &Belonging, model: &Model, or_display: bool) -> Option<SessionView> {
    let id = if or_display { caller.session_or_display(model) } else { caller.session(model) };
    id.and_then(|id| model.session(&id))
}

/// A seat and its sessions at one moment.
struct Seen {
    seat: SeatView,
    sessions: Vec<SessionView>,
}

impl Seen {
    fn of(model: &Model, seat: SeatView) -> Self {
        let sessions = seat.sessions.iter().filter_map(|id| model.session(id)).collect();
        Self { seat, sessions }
    }

    fn complete(self) -> SeatView {
        let Self { mut seat, sessions } = self;
        idle::fill_in_seat(&mut seat, &sessions);
        seat
    }
}

/// What somebody asked for, as it may stand in an answer and a log.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
