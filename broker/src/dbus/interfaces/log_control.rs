//! The table of org.freedesktop.LogControl1 (org.freedesktop.LogControl1(5)).

use super::Emits::*;
use super::{Interface, property};

pub(crate) const LOG_CONTROL: Interface = Interface {
    name: "org.freedesktop.LogControl1",
    properties: &[
        property("LogLevel", "s", Nothing).writable(),
        property("LogTarget", "s", Nothing).writable(),
        property("SyslogIdentifier", "s", Nothing),
    ],
    methods: &[],
    signals: &[],
};
