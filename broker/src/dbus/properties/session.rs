//! The properties of a session (contract/dbus.md section 6).

use usher_protocol::messages::SessionView;
use zbus::Variant;

use super::{Properties, seat_or_none, text};
use crate::dbus::path;

/// What the kernel gives as the audit session of a process that has none.
const NO_AUDIT_SESSION: u32 = u32::MAX;

impl Properties for SessionView {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        Some(match name {
            "Id" => self.id.to_string().into(),
            "User" => (self.uid.get(), path::path_of_user(self.uid)).into(),
            "Name" => self.user.to_string().into(),
            "Timestamp" => self.timestamp.into(),
            "TimestampMonotonic" => self.timestamp_monotonic.into(),
            "VTNr" => self.vtnr.map_or(0, |vtnr| vtnr.get()).into(),
            "Seat" => seat_or_none(self.seat.as_ref()).into(),
            "TTY" => text(&self.tty).into(),
            "Display" => text(&self.display).into(),
            "Remote" => self.remote.into(),
            "RemoteHost" => text(&self.remote_host).into(),
            "RemoteUser" => text(&self.remote_user).into(),
            "Service" => text(&self.service).into(),
            "Desktop" => text(&self.desktop).into(),
            "Scope" => self.scope.clone().unwrap_or_default().into(),
            "Leader" => self.leader.into(),
            "Audit" => self.audit.unwrap_or(NO_AUDIT_SESSION).into(),
            "Type" => self.kind.as_str().into(),
            "Class" => self.class.as_str().into(),
            "Active" => self.active.into(),
            "State" => self.state.as_str().into(),
            "IdleHint" => self.idle_hint.into(),
            "IdleSinceHint" => self.idle_since.into(),
            "IdleSinceHintMonotonic" => self.idle_since_monotonic.into(),
            "CanIdle" => self.class.can_idle().into(),
            "CanLock" => self.class.can_lock().into(),
            "LockedHint" => self.locked_hint.into(),
            _ => return None,
        })
    }
}
