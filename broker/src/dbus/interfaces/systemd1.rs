//! The table of org.freedesktop.systemd1.Manager, as far as usherd has it: what a user's manager asks of PID 1.

use super::{Interface, method};

pub(crate) const SYSTEMD1: Interface = Interface {
    name: "org.freedesktop.systemd1.Manager",
    properties: &[],
    methods: &[method("AttachProcessesToUnit", "s unit_name, s subcgroup, au pids", "")],
    signals: &[],
};
