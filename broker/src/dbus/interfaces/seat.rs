//! The table of org.freedesktop.login1.Seat.

use super::Emits::*;
use super::{Interface, method, property};

pub(crate) const SEAT: Interface = Interface {
    name: "org.freedesktop.login1.Seat",
    properties: &[
        property("Id", "s", Const),
        property("ActiveSession", "(so)", Change),
        // Always true, kept for who still reads it.
        property("CanMultiSession", "b", Const).hidden(),
        property("CanTTY", "b", Const),
        property("CanGraphical", "b", Change),
        property("Sessions", "a(so)", Nothing),
        property("IdleHint", "b", Change),
        property("IdleSinceHint", "t", Change),
        property("IdleSinceHintMonotonic", "t", Change),
    ],
    methods: &[
        method("Terminate", "", ""),
        method("ActivateSession", "s session_id", ""),
        method("SwitchTo", "u vtnr", ""),
        method("SwitchToNext", "", ""),
        method("SwitchToPrevious", "", ""),
    ],
    signals: &[],
};
