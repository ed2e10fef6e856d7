//! The interfaces that every object has: Peer, Introspectable and Properties (D-Bus specification, "Standard Interfaces").

use std::fs;

use usher_model::{Listed, Model};
use zbus::OwnedVariant;

use super::call::{Call, Reply, printable};
use super::dispatch::Target;
use super::failure::Failure;
use super::interfaces::{self, Interface, Property};
use super::path::{Children, Object, SeatName, SessionName, UserName, escape};
use super::{introspect, log_control, systemd1, values};

/// Whether an interface is one of these.
pub(super) fn has(interface: &Interface) -> bool {
    [&interfaces::PEER, &interfaces::INTROSPECTABLE, &interfaces::PROPERTIES].contains(&interface)
}

/// Answers one call of a standard interface.
pub(super) async fn answer(call: &Call, target: &Target, method: &str) -> Reply {
    match method {
        "Ping" | "GetMachineId" => answer_peer(call, method),
        "Introspect" => {
            let children = children(call, &target.object).await?;
            call.reply(&(introspect::document(&target.object, children.iter().map(String::as_str)),))
        }
        "Get" => {
            let (interface, name): (String, String) = call.arguments()?;
            let (_, property) = find(&target.object, &interface, &name)?;
            call.reply(&(values::get(call, target, property).await?,))
        }
        "GetAll" => {
            let (interface,): (String,) = call.arguments()?;
            call.reply(&(values::get_all(call, target, named(&target.object, &interface)?).await?,))
        }
        _ => set(call, target).await,
    }
}

/// Answers one call of the interface Peer.
pub(super) fn answer_peer(call: &Call, method: &str) -> Reply {
    if method == "Ping" { call.done() } else { call.reply(&(machine_id()?,)) }
}

fn machine_id() -> Result<String, Failure> {
    let read = fs::read_to_string("/etc/machine-id").map(|text| text.trim_end().to_owned());
    read.map_err(|error| Failure::standard("FileNotFound", format!("cannot read /etc/machine-id: {error}")))
}

/// The names of a node's children. The words that stand for something else for every caller are shown to whom they stand for
/// something.
async fn children(call: &Call, object: &Object) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    match object {
        Object::Intermediate(Children::Sessions) => {
            let label = |session: Listed<'_>| escape(session.id.as_str());
            let labels = move |model: &Model| model.list_sessions().map(label).collect::<Vec<_>>();
            names.extend(call.query(labels).await?);
            for (word, name) in [("self", SessionName::Own), ("auto", SessionName::Auto)] {
                if call.find_session(&name).await?.is_some() {
                    names.push(word.to_owned());
                }
            }
        }
        Object::Intermediate(Children::Users) => {
            let labels =
                |model: &Model| model.list_users().map(|(uid, _)| format!("_{uid}")).collect::<Vec<_>>();
            names.extend(call.query(labels).await?);
            if call.find_user(UserName::Own).await?.is_some() {
                names.push("self".to_owned());
            }
        }
        Object::Intermediate(Children::Seats) => {
            let ids = call.query(|model| model.seats().into_iter().map(|s| s.id).collect::<Vec<_>>()).await?;
            names.extend(ids.iter().map(|id| escape(id.as_str())));
            for (word, name) in [("self", SeatName::Own), ("auto", SeatName::Auto)] {
                if call.find_seat(&name).await?.is_some() {
                    names.push(word.to_owned());
                }
            }
        }
        other => names.extend(
            introspect::fixed_children(other, systemd1::is_served()).iter().map(|&name| name.to_owned()),
        ),
    }
    Ok(names)
}

fn find(
    object: &Object,
    interface: &str,
    name: &str,
) -> Result<(&'static Interface, &'static Property), Failure> {
    let unknown = || format!("Unknown interface {} or property {}.", printable(interface), printable(name));
    let found = interfaces::find_interface(object, interface);
    let found = found.and_then(|interface| Some((interface, interface.property(name)?)));
    // One error for both, as sd-bus has it.
    found.ok_or_else(|| Failure::standard("UnknownProperty", unknown()))
}

/// The interface that GetAll names, or all of an object's, if it names none.
fn named(object: &Object, name: &str) -> Result<impl Iterator<Item = &'static Interface>, Failure> {
    if !name.is_empty() && interfaces::find_interface(object, name).is_none() {
        let message = format!("Unknown interface '{}'.", printable(name));
        return Err(Failure::standard("UnknownInterface", message));
    }
    let name = name.to_owned();
    Ok(interfaces::of(object).iter().copied().filter(move |one| name.is_empty() || one.name == name))
}

/// Root only: the bus's policy says so, and so does this.
async fn set(call: &Call, target: &Target) -> Reply {
    let (interface, name, value): (String, String, OwnedVariant) = call.arguments()?;
    let (_, property) = find(&target.object, &interface, &name)?;
    if !property.writable {
        let message = format!("Property '{}' is not writable.", property.name);
        return Err(Failure::standard("PropertyReadOnly", message));
    }
    if !call.caller.uid.is_root() {
        return Err(Failure::denied(format!("Only root may set {}", property.name)));
    }
    match target.object {
        Object::LogControl => log_control::set(property.name, value)?,
        _ => return Err(Failure::not_supported("usherd writes no wall messages yet")),
    }
    call.done()
}
