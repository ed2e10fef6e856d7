//! org.freedesktop.login1 on the system bus: a facade over the same model that the socket serves. The bus may come, go and come
//! back; sessions do not notice.
//!
//! Objects are not registered anywhere: a call is for whatever its path names at that moment, as the model has it, so
//! that a login costs the bus two signals and nothing else, and `self` and `auto` can be somebody else for every caller.
//! What there is to call is one table, [`interfaces`]; introspection, the check of arguments and the order of properties
//! come from it.

mod address;
pub(crate) mod bus;
mod call;
mod caller;
mod create;
mod dispatch;
mod failure;
mod identity;
mod interfaces;
mod introspect;
mod link;
mod log_control;
mod manager;
mod path;
mod places;
mod polkit;
mod power;
mod properties;

mod queue;
mod seat;
mod session;
mod signals;
mod standard;
mod standing;
mod systemd1;
mod user;
mod values;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};
use usher_model::Now;
use zbus::Connection;

use polkit::Polkit;
pub(crate) use standing::Standing;

use crate::socket::Service;
use crate::sys::appearance::Appearance;
use crate::sys::clock;

/// How often a bus whose socket is there but that does not answer is tried again, before it is waited for: one that is just
/// being started.
const ATTEMPTS: [u64; 6] = [5, 20, 50, 100, 200, 400];

/// What the facade knows, whichever bus it is on.
pub(crate) struct Facade {
    service: Service,
    polkit: Polkit,
    /// When usherd was started.
    start: Now,
}

/// Serves the bus for ever: whenever there is one. What it takes to wait for one is there when this returns.
pub(crate) fn start(service: Service) {
    let facade = Arc::new(Facade { service, polkit: Polkit::default(), start: clock::now() });
    let watch = watch();
    tokio::spawn(async move {
        let mut watch = watch;
        while let Some(changes) = watch {
            if let Some(connection) = connect().await {
                tokio::select! {
                    () = link::serve(connection, &facade) => {}
                    never = serve_systemd1(&facade) => match never {},
                }
                info!(
                    "the system bus has gone; sessions go on, org.freedesktop.login1 is back as soon as it is"
                );
            } else if changes.wait().await.is_err() {
                return;
            }
            watch = self::watch();
        }
    });
}

fn watch() -> Option<Appearance> {
    let watch = Appearance::of(&address::socket());
    if let Err(error) = &watch {
        warn!("cannot wait for the system bus, org.freedesktop.login1 is not served: {error}");
    }
    watch.ok()
}

/// The other name, where it is usherd's to have, for as long as there is the bus.
async fn serve_systemd1(facade: &Arc<Facade>) -> Infallible {
    while systemd1::is_served()
        && let Some(connection) = connect().await
    {
        link::serve_systemd1(connection, facade).await;
    }
    std::future::pending().await
}

async fn connect() -> Option<Connection> {
    for delay in ATTEMPTS {
        match bus::connect().await {
            Ok(connection) => return Some(connection),
            Err(error) if is_absent(&error) => return None,
            Err(error) => debug!(%error, "cannot connect to the system bus"),
        }
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    None
}

/// There is no socket, so nothing to wait for but its coming.
fn is_absent(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(error) if error.kind() == std::io::ErrorKind::NotFound)
}
