//! The values of properties, in the types that `interfaces` declares.

mod manager;
mod seat;
mod session;
mod user;

use serde::ser::{Serialize, SerializeMap, Serializer};
use usher_protocol::ids::{SeatId, SessionId};
use zbus::{OwnedObjectPath, Signature, Type, Variant};

use super::interfaces::Interface;
use super::path;

pub(crate) use manager::Manager;

/// Something that has properties.
pub(crate) trait Properties {
    /// A property's value, by name; `None` if there is no such property.
    fn value(&self, name: &str) -> Option<Variant<'static>>;
}

/// The values of all properties that an interface shows, in its order: the answer to GetAll.
pub(crate) fn all(interface: &Interface, object: &dyn Properties) -> Dictionary {
    Dictionary(interface.shown().filter_map(|one| Some((one.name, object.value(one.name)?))).collect())
}

/// Names and values, `a{sv}`, in the order in which they were put in.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Dictionary(pub(crate) Vec<(&'static str, Variant<'static>)>);

impl Type for Dictionary {
    const SIGNATURE: &'static Signature = &Signature::static_dict(&Signature::Str, &Signature::Variant);
}

impl Serialize for Dictionary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A text as the bus can carry it. A NUL byte in it would be no error here, but the bus daemon takes it for a broken
/// connection (D-Bus specification, "Marshaling": strings). Logins with one are refused; this is for what comes from files.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A session's id and path; `("", "/")` for none.
pub(super) fn session_or_none(id: Option<&SessionId>) -> (String, OwnedObjectPath) {
    id.map_or_else(|| (String::new(), path::nowhere()), |id| (id.to_string(), path::path_of_session(id)))
}

/// A seat's id and path; `("", "/")` for none.
fn seat_or_none(id: Option<&SeatId>) -> (String, OwnedObjectPath) {
    id.map_or_else(|| (String::new(), path::nowhere()), |id| (id.to_string(), path::path_of_seat(id)))
}

/// Ids and paths, `a(so)`.
fn list_of_sessions(ids: &[SessionId]) -> Vec<(String, OwnedObjectPath)> {
    ids.iter().map(|id| session_or_none(Some(id))).collect()
}

#[cfg(test)]
mod tests;
