//! The varlink server at `/run/usher/broker` and `/run/systemd/io.systemd.Login`: who listens, who may connect, what each
//! call means. No logic: calls become events and questions for the model. Every socket has every interface.

mod calls;
mod closing;
mod connection;
mod guests;
mod headroom;
mod listener;
mod named;
mod peer;
mod systemd_login;
mod token;

use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};
use usher_protocol::wire::encode_error;

use crate::inbox::Broker;
use crate::lookups::Lookups;
use crate::manager::Words;
use crate::memory::Memory;
use crate::opening::Opener;
use crate::status::Status;
use crate::sys::cgroup::CgroupRoot;
pub(crate) use guests::Guests;
use guests::Place;
pub(crate) use headroom::Headroom;
pub(crate) use listener::{Lock, bind};
use peer::Peer;
pub(crate) use token::Tokens;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) broker: Broker,
    pub(crate) guests: Arc<Guests>,
    pub(crate) headroom: Headroom,
    pub(crate) lookups: Lookups,
    /// What closes a session.
    pub(crate) tokens: Tokens,
    pub(crate) memory: Memory,
    /// Where sessions have their cgroups; without, nesting is told by descent.
    pub(crate) cgroups: Option<Arc<CgroupRoot>>,
    /// What user managers say.
    pub(crate) words: Words,
    /// What usherd tells of itself.
    pub(crate) status: Status,
}

impl Service {
    /// What opens sessions for callers that know logind's way.
    pub(crate) fn opener(&self) -> Opener {
        let Self { broker, lookups, cgroups, .. } = self;
        Opener { broker: broker.clone(), lookups: lookups.clone(), cgroups: cgroups.clone() }
    }
}

/// So many connections are taken before everybody else has a turn, so that whoever floods a socket keeps neither the loop from
/// its work nor root from coming in at the other one.
const BURST: u32 = 16;

/// Takes connections for ever.
pub(crate) async fn serve(listener: UnixListener, service: Service) {
    let mut failing = false;
    let mut taken: u32 = 0;
    loop {
        taken = taken.wrapping_add(1);
        if taken.is_multiple_of(BURST) {
            tokio::task::yield_now().await;
        }
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The whole machine is out of descriptors or memory: others will free some.
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "cannot accept connections on the broker's socket, trying again until it works");
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        failing = false;
        let Some((peer, place)) = admit(&stream, &service) else { continue };
        let service = service.clone();
        let memory = service.memory.clone();
        tokio::spawn(async move {
            let uid = peer.uid;
            if let Err(error) = connection::serve(stream, peer, place, service).await {
                debug!(%uid, %error, "connection ended");
            }
            memory.ended(1);
        });
    }
}

/// Who has come, and a place; `None` if there is none, which is said.
fn admit(stream: &UnixStream, service: &Service) -> Option<(Peer, Place)> {
    let room = service.headroom.now(stream);
    let peer = match Peer::of(stream, room) {
        Ok(peer) => peer,
        Err(error) => {
            debug!(%error, "peer went away before it was known");
            return None;
        }
    };
    let room = service.headroom.check(room, peer.uid);
    match room.and_then(|()| service.guests.admit(peer.uid)) {
        Ok(place) => Some((peer, place)),
        Err(refusal) => {
            // A new connection has room for this much, unless its peer has gone.
            let _ = encode_error(&refusal).map(|frame| stream.try_write(&frame));
            None
        }
    }
}
