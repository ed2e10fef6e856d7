//! The properties of a user (contract/dbus.md section 8).

use usher_protocol::messages::UserView;
use zbus::Variant;

use super::{Properties, list_of_sessions, session_or_none};

/// The idle hint is the view's: `sys::idle::fill_in_user` has to have filled it in.
impl Properties for UserView {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        Some(match name {
            "UID" => self.uid.get().into(),
            "GID" => self.gid.into(),
            "Name" => self.name.to_string().into(),
            "Timestamp" => self.timestamp.into(),
            "TimestampMonotonic" => self.timestamp_monotonic.into(),
            // A property that never changes, unlike the directory's state: logind's says where it is to be, too.
            "RuntimePath" => self.uid.runtime_path().into(),
            "Service" => self.service.clone().into(),
            "Slice" => self.slice.clone().into(),
            "Display" => session_or_none(self.display.as_ref()).into(),
            "State" => self.state.as_str().into(),
            "Sessions" => list_of_sessions(&self.sessions).into(),
            "IdleHint" => self.idle_hint.into(),
            "IdleSinceHint" => self.idle_since.into(),
            "IdleSinceHintMonotonic" => self.idle_since_monotonic.into(),
            "Linger" => self.linger.into(),
            _ => return None,
        })
    }
}
