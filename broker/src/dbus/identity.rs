//! Which bus it was: names of connections mean something on one bus only, and the next one gives the same names to others.

use std::fs;

use tracing::debug;
use zbus::Connection;

use super::bus;

/// The id of the bus that was connected to last (D-Bus specification, GetId).
const PATH: &str = "/run/usher/bus";

/// Whether this is the bus that an earlier connection, perhaps of an earlier usherd, was to; notes it, if it is another one.
pub(crate) async fn is_the_one_on_file(bus: &Connection) -> bool {
    let Ok(reply) = bus::call(bus, "GetId", &()).await else { return false };
    let body = reply.body();
    let Ok(id) = body.deserialize::<&str>() else { return false };
    if fs::read_to_string(PATH).is_ok_and(|known| known == id) {
        return true;
    }
    if let Err(error) = fs::write(PATH, id) {
        debug!(%error, "cannot note the bus's id in {PATH}: who controls sessions is not known after a restart");
    }
    false
}
