//! The properties of a seat (contract/dbus.md section 7).

use usher_protocol::messages::SeatView;
use zbus::Variant;

use super::{Properties, list_of_sessions, session_or_none};

/// The idle hint is the view's: `sys::idle::fill_in_seat` has to have filled it in.
impl Properties for SeatView {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        Some(match name {
            "Id" => self.id.to_string().into(),
            "ActiveSession" => session_or_none(self.active.as_ref()).into(),
            "CanMultiSession" => true.into(),
            "CanTTY" => self.can_tty.into(),
            "CanGraphical" => self.can_graphical.into(),
            "Sessions" => list_of_sessions(&self.sessions).into(),
            "IdleHint" => self.idle_hint.into(),
            "IdleSinceHint" => self.idle_since.into(),
            "IdleSinceHintMonotonic" => self.idle_since_monotonic.into(),
            _ => return None,
        })
    }
}
