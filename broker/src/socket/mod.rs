//! The varlink server at `/run/usher/broker`: who listens, who may connect, what each call means. No logic: calls
//! become events and questions for the model.

mod calls;
mod closing;
mod connection;
mod guests;
mod headroom;
mod listener;
mod peer;
mod token;

use std::sync::Arc;

use tokio::net::UnixListener;
use tracing::{debug, warn};

use crate::inbox::Broker;
use crate::lookups::Lookups;
use crate::memory::Memory;
use crate::sys::cgroup::CgroupRoot;
pub(crate) use guests::Guests;
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
    /// Size and number of inodes of a runtime directory.
    pub(crate) runtime_limits: (u64, u64),
}

/// Takes connections for ever.
pub(crate) async fn serve(listener: UnixListener, service: Service) {
    let mut failing = false;
    loop {
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
        let room = service.headroom.now(&stream);
        match Peer::of(&stream, room) {
            Ok(peer) => {
                let service = service.clone();
                let memory = service.memory.clone();
                tokio::spawn(async move {
                    let uid = peer.uid;
                    if let Err(error) = connection::serve(stream, peer, service).await {
                        debug!(%uid, %error, "connection ended");
                    }
                    memory.ended(1);
                });
            }
            Err(error) => debug!(%error, "peer went away before it was known"),
        }
    }
}
