//! Every interface that usherd has on the bus, with its members in logind's order. This table is where introspection, the
//! check of a call's arguments and the order of properties come from. A test in `introspect` holds it against what logind
//! says of itself.

mod log_control;
mod manager;
mod seat;
mod session;
mod standard;
mod systemd1;
mod user;

use super::path::Object;

pub(crate) use log_control::LOG_CONTROL;
pub(crate) use manager::MANAGER;
pub(crate) use seat::SEAT;
pub(crate) use session::SESSION;
pub(crate) use standard::{INTROSPECTABLE, PEER, PROPERTIES};
pub(crate) use systemd1::{SCOPE, SLICE, SYSTEMD1};
pub(crate) use user::USER;

/// An interface.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) properties: &'static [Property],
    pub(crate) methods: &'static [Method],
    pub(crate) signals: &'static [Signal],
}

/// A property.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    /// The type's D-Bus signature.
    pub(crate) signature: &'static str,
    pub(crate) emits: Emits,
    /// Whether it can be set, which only root may.
    pub(crate) writable: bool,
    /// Whether it is left out of introspection and of GetAll; Get gives it all the same.
    pub(crate) hidden: bool,
}

/// Whether a property's change is told of (`org.freedesktop.DBus.Property.EmitsChangedSignal`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emits {
    /// It never changes as long as the object is there.
    Const,
    /// PropertiesChanged tells of a change, with the new value.
    Change,
    /// It may change, and nothing tells of it.
    Nothing,
}

/// A method.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) takes: Arguments,
    /// What it gives back.
    pub(crate) gives: Arguments,
    /// Whether it is marked as for root only. Who may do what is `usher_model::policy`'s business.
    pub(crate) privileged: bool,
}

/// A signal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    pub(crate) carries: Arguments,
}

/// Arguments in order, each one its type's signature and its name, as in `u uid, b enable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arguments(&'static str);

impl Arguments {
    /// Type and name of each.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.split(", ").filter_map(|argument| argument.split_once(' '))
    }

    /// The types in a row, as a message's header has them.
    pub(crate) fn signature(self) -> String {
        self.iter().map(|(signature, _)| signature).collect()
    }
}

impl Interface {
    /// A property, hidden or not.
    pub(crate) fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// A method.
    pub(crate) fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The properties that introspection and GetAll show, in order.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &'static Property> {
        self.properties.iter().filter(|property| !property.hidden)
    }
}

/// The interfaces of an object, the standard ones first.
pub(crate) fn of(object: &Object) -> &'static [&'static Interface] {
    match object {
        Object::Intermediate(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES],
        Object::Manager => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &MANAGER],
        Object::Session(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &SESSION],
        Object::User(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &USER],
        Object::Seat(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &SEAT],
        Object::LogControl => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &LOG_CONTROL],
        Object::Systemd1 => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &SYSTEMD1],
        Object::Scope(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &SCOPE],
        Object::Slice(_) => &[&PEER, &INTROSPECTABLE, &PROPERTIES, &SLICE],
    }
}

/// One of an object's interfaces.
pub(crate) fn find_interface(object: &Object, name: &str) -> Option<&'static Interface> {
    of(object).iter().copied().find(|interface| interface.name == name)
}

/// One of an object's methods. A call need not name the interface (D-Bus specification, "Message Types"): then the first
/// one that has the method is meant.
pub(crate) fn find_method(
    object: &Object,
    interface: Option<&str>,
    name: &str,
) -> Option<(&'static Interface, &'static Method)> {
    let named = |candidate: &&&Interface| interface.is_none_or(|name| candidate.name == name);
    of(object).iter().filter(named).find_map(|interface| Some((*interface, interface.method(name)?)))
}

const fn property(name: &'static str, signature: &'static str, emits: Emits) -> Property {
    Property { name, signature, emits, writable: false, hidden: false }
}

impl Property {
    const fn writable(self) -> Self {
        Self { writable: true, ..self }
    }

    const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }
}

const fn method(name: &'static str, takes: &'static str, gives: &'static str) -> Method {
    Method { name, takes: Arguments(takes), gives: Arguments(gives), privileged: false }
}

impl Method {
    const fn privileged(self) -> Self {
        Self { privileged: true, ..self }
    }
}

const fn signal(name: &'static str, carries: &'static str) -> Signal {
    Signal { name, carries: Arguments(carries) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::dbus::path;

    const ALL: [&Interface; 11] = [
        &PEER,
        &INTROSPECTABLE,
        &PROPERTIES,
        &MANAGER,
        &SESSION,
        &USER,
        &SEAT,
        &LOG_CONTROL,
        &SYSTEMD1,
        &SCOPE,
        &SLICE,
    ];

    #[test]
    fn every_argument_is_a_type_and_a_name() {
        for interface in ALL {
            let methods = interface.methods.iter().flat_map(|method| [method.takes, method.gives]);
            for arguments in methods.chain(interface.signals.iter().map(|signal| signal.carries)) {
                let written = if arguments.0.is_empty() { 0 } else { arguments.0.split(", ").count() };
                assert_eq!(arguments.iter().count(), written, "{arguments:?}");
                zbus::wire::signature::validate(arguments.signature().as_bytes()).unwrap();
                for (signature, name) in arguments.iter() {
                    zbus::Signature::try_from(signature).unwrap();
                    assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{arguments:?}");
                }
            }
            for property in interface.properties {
                zbus::Signature::try_from(property.signature).unwrap();
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for interface in ALL {
            let mut seen = HashSet::new();
            let names = interface.properties.iter().map(|property| ("property", property.name));
            let names = names.chain(interface.methods.iter().map(|method| ("method", method.name)));
            for name in names.chain(interface.signals.iter().map(|signal| ("signal", signal.name))) {
                assert!(seen.insert(name), "{} has {name:?} twice", interface.name);
            }
        }
    }

    #[test]
    fn members_are_found_on_the_objects_that_have_them() {
        let manager = path::parse("/org/freedesktop/login1").unwrap();
        let session = path::parse("/org/freedesktop/login1/session/_31").unwrap();
        let kill = "org.freedesktop.login1.Manager";
        let (interface, found) = find_method(&manager, Some(kill), "KillSession").unwrap();
        assert_eq!((interface.name, found.takes.signature().as_str()), (kill, "ssi"));
        assert_eq!(find_method(&session, Some(kill), "KillSession"), None);
        assert_eq!(find_method(&session, None, "KillSession"), None);
        assert_eq!(find_method(&session, None, "Kill").unwrap().0, &SESSION);
        assert_eq!(find_method(&session, None, "Ping").unwrap().0, &PEER);
        assert_eq!(find_method(&session, Some("org.freedesktop.DBus.Peer"), "Kill"), None);
        let create = MANAGER.method("CreateSession").unwrap();
        assert_eq!(create.takes.signature(), "uusssssussbssa(sv)");
        assert_eq!(create.gives.signature(), "soshusub");
        let with_pidfd = MANAGER.method("CreateSessionWithPIDFD").unwrap();
        assert_eq!(with_pidfd.takes.signature(), "uhsssssussbssta(sv)");
        assert_eq!(with_pidfd.gives.signature(), "soshusub");
    }

    #[test]
    fn hidden_properties_are_there_and_not_shown() {
        for (interface, name) in [(&MANAGER, "UserTasksMax"), (&SEAT, "CanMultiSession")] {
            assert!(interface.property(name).unwrap().hidden);
            assert!(interface.shown().all(|property| property.name != name));
            assert_eq!(interface.shown().count(), interface.properties.len() - 1);
        }
    }
}
