//! The table of org.freedesktop.login1.User.

use super::Emits::*;
use super::{Interface, method, property};

pub(crate) const USER: Interface = Interface {
    name: "org.freedesktop.login1.User",
    properties: &[
        property("UID", "u", Const),
        property("GID", "u", Const),
        property("Name", "s", Const),
        property("Timestamp", "t", Const),
        property("TimestampMonotonic", "t", Const),
        property("RuntimePath", "s", Const),
        property("Service", "s", Const),
        property("Slice", "s", Const),
        property("Display", "(so)", Change),
        property("State", "s", Nothing),
        property("Sessions", "a(so)", Nothing),
        property("IdleHint", "b", Change),
        property("IdleSinceHint", "t", Change),
        property("IdleSinceHintMonotonic", "t", Change),
        property("Linger", "b", Nothing),
    ],
    methods: &[method("Terminate", "", ""), method("Kill", "i signal_number", "")],
    signals: &[],
};
