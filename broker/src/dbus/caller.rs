//! Who calls: what the bus says of a connection, and where the kernel says that its process is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use usher_protocol::ids::Uid;
use zbus::Connection;
use zbus::fdo::ConnectionCredentials;
use zbus::names::OwnedUniqueName;

use super::bus;
use super::failure::Failure;

/// How many connections' credentials are remembered. Who calls when there are as many is asked after anew.
const REMEMBERED: usize = 1024;

/// A connection's process, as it was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its effective user: who may do what is decided by this.
    pub(crate) uid: Uid,
    /// Its process id, for looking at its cgroup; somebody else's, perhaps, once it has gone. 0 if the bus does not know.
    pub(crate) pid: u32,
}

/// What is known of the bus's connections. A name is never given to another one as long as the bus lives, and the process
/// behind it stays the same: nothing remembered here grows old.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    known: Mutex<BTreeMap<OwnedUniqueName, Arc<OnceCell<Caller>>>>,
}

impl Callers {
    /// Who is behind a name: asked of the bus once.
    ///
    /// # Errors
    /// It has left the bus, or the bus does not say which user it is.
    pub(crate) async fn find(&self, bus: &Connection, name: &OwnedUniqueName) -> Result<Caller, Failure> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED && !known.contains_key(name) {
                known.clear();
            }
            known.entry(name.clone()).or_default().clone()
        };
        cell.get_or_try_init(|| ask(bus, name)).await.copied()
    }
}

async fn ask(bus: &Connection, name: &OwnedUniqueName) -> Result<Caller, Failure> {
    let unknown = || Failure::denied("The bus does not say who calls");
    let reply = bus::call(bus, "GetConnectionCredentials", &(name.as_str(),)).await.map_err(|_| unknown())?;
    let body = reply.body();
    let credentials: ConnectionCredentials = body.deserialize().map_err(|_| unknown())?;
    let uid = credentials.unix_user_id().and_then(|uid| Uid::try_from(uid).ok()).ok_or_else(unknown)?;
    Ok(Caller { uid, pid: credentials.process_id().unwrap_or_default() })
}
