//! What an object says of itself: org.freedesktop.DBus.Introspectable.

use std::fmt::Write as _;

use super::interfaces::{self, Arguments, Emits, Interface, Method, Property, Signal};
use super::path::{Children, Object};

const DOCTYPE: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n\
                       \"https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n";
const EMITS: &str = "org.freedesktop.DBus.Property.EmitsChangedSignal";
const PRIVILEGED: &str = "org.freedesktop.systemd1.Privileged";

/// An object's interfaces and the names of its children: [`fixed_children`], or the labels of the sessions, users or seats
/// there are.
pub(crate) fn document<'a>(object: &Object, children: impl IntoIterator<Item = &'a str>) -> String {
    let mut xml = String::with_capacity(4096);
    xml.push_str(DOCTYPE);
    xml.push_str("<node>\n");
    for interface in interfaces::of(object) {
        write_interface(&mut xml, interface);
    }
    for name in children {
        // Labels are letters, digits and underscores: nothing to quote.
        put(&mut xml, format_args!(" <node name=\"{name}\"/>\n"));
    }
    xml.push_str("</node>\n");
    xml
}

/// The children that an object always has. Those of the nodes of sessions, users and seats come and go.
///
/// `systemd1`: whether usherd answers for org.freedesktop.systemd1 on this machine.
pub(crate) fn fixed_children(object: &Object, systemd1: bool) -> &'static [&'static str] {
    match object {
        Object::Intermediate(Children::Root) => &["org"],
        Object::Intermediate(Children::Org) => &["freedesktop"],
        Object::Intermediate(Children::Freedesktop) if systemd1 => &["LogControl1", "login1", "systemd1"],
        Object::Intermediate(Children::Freedesktop) => &["LogControl1", "login1"],
        Object::Manager => &["user", "session", "seat"],
        Object::Intermediate(Children::Sessions | Children::Users | Children::Seats)
        | Object::Session(_)
        | Object::User(_)
        | Object::Seat(_)
        | Object::LogControl
        | Object::Systemd1
        | Object::Scope(_)
        | Object::Slice(_) => &[],
    }
}

fn write_interface(xml: &mut String, interface: &Interface) {
    put(xml, format_args!(" <interface name=\"{}\">\n", interface.name));
    interface.shown().for_each(|property| write_property(xml, property));
    interface.methods.iter().for_each(|method| write_method(xml, method));
    interface.signals.iter().for_each(|signal| write_signal(xml, signal));
    xml.push_str(" </interface>\n");
}

fn write_property(xml: &mut String, property: &Property) {
    let Property { name, signature, emits, writable, hidden: _ } = property;
    let access = if *writable { "readwrite" } else { "read" };
    put(xml, format_args!("  <property name=\"{name}\" type=\"{signature}\" access=\"{access}\">\n"));
    match emits {
        Emits::Const => write_annotation(xml, EMITS, "const"),
        Emits::Nothing => write_annotation(xml, EMITS, "false"),
        // What is so if nothing is said.
        Emits::Change => {}
    }
    if *writable {
        write_annotation(xml, PRIVILEGED, "true");
    }
    xml.push_str("  </property>\n");
}

fn write_method(xml: &mut String, method: &Method) {
    put(xml, format_args!("  <method name=\"{}\">\n", method.name));
    write_arguments(xml, method.takes, " direction=\"in\"");
    write_arguments(xml, method.gives, " direction=\"out\"");
    if method.privileged {
        write_annotation(xml, PRIVILEGED, "true");
    }
    xml.push_str("  </method>\n");
}

fn write_signal(xml: &mut String, signal: &Signal) {
    put(xml, format_args!("  <signal name=\"{}\">\n", signal.name));
    write_arguments(xml, signal.carries, "");
    xml.push_str("  </signal>\n");
}

fn write_arguments(xml: &mut String, arguments: Arguments, direction: &str) {
    for (signature, name) in arguments.iter() {
        put(xml, format_args!("   <arg type=\"{signature}\" name=\"{name}\"{direction}/>\n"));
    }
}

fn write_annotation(xml: &mut String, name: &str, value: &str) {
    put(xml, format_args!("   <annotation name=\"{name}\" value=\"{value}\"/>\n"));
}

fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = xml.write_fmt(text);
}

#[cfg(test)]
mod tests;
