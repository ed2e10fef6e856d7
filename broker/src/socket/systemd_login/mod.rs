//! io.systemd.Login: what pam_systemd calls since version 258 (contract/pam.md section 7), beside usher's own interface and
//! under the same limits. Its socket is [`SOCKET_PATH`]; a module that does not find it there uses D-Bus.

mod error;
mod messages;
mod process;

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::UnixStream;
use tracing::{debug, info};
use usher_model::{Action, Answer, Event, Model, check_access};
use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::messages::Nothing;
use usher_protocol::wire::Request;

use self::error::LoginError;
pub(crate) use self::messages::INTERFACE;
use self::messages::{Call, CreateSession, Created};
use super::Service;
use super::connection::Replies;
use super::peer::Peer;
use crate::inbox::shutting_down;
use crate::opening::{OpenError, Opened, Whereabouts, Wish};
use crate::sys::pidfd;

/// Where pam_systemd looks for it.
pub(crate) const SOCKET_PATH: &str = "/run/systemd/io.systemd.Login";
/// The name of the interface of errors that systemd's services have in common.
pub(crate) const COMMON_INTERFACE: &str = "io.systemd";

/// The description of an interface that is described here.
pub(crate) fn describe(interface: &str) -> Option<&'static str> {
    match interface {
        INTERFACE => Some(include_str!("io.systemd.Login.varlink")),
        COMMON_INTERFACE => Some(include_str!("io.systemd.varlink")),
        _ => None,
    }
}

/// The name of a method of this interface, without the interface's.
pub(super) fn method_of(request: &Request) -> Option<&str> {
    request.method.strip_prefix(INTERFACE)?.strip_prefix('.')
}

/// Answers one call.
pub(super) async fn answer(
    method: &str,
    request: &Request,
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    let result = match Call::parse(method, request.parameters.as_deref()) {
        Ok(Call::CreateSession(call)) => return create(*call, peer, service, replies).await,
        Ok(Call::ReleaseSession(id)) => release(id, peer, passed, service, replies).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => replies.reply(&Nothing {}, false).await,
        Err(error) => refuse(error, peer.uid, replies).await,
    }
}

async fn refuse(error: LoginError, caller: Uid, replies: &mut Replies<'_>) -> io::Result<()> {
    debug!(%caller, ?error, "call of io.systemd.Login refused");
    replies.refuse_by(&error).await
}

async fn create(
    call: CreateSession,
    peer: &Peer,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    // A login that has given up, because this usherd hung, goes on without a session: it is to have none.
    if replies.peer_has_gone() {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    let opened = match open(call, peer, service, replies.stream()).await {
        Ok(opened) => opened,
        Err(error) => return refuse(error, peer.uid, replies).await,
    };
    let id = opened.id.clone();
    if let Err(error) = replies.reply(&Created::from(opened), false).await {
        service.opener().take_back(id).await;
        return Err(error);
    }
    replies.tells_of(Some(id));
    Ok(())
}

async fn open(
    call: CreateSession,
    peer: &Peer,
    service: &Service,
    stream: &UnixStream,
) -> Result<Opened, LoginError> {
    // Before anybody's process is looked at.
    check_access(peer.uid, Action::Open, Uid::ROOT)?;
    let user = call.uid;
    service.headroom.check(peer.room, peer.uid)?;
    let leader = process::pidfd_of(&call.process, peer, stream)?;
    if !call.extra_device_access.is_empty() {
        info!(uid = user, "a login asks for access to devices, which usherd does not give");
    }
    let wish = Wish {
        uid: call.uid,
        service: call.service,
        kind: Some(call.kind),
        class: Some(call.class),
        desktop: call.desktop,
        seat: call.seat,
        vtnr: call.vtnr,
        tty: call.tty,
        display: call.display,
        remote: call.remote,
        remote_user: call.remote_user,
        remote_host: call.remote_host,
    };
    service.opener().open(wish, leader, peer.uid).await.map_err(|error| {
        // The errors of this interface say nothing but their names.
        if error != OpenError::AlreadyMember {
            info!(uid = user, "a login over {INTERFACE} gets no session: {error}");
        }
        error.into()
    })
}

/// Only from within the session (contract/dbus.md section 5).
async fn release(
    id: Option<String>,
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    replies: &Replies<'_>,
) -> Result<(), LoginError> {
    let wanted =
        id.map(|id| id.parse::<SessionId>()).transpose().map_err(|_| LoginError::NoSuchSession {})?;
    let own = session_of(peer, passed, service, replies.stream()).await?;
    let session = own.ok_or(LoginError::NoSuchSession {})?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != session) {
        let known = service.broker.query(move |model| model.knows_session(&wanted)).await?;
        return Err(if known { LoginError::PermissionDenied {} } else { LoginError::NoSuchSession {} });
    }
    let make = move |request| Event::ReleaseSession { request, session };
    match service.broker.request(None, make).await.recv().await {
        Some(Answer::Done | Answer::Opened { .. }) => Ok(()),
        Some(Answer::Refused(refusal)) => Err(refusal.into()),
        None => Err(shutting_down().into()),
    }
}

/// The session that the peer is in.
async fn session_of(
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    stream: &UnixStream,
) -> Result<Option<SessionId>, LoginError> {
    // By its number alone somebody else's session might be released, long after the peer has gone.
    let leader = match peer.leader(stream, passed) {
        Ok(leader) => leader,
        Err(_) => return Ok(None),
    };
    let place = Whereabouts::ask(&leader, &service.broker, service.cgroups.as_ref()).await?;
    if pidfd::has_exited(&leader.pidfd) {
        return Ok(None);
    }
    // A leader may be without a cgroup of its own.
    let own = move |model: &Model| {
        let inside = place.inside.filter(|id| model.knows_session(id));
        inside.or_else(|| model.session_led_by(leader.process))
    };
    Ok(service.broker.query(own).await?)
}
