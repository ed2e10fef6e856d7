//! Connecting to the bus, and owning names on it.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tracing::{info, warn};
use zbus::connection::Builder;
use zbus::message::Message;
use zbus::names::OwnedUniqueName;
use zbus::{Connection, DynamicType};

use super::address;

/// What logind is called.
pub(crate) const LOGIN1: &str = "org.freedesktop.login1";
/// What PID 1 is called where that is systemd.
pub(crate) const SYSTEMD1: &str = "org.freedesktop.systemd1";
/// The bus itself.
const DBUS: &str = "org.freedesktop.DBus";

/// How long the bus may take for its own part of anything.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long it is waited for at usherd's start. A bus that hangs keeps nobody from logging in.
const PATIENCE_AT_START: Duration = Duration::from_millis(500);
/// How many messages zbus keeps before it stops reading.
const RECEIVE_QUEUE: usize = 256;

/// Connects, if there is a bus.
///
/// # Errors
/// There is none, or it does not let usherd in.
pub(crate) async fn connect() -> zbus::Result<Connection> {
    let stream = UnixStream::connect(address::socket()).await?.into_std()?;
    let queue = RECEIVE_QUEUE.try_into().unwrap_or(std::num::NonZeroUsize::MIN);
    Builder::unix_stream(stream).max_queued(queue).build().await
}

/// Calls a method of the bus itself.
pub(crate) async fn call<B: Serialize + DynamicType>(
    bus: &Connection,
    method: &str,
    arguments: &B,
) -> zbus::Result<Message> {
    let call = bus.call_method(Some(DBUS), "/org/freedesktop/DBus", Some(DBUS), method, arguments);
    timeout(PATIENCE, call)
        .await
        .map_err(|_| zbus::Error::InputOutput(Arc::new(io::ErrorKind::TimedOut.into())))?
}

/// Refuses to run beside another broker that serves the bus. A bus that is not there, or does not answer soon, says nothing
/// against running.
///
/// # Errors
/// One does; the message says which and what to do.
pub(crate) async fn refuse_rival() -> anyhow::Result<()> {
    let Ok(Some(rival)) = timeout(PATIENCE_AT_START, find_rival()).await else { return Ok(()) };
    bail!(
        "{rival} owns the name {LOGIN1} on the system bus: it manages this machine's sessions; to use usher, first stop and \
         disable it (for systemd-logind: systemctl enable usherd && reboot)"
    );
}

async fn find_rival() -> Option<String> {
    let bus = connect().await.ok()?;
    rival(&bus).await
}

/// Who owns the name, if that is a process that lives: one that has just died has it for a moment still.
async fn rival(bus: &Connection) -> Option<String> {
    let owner = owner(bus, LOGIN1).await.ok()?;
    if bus.unique_name() == Some(&owner) {
        return None;
    }
    let rival = process(bus, &owner).await?;
    // usherd holds a lock that only one has: another one is dead, or about to be.
    let is_usherd = rival.starts_with("usherd ") || rival.starts_with("usherd-");
    (!is_usherd).then_some(rival)
}

/// Who owns a name.
///
/// # Errors
/// The bus's; nobody does, for instance.
pub(super) async fn owner(bus: &Connection, name: &str) -> zbus::Result<OwnedUniqueName> {
    let reply = call(bus, "GetNameOwner", &(name,)).await?;
    reply.body().deserialize()
}

/// Which process a connection is, in words, as long as that lives.
pub(super) async fn process(bus: &Connection, connection: &OwnedUniqueName) -> Option<String> {
    let reply = call(bus, "GetConnectionUnixProcessID", &(connection.as_str(),)).await.ok()?;
    let pid: u32 = reply.body().deserialize().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (process {pid})", name.trim_end()))
}

/// Owns the names, now or as soon as whoever has them lets go.
///
/// # Errors
/// The bus's: its policy does not permit it, for instance, where usher's is not installed.
pub(crate) async fn own_names(bus: &Connection, names: &[&str]) -> zbus::Result<()> {
    /// D-Bus specification, RequestName: others have the name, this connection is in the queue for it.
    const IN_QUEUE: u32 = 2;
    for name in names {
        let reply = call(bus, "RequestName", &(name, 0_u32)).await?;
        if reply.body().deserialize::<u32>()? != IN_QUEUE {
            info!("owns {name} on the system bus");
        } else if let Some(rival) = rival(bus).await {
            warn!("{rival} owns {name} on the system bus: usherd has it as soon as that one lets go");
        }
    }
    Ok(())
}
