//! Which object a call is for, which of its methods, and whether the arguments are of the right types.

use zbus::message::Message;

use super::call::{Call, Reply, printable};
use super::failure::Failure;
use super::interfaces::{self, Interface, Method};
use super::path::{self, Object};
use super::{manager, seat, session, standard, systemd1, user};

/// Answers one call.
pub(super) async fn dispatch(call: &Call) -> Result<Message, Failure> {
    let header = call.header();
    let path = header.path().map(|path| path.as_str()).unwrap_or_default();
    let unknown = || Failure::unknown_object(&printable(path));
    if header.interface().is_some_and(|interface| interface.as_str() == interfaces::PEER.name) {
        // Of whatever is at the other end of the bus: any path does.
        let (_, method) = find_method(&header, &Object::Manager)?;
        return standard::answer_peer(call, method.name);
    }
    let object = path::parse(path).ok_or_else(unknown)?;
    let target = Target::find(call, object).await?.ok_or_else(unknown)?;
    let (interface, method) = find_method(&header, &target.object)?;
    match interface {
        _ if standard::has(interface) => standard::answer(call, &target, method.name).await,
        _ => answer(call, target, method.name).await,
    }
}

/// What a call is for, as it is now.
pub(super) struct Target {
    pub(super) object: Object,
    pub(super) found: Found,
}

/// The things that objects stand for.
pub(super) enum Found {
    Nothing,
    Manager,
    LogControl,
    Unit(systemd1::Unit),
    Session(Box<usher_protocol::messages::SessionView>),
    User(Box<usher_protocol::messages::UserView>),
    Seat(usher_protocol::messages::SeatView),
}

impl Target {
    /// `None`: there is no such session, user or seat, or not for this caller.
    async fn find(call: &Call, object: Object) -> Result<Option<Self>, Failure> {
        let found = match &object {
            Object::Session(name) => {
                call.find_session(name).await?.map(|session| Found::Session(Box::new(session)))
            }
            Object::User(name) => call.find_user(*name).await?.map(|user| Found::User(Box::new(user))),
            Object::Seat(name) => call.find_seat(name).await?.map(Found::Seat),
            Object::Intermediate(_) => Some(Found::Nothing),
            Object::Manager => Some(Found::Manager),
            Object::LogControl => Some(Found::LogControl),
            Object::Systemd1 => systemd1::is_served().then_some(Found::Nothing),
            Object::Scope(_) | Object::Slice(_) => systemd1::find_unit(call, &object).await?.map(Found::Unit),
        };
        Ok(found.map(|found| Self { object, found }))
    }
}

async fn answer(call: &Call, target: Target, method: &str) -> Reply {
    match (target.object, target.found) {
        (Object::Manager, _) => manager::answer(call, method).await,
        (Object::Systemd1, _) => systemd1::answer(call).await,
        (_, Found::Session(session)) => session::answer(call, *session, method).await,
        (_, Found::User(user)) => user::answer(call, user.uid, method).await,
        (_, Found::Seat(seat)) => seat::answer(call, seat.id, method).await,
        _ => Err(Failure::standard("UnknownMethod", format!("Unknown method {method}"))),
    }
}

fn find_method(
    header: &zbus::message::Header<'_>,
    object: &Object,
) -> Result<(&'static Interface, &'static Method), Failure> {
    let name = header.member().map(|member| member.as_str()).unwrap_or_default();
    let wanted = header.interface().map(|interface| interface.as_str());
    let (interface, method) = interfaces::find_method(object, wanted, name).ok_or_else(|| {
        if matches!(object, Object::Intermediate(_)) {
            // There is nothing at such a node but its children.
            let path = header.path().map(|path| path.as_str()).unwrap_or_default();
            return Failure::unknown_object(&printable(path));
        }
        let message = format!("Unknown method {name} or interface {}.", wanted.unwrap_or_default());
        Failure::standard("UnknownMethod", message)
    })?;
    let (given, takes) = (header.signature().to_string_no_parens(), method.takes.signature());
    if given != takes {
        let message =
            format!("Invalid arguments '{given}' to call {}.{name}(), expecting '{takes}'.", interface.name);
        return Err(Failure::invalid(message));
    }
    Ok((interface, method))
}
