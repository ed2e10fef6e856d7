//! A logout: by what right, and by whom.

use std::io;
use std::os::fd::OwnedFd;

use usher_model::{Authority, Event, Model};
use usher_protocol::messages::{CloseRequest, Refusal};

use super::Service;
use super::calls::forward_as_things_are;
use super::connection::Replies;
use super::peer::Peer;

/// Answers one `CloseSession`.
pub(crate) async fn close(
    request: CloseRequest,
    peer: &Peer,
    passed: Option<OwnedFd>,
    service: &Service,
    replies: &mut Replies<'_>,
) -> io::Result<()> {
    let authority = match authority(&request, peer, service).await {
        Ok(authority) => authority,
        Err(refusal) => return replies.refuse(&refusal).await,
    };
    // A process that cannot be told for sure stays where it is; the logout is none the worse for that.
    let pidfd = authority.frees_the_closer().then(|| peer.pidfd(replies.stream(), passed).ok()).flatten();
    let (session, peer) = (request.session, peer.clone());
    let make = move |request, model: &Model| {
        let closer = pidfd.and_then(|pidfd| match model.leader_of(&session) {
            // Mostly. As long as nobody has heard of its leader's end, the number is that leader's.
            Some(leader) if leader.pid == peer.pid && !leader.is_hidden() => Some(leader),
            _ => peer.identified(pidfd).ok().map(|closer| closer.process),
        });
        Event::Close { request, authority, session, closer }
    };
    forward_as_things_are(&service.broker, replies, make).await
}

/// A token adds to what the peer may do anyway; a wrong one adds nothing, and is not told from none.
async fn authority(request: &CloseRequest, peer: &Peer, service: &Service) -> Result<Authority, Refusal> {
    let caller = Authority::Caller(peer.uid);
    let Some(token) = request.token.as_ref().filter(|_| !peer.uid.is_root()) else { return Ok(caller) };
    let id = request.session.clone();
    let since = service.broker.query(move |model: &Model| model.opened_at(&id)).await?;
    let right = since.is_some_and(|since| service.tokens.is_right(token, &request.session, since));
    Ok(if right { Authority::Token } else { caller })
}
