//! Where the values of an object's properties come from, when somebody asks for them.

use usher_model::{Idleness, Model, Now};
use zbus::Variant;

use super::call::Call;
use super::dispatch::{Found, Target};
use super::failure::Failure;
use super::interfaces::{Interface, LOG_CONTROL, MANAGER, Property, SCOPE, SEAT, SESSION, SLICE, USER};
use super::log_control::LogControl;
use super::properties::{self, Dictionary, Properties};
use crate::sys::idle;

/// One property's value.
pub(super) async fn get(
    call: &Call,
    target: &Target,
    property: &Property,
) -> Result<Variant<'static>, Failure> {
    let idle = properties::Manager::needs_idle(property.name);
    let missing = || Failure::standard("UnknownProperty", format!("No value of {}.", property.name));
    source(call, target, idle).await?.value(property.name).ok_or_else(missing)
}

/// The values of all properties of one interface, or of all interfaces, if none is named.
pub(super) async fn get_all(
    call: &Call,
    target: &Target,
    interfaces: impl Iterator<Item = &'static Interface>,
) -> Result<Dictionary, Failure> {
    let mut all = Dictionary::default();
    let own = [&MANAGER, &SESSION, &USER, &SEAT, &LOG_CONTROL, &SCOPE, &SLICE];
    for interface in interfaces.filter(|interface| own.contains(interface)) {
        let source = source(call, target, true).await?;
        all.0.extend(properties::all(interface, source.as_ref()).0);
    }
    Ok(all)
}

/// An object as it is now; whether anybody is idle there only if that is wanted, because it takes a look at terminals.
async fn source(call: &Call, target: &Target, idle: bool) -> Result<Box<dyn Properties + Send>, Failure> {
    Ok(match &target.found {
        Found::Session(session) => {
            let mut session = session.clone();
            if idle {
                idle::fill_in(&mut session);
            }
            session
        }
        Found::User(user) => {
            let mut user = user.clone();
            if idle {
                let fill_in = move |model: &Model| {
                    let sessions = user.sessions.clone();
                    idle::fill_in_user(&mut user, sessions.iter().filter_map(|id| model.session(id)));
                    user
                };
                user = call.query(fill_in).await?;
            }
            user
        }
        Found::Seat(seat) => {
            let mut seat = seat.clone();
            if idle {
                let fill_in = move |model: &Model| {
                    let sessions = seat.sessions.clone();
                    idle::fill_in_seat(&mut seat, sessions.iter().filter_map(|id| model.session(id)));
                    seat
                };
                seat = call.query(fill_in).await?;
            }
            Box::new(seat)
        }
        Found::Manager => {
            let view = call.query(Model::manager_view).await?;
            let idle = if idle { everybody(call).await? } else { Idleness::default() };
            Box::new(properties::Manager { view, idle })
        }
        Found::Unit(unit) => Box::new(unit.clone()),
        Found::LogControl => Box::new(LogControl),
        Found::Nothing => Box::new(Nothing),
    })
}

/// The walk through the sessions ends at the first one in use: no more of them are looked at.
async fn everybody(call: &Call) -> Result<Idleness, Failure> {
    let start: Now = call.link.facade.start;
    call.query(move |model| idle::of_everybody(model.each_session(), start)).await
}

/// An object without properties.
struct Nothing;

impl Properties for Nothing {
    fn value(&self, _name: &str) -> Option<Variant<'static>> {
        None
    }
}
