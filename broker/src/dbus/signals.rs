//! Changes in the model as signals (contract/dbus.md sections 3 and 6 to 8). All are broadcast.

use serde::Serialize;
use usher_model::{Change, Idleness, SeatProperty, SessionProperty, UserProperty};
use usher_protocol::ids::SeatId;
use zbus::{Message, OwnedObjectPath, Type, Variant};

use super::interfaces::{Interface, MANAGER, PROPERTIES, SEAT, SESSION, USER};
use super::path::{self, path_of_seat, path_of_session, path_of_user};
use super::properties::{Dictionary, session_or_none, text};

/// The signal that tells of a change; none if nothing has changed that anybody is told of.
///
/// # Errors
/// What is to be told is longer than a message may be.
pub(crate) fn of(change: &Change) -> zbus::Result<Option<Message>> {
    let signal = match change {
        Change::UserNew(uid) => of_manager("UserNew", uid.get(), path_of_user(*uid))?,
        Change::UserRemoved(uid) => of_manager("UserRemoved", uid.get(), path_of_user(*uid))?,
        Change::SessionNew(id) => of_manager("SessionNew", id.as_str(), path_of_session(id))?,
        Change::SessionRemoved(gone) => {
            of_manager("SessionRemoved", gone.id.as_str(), path_of_session(&gone.id))?
        }
        Change::Lock(id) => Message::signal(path_of_session(id), SESSION.name, "Lock").build(&())?,
        Change::Unlock(id) => Message::signal(path_of_session(id), SESSION.name, "Unlock").build(&())?,
        Change::Session(id, changed) => {
            return properties_changed(&path_of_session(id), &SESSION, changed.iter().flat_map(of_session));
        }
        Change::User(uid, changed) => {
            return properties_changed(&path_of_user(*uid), &USER, changed.iter().flat_map(of_user));
        }
        Change::Seat(id, changed) => {
            return properties_changed(&path_of_seat(id), &SEAT, changed.iter().flat_map(of_seat));
        }
        Change::ManagerReady(_) => return Ok(None),
        Change::Idle(idleness) => return properties_changed(path::MANAGER, &MANAGER, idle(idleness)),
    };
    Ok(Some(signal))
}

/// The signal that tells of a seat that there is from now on. seat0 is there as soon as usherd is.
///
/// # Errors
/// As for [`of`].
pub(crate) fn seat_new(id: &SeatId) -> zbus::Result<Message> {
    of_manager("SeatNew", id.as_str(), path_of_seat(id))
}

/// A signal of the manager that names an object.
fn of_manager<Id: Serialize + Type>(name: &str, id: Id, path: OwnedObjectPath) -> zbus::Result<Message> {
    Message::signal(path::MANAGER, MANAGER.name, name).build(&(id, path))
}

type Changed = Vec<(&'static str, Variant<'static>)>;

/// The signal that tells of properties and their new values. Nobody is ever told only that a value is no longer right.
fn properties_changed(
    path: &str,
    interface: &Interface,
    changed: impl IntoIterator<Item = (&'static str, Variant<'static>)>,
) -> zbus::Result<Option<Message>> {
    let changed = Dictionary(changed.into_iter().collect());
    if changed.0.is_empty() {
        return Ok(None);
    }
    let invalidated: [&str; 0] = [];
    let body = (interface.name, changed, &invalidated[..]);
    Message::signal(path, PROPERTIES.name, "PropertiesChanged").build(&body).map(Some)
}

fn of_session(property: &SessionProperty) -> Changed {
    let (name, value) = match property {
        SessionProperty::Active(active) => ("Active", (*active).into()),
        SessionProperty::Kind(kind) => ("Type", kind.as_str().into()),
        SessionProperty::Class(class) => ("Class", class.as_str().into()),
        SessionProperty::Tty(tty) => ("TTY", text(tty).into()),
        SessionProperty::Display(display) => ("Display", text(display).into()),
        SessionProperty::LockedHint(locked) => ("LockedHint", (*locked).into()),
        SessionProperty::Idle(idleness) => return idle(idleness),
    };
    vec![(name, value)]
}

fn of_user(property: &UserProperty) -> Changed {
    match property {
        UserProperty::Display(display) => vec![("Display", session_or_none(display.as_ref()).into())],
        UserProperty::Idle(idleness) => idle(idleness),
    }
}

fn of_seat(property: &SeatProperty) -> Changed {
    match property {
        SeatProperty::ActiveSession(active) => {
            vec![("ActiveSession", session_or_none(active.as_ref()).into())]
        }
        SeatProperty::Idle(idleness) => idle(idleness),
    }
}

fn idle(idleness: &Idleness) -> Changed {
    vec![
        ("IdleHint", idleness.hint.into()),
        ("IdleSinceHint", idleness.since.into()),
        ("IdleSinceHintMonotonic", idleness.since_monotonic.into()),
    ]
}

#[cfg(test)]
mod tests;
