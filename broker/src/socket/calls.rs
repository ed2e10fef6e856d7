//! What each call means: an event for the model, or a question to it.

use std::io;
use std::os::fd::OwnedFd;

use serde::Serialize;
use usher_model::{Action, Answer, Authority, Event, Model, Open, RequestId, check_access};
use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::interface;
use usher_protocol::messages::{
    Call, INTERFACE, InterfaceDescription, LingerRequest, ManagerReply, Nothing, Refusal, SERVICE_INTERFACE,
    ServiceInfo, SessionList, SessionRequest,
};

use super::connection::Replies;
use super::peer::Peer;
use super::{Service, closing, named, systemd_login};
use crate::inbox::{Broker, shutting_down};
use crate::opening::{Leader, Whereabouts};
use crate::sys::{idle, mount};

/// Answers one call.
pub(crate) async fn answer(
    call: Call,
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    let broker = &service.broker;
    let caller = peer.uid;
    let authority = Authority::Caller(caller);
    match call {
        Call::OpenSession(request) => open(*request, peer, passed, service, replies).await,
        Call::CloseSession(request) => closing::close(request, peer, passed, service, replies).await,
        Call::TerminateSession(arg) => {
            let make = move |request| Event::TerminateSession { request, authority, session: arg.session };
            forward(broker, replies, make).await
        }
        Call::TerminateUser(arg) => {
            let make = move |request| Event::TerminateUser { request, authority, uid: arg.uid };
            forward(broker, replies, make).await
        }
        Call::KillSession(arg) => match check_signal(arg.signal) {
            Err(refusal) => replies.refuse(&refusal).await,
            Ok(signal) => {
                let make = move |request| Event::KillSession {
                    request,
                    authority,
                    session: arg.session,
                    whom: arg.whom,
                    signal,
                };
                forward(broker, replies, make).await
            }
        },
        Call::KillUser(arg) => match check_signal(arg.signal) {
            Err(refusal) => replies.refuse(&refusal).await,
            Ok(signal) => {
                let make = move |request| Event::KillUser { request, authority, uid: arg.uid, signal };
                forward(broker, replies, make).await
            }
        },
        Call::TerminateSeat(arg) => {
            let make = move |request| Event::TerminateSeat { request, authority, seat: arg.seat };
            forward(broker, replies, make).await
        }
        Call::ActivateSession(arg) => {
            let make = move |request| Event::Activate { request, authority, session: arg.session };
            forward(broker, replies, make).await
        }
        Call::LockSession(arg) => lock(Some(arg.session), true, caller, broker, replies).await,
        Call::UnlockSession(arg) => lock(Some(arg.session), false, caller, broker, replies).await,
        Call::LockSessions => lock(None, true, caller, broker, replies).await,
        Call::UnlockSessions => lock(None, false, caller, broker, replies).await,
        Call::SetLinger(request) => set_linger(request, caller, service, replies).await,
        Call::ListSessions => {
            let sessions = broker.query(Model::sessions).await.map(|mut sessions| {
                sessions.iter_mut().for_each(idle::fill_in);
                SessionList { sessions }
            });
            finish(replies, sessions).await
        }
        Call::ListUsers => {
            let users = named::users(broker).await;
            finish(replies, users).await
        }
        Call::ListSeats => {
            let seats = named::seats(broker).await;
            finish(replies, seats).await
        }
        Call::GetSession(selector) => {
            let session = named::session(selector, peer, service).await;
            finish(replies, session).await
        }
        Call::GetSeat(selector) => {
            let seat = named::seat(selector, peer, service).await;
            finish(replies, seat).await
        }
        Call::GetUser(selector) => {
            let user = named::user(selector.uid.unwrap_or(caller), caller, service).await;
            finish(replies, user).await
        }
        Call::GetManager => {
            let manager = broker.query(Model::manager_view).await;
            finish(replies, manager.map(|manager| ManagerReply { manager })).await
        }
        Call::GetStatus => {
            let status = service.status.tell(caller).await;
            finish(replies, status).await
        }
        Call::GetInfo => replies.reply(&info(), false).await,
        Call::GetInterfaceDescription(arg) => {
            let description = interface::describe(&arg.interface)
                .or_else(|| systemd_login::describe(&arg.interface))
                .map(|text| InterfaceDescription { description: text.to_owned() })
                .ok_or(Refusal::InterfaceNotFound { interface: arg.interface });
            finish(replies, description).await
        }
    }
}

/// A login: what the peer says, and what the kernel says of the peer.
async fn open(
    params: SessionRequest,
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    // Nobody else's processes are worth a look.
    if let Err(refusal) = check_access(peer.uid, Action::Open, params.uid).and_then(|()| params.validate()) {
        return replies.refuse(&refusal).await;
    }
    // A login that has given up, because this usherd hung, goes on without a session: it is to have none.
    if replies.peer_has_gone() {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    if let Err(refusal) = service.headroom.check(peer.room, params.uid) {
        return replies.refuse(&refusal).await;
    }
    let leader = match peer.leader(replies.stream(), passed) {
        Ok(leader) => leader,
        Err(refusal) => return replies.refuse(&refusal).await,
    };
    let origin = leader.cgroup(service.cgroups.as_deref());
    let console = leader.console(&params);
    let Leader { process: leader, pidfd } = leader;
    let (caller, more, cgroups) = (peer.uid, replies.more(), service.cgroups.clone());
    let make = move |request, model: &Model| {
        let place = Whereabouts::of(leader, origin, model, cgroups.as_deref());
        let Whereabouts { origin, shared, inside, audit } = place;
        // Here, in the loop: nobody makes or removes one between this look and what is decided by it.
        let runtime = mount::at_path(params.uid);
        let open =
            Open { request, more, caller, leader, inside, origin, shared, console, audit, runtime, params };
        Event::Open(Box::new(open))
    };
    let mut answers = service.broker.request_as_things_are(Some(pidfd), make).await;
    let mut told = false;
    loop {
        match answers.recv().await {
            Some(Answer::Opened { mut reply, since, continues }) => {
                reply.token =
                    reply.session.as_ref().zip(since).map(|(id, since)| service.tokens.of(id, since));
                let session = reply.session.clone();
                if let Err(error) = replies.reply(&reply, continues).await {
                    let unknown = !told || replies.peer_has_read_nothing();
                    if let Some(session) = session.filter(|_| unknown) {
                        take_back(session, caller, &service.broker).await;
                    }
                    return Err(error);
                }
                if !continues {
                    replies.tells_of(session.filter(|_| !told));
                    return Ok(());
                }
                told = true;
            }
            Some(Answer::Done) => return replies.reply(&Nothing {}, false).await,
            Some(Answer::Refused(refusal)) => return replies.refuse(&refusal).await,
            None => return replies.refuse(&shutting_down()).await,
        }
    }
}

/// Closes a session that its login does not know of, so that nobody else would before its leader's end.
pub(super) async fn take_back(session: SessionId, caller: Uid, broker: &Broker) {
    let authority = Authority::Caller(caller);
    let close = move |request| Event::Close { request, authority, session, closer: None };
    broker.request(None, close).await;
}

/// A request with one plain answer.
pub(super) async fn forward(
    broker: &Broker,
    replies: &mut Replies<'_>,
    make: impl FnOnce(RequestId) -> Event + Send + 'static,
) -> io::Result<()> {
    forward_as_things_are(broker, replies, move |request, _| make(request)).await
}

/// The same for what depends on what the model knows.
pub(super) async fn forward_as_things_are(
    broker: &Broker,
    replies: &mut Replies<'_>,
    make: impl FnOnce(RequestId, &Model) -> Event + Send + 'static,
) -> io::Result<()> {
    match broker.request_as_things_are(None, make).await.recv().await {
        Some(Answer::Refused(refusal)) => replies.refuse(&refusal).await,
        Some(Answer::Done | Answer::Opened { .. }) => replies.reply(&Nothing {}, false).await,
        None => replies.refuse(&shutting_down()).await,
    }
}

/// Asks one session, or all that can be locked, to lock or unlock.
async fn lock(
    session: Option<SessionId>,
    lock: bool,
    caller: Uid,
    broker: &Broker,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    let authority = Authority::Caller(caller);
    forward(broker, replies, move |request| Event::Lock { request, authority, session, lock }).await
}

async fn finish<T: Serialize>(replies: &mut Replies<'_>, result: Result<T, Refusal>) -> io::Result<()> {
    match result {
        Ok(parameters) => replies.reply(&parameters, false).await,
        Err(refusal) => replies.refuse(&refusal).await,
    }
}

async fn set_linger(
    request: LingerRequest,
    caller: Uid,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    let broker = &service.broker;
    let uid = request.uid.unwrap_or(caller);
    // Before the look-up: nobody makes the broker ask the name service about others.
    if let Err(refusal) = check_access(caller, Action::SetLinger, uid) {
        return replies.refuse(&refusal).await;
    }
    let linger = request.linger;
    // For the name service, then perhaps for the disk.
    replies.hand_on();
    let lookup = replies.lookup().await;
    // Whoever asked may have been kept waiting for long.
    if replies.is_for_nobody() {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    let account = match service.lookups.account_for_linger(uid, linger, caller).await {
        Ok(account) => account,
        Err(refusal) => return replies.refuse(&refusal).await,
    };
    drop(lookup);
    let authority = Authority::Caller(caller);
    forward(broker, replies, move |request| Event::SetLinger { request, authority, account, linger }).await
}

/// The signals that there are (contract/dbus.md section 3: 0 is invalid).
fn check_signal(signal: i32) -> Result<i32, Refusal> {
    if (1..=64).contains(&signal) {
        return Ok(signal);
    }
    let message = format!("signal {signal} is not between 1 and 64");
    Err(Refusal::InvalidParameter { parameter: "signal".to_owned(), message })
}

fn info() -> ServiceInfo {
    ServiceInfo {
        vendor: "usher".to_owned(),
        product: "usherd".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: env!("CARGO_PKG_REPOSITORY").to_owned(),
        interfaces: [INTERFACE, systemd_login::INTERFACE, systemd_login::COMMON_INTERFACE, SERVICE_INTERFACE]
            .map(str::to_owned)
            .to_vec(),
    }
}
