//! The tables of the interfaces that every object has (D-Bus specification, "Standard Interfaces").

use super::{Interface, method, signal};

pub(crate) const PEER: Interface = Interface {
    name: "org.freedesktop.DBus.Peer",
    properties: &[],
    methods: &[method("Ping", "", ""), method("GetMachineId", "", "s machine_uuid")],
    signals: &[],
};

pub(crate) const INTROSPECTABLE: Interface = Interface {
    name: "org.freedesktop.DBus.Introspectable",
    properties: &[],
    methods: &[method("Introspect", "", "s xml_data")],
    signals: &[],
};

pub(crate) const PROPERTIES: Interface = Interface {
    name: "org.freedesktop.DBus.Properties",
    properties: &[],
    methods: &[
        method("Get", "s interface_name, s property_name", "v value"),
        method("GetAll", "s interface_name", "a{sv} props"),
        method("Set", "s interface_name, s property_name, v value", ""),
    ],
    signals: &[signal(
        "PropertiesChanged",
        "s interface_name, a{sv} changed_properties, as invalidated_properties",
    )],
};
