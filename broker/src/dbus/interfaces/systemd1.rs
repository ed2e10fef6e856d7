//! The tables of org.freedesktop.systemd1, as far as usherd has it: what a user's manager asks of PID 1, and where clients that
//! show a session's processes find them.

use super::Emits::Nothing;
use super::{Interface, Property, method, property};

pub(crate) const SYSTEMD1: Interface = Interface {
    name: "org.freedesktop.systemd1.Manager",
    properties: &[],
    methods: &[method("AttachProcessesToUnit", "s unit_name, s subcgroup, au pids", "")],
    signals: &[],
};

pub(crate) const SCOPE: Interface = unit("org.freedesktop.systemd1.Scope");
pub(crate) const SLICE: Interface = unit("org.freedesktop.systemd1.Slice");

const UNIT_PROPERTIES: &[Property] = &[property("ControlGroup", "s", Nothing)];

const fn unit(name: &'static str) -> Interface {
    Interface { name, properties: UNIT_PROPERTIES, methods: &[], signals: &[] }
}
