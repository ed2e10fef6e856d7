//! Sessions, users, seats and the broker as lists of properties: names and order of login1 (contract/loginctl.md section 4),
//! and how they are printed, as text and as JSON.

use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use usher_protocol::ids::SessionId;
use usher_protocol::messages::{ManagerView, SeatView, SessionView, UserView};

use crate::cli::Options;
use crate::render::rows::yes_no;
use crate::render::{text, time};

/// A property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    name: &'static str,
    value: Value,
    /// Whether login1 has no such property: as text it is shown only where it is asked for by name.
    ours: bool,
}

/// A property's value, by the way it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Bool(bool),
    Number(u64),
    /// A moment, in microseconds since 1970.
    Moment(u64),
    /// A length of time, in microseconds.
    Span(u64),
    Words(Vec<String>),
    /// As `Words`, but its name is printed even when there are none.
    Ids(Vec<String>),
}

impl Value {
    fn to_text(&self, zone: &TimeZone) -> String {
        match self {
            Self::Text(text) => text::escape(text),
            Self::Bool(value) => yes_no(*value).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Moment(moment) => time::timestamp(*moment, zone),
            Self::Span(span) => time::span(*span),
            Self::Words(words) | Self::Ids(words) => text::escape(&words.join(" ")),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) if text.is_empty() => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) | Self::Moment(number) | Self::Span(number) => {
                serializer.serialize_u64(*number)
            }
            Self::Words(words) | Self::Ids(words) => words.serialize(serializer),
        }
    }
}

/// An object's properties, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties(Vec<Property>);

impl Properties {
    fn add(mut self, name: &'static str, value: Value) -> Self {
        self.0.push(Property { name, value, ours: false });
        self
    }

    fn add_ours(mut self, name: &'static str, value: Value) -> Self {
        self.0.push(Property { name, value, ours: true });
        self
    }

    fn text(self, name: &'static str, text: impl ToString) -> Self {
        self.add(name, Value::Text(text.to_string()))
    }

    fn optional(self, name: &'static str, text: Option<&impl ToString>) -> Self {
        self.add(name, Value::Text(text.map(ToString::to_string).unwrap_or_default()))
    }

    fn number(self, name: &'static str, number: impl Into<u64>) -> Self {
        self.add(name, Value::Number(number.into()))
    }

    fn bool(self, name: &'static str, value: bool) -> Self {
        self.add(name, Value::Bool(value))
    }

    /// The properties that the options ask for, a line each.
    pub fn to_text(&self, options: &Options, zone: &TimeZone) -> String {
        let mut out = String::new();
        for Property { name, value, ours } in &self.0 {
            let wanted = if options.names_properties() { options.names(name) } else { !ours };
            let printed = value.to_text(zone);
            let is_list = matches!(value, Value::Ids(_));
            let shown = match (printed.is_empty(), is_list) {
                (false, _) => true,
                (true, true) => !options.only_values(),
                (true, false) => options.shows_empty(),
            };
            if wanted && shown {
                let line = if options.only_values() { printed } else { format!("{name}={printed}") };
                text::push_line(&mut out, &line);
            }
        }
        out
    }

    /// The same properties without those that the options leave out, for JSON.
    pub fn chosen(mut self, options: &Options) -> Self {
        if options.names_properties() {
            self.0.retain(|property| options.names(property.name));
        }
        self
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for property in &self.0 {
            map.serialize_entry(property.name, &property.value)?;
        }
        map.end()
    }
}

/// A session's properties (contract/dbus.md section 6).
pub fn session(view: &SessionView) -> Properties {
    Properties::default()
        .text("Id", &view.id)
        .number("User", view.uid.get())
        .text("Name", &view.user)
        .add("Timestamp", Value::Moment(view.timestamp))
        .number("TimestampMonotonic", view.timestamp_monotonic)
        .number("VTNr", view.vtnr.map_or(0, |vt| vt.get()))
        .optional("Seat", view.seat.as_ref())
        .text("TTY", &view.tty)
        .text("Display", &view.display)
        .bool("Remote", view.remote)
        .text("RemoteHost", &view.remote_host)
        .text("RemoteUser", &view.remote_user)
        .text("Service", &view.service)
        .text("Desktop", &view.desktop)
        .optional("Scope", view.scope.as_ref())
        .number("Leader", view.leader)
        // The kernel's word for "none" (auditctl(8)).
        .number("Audit", view.audit.unwrap_or(u32::MAX))
        .text("Type", view.kind)
        .text("Class", view.class)
        .bool("Active", view.active)
        .text("State", view.state)
        .bool("IdleHint", view.idle_hint)
        .number("IdleSinceHint", view.idle_since)
        .number("IdleSinceHintMonotonic", view.idle_since_monotonic)
        .bool("CanIdle", view.class.can_idle())
        .bool("CanLock", view.class.can_lock())
        .bool("LockedHint", view.locked_hint)
        .add_ours("ControlGroup", Value::Text(view.control_group.clone().unwrap_or_default()))
}

/// A user's properties (contract/dbus.md section 8).
pub fn user(view: &UserView) -> Properties {
    Properties::default()
        .number("UID", view.uid.get())
        .number("GID", view.gid)
        .text("Name", &view.name)
        .add("Timestamp", Value::Moment(view.timestamp))
        .number("TimestampMonotonic", view.timestamp_monotonic)
        .optional("RuntimePath", view.runtime_path.as_ref())
        .text("Service", &view.service)
        .text("Slice", &view.slice)
        .optional("Display", view.display.as_ref())
        .text("State", view.state)
        .add("Sessions", ids(&view.sessions))
        .bool("IdleHint", view.idle_hint)
        .number("IdleSinceHint", view.idle_since)
        .number("IdleSinceHintMonotonic", view.idle_since_monotonic)
        .bool("Linger", view.linger)
        .add_ours("Manager", Value::Text(view.manager.to_string()))
        .add_ours("ManagerPID", Value::Number(view.manager_pid.unwrap_or(0).into()))
        .add_ours("ManagerSince", Value::Number(view.manager_since))
        .add_ours("ManagerRestarts", Value::Number(view.manager_restarts))
        .add_ours("ManagerError", Value::Text(view.manager_error.clone()))
        .add_ours("Notice", Value::Text(view.notice.clone()))
        .add_ours("ControlGroup", Value::Text(view.control_group.clone().unwrap_or_default()))
}

/// A seat's properties (contract/dbus.md section 7).
pub fn seat(view: &SeatView) -> Properties {
    Properties::default()
        .text("Id", view.id.as_str())
        .optional("ActiveSession", view.active.as_ref())
        .bool("CanTTY", view.can_tty)
        .bool("CanGraphical", view.can_graphical)
        .add("Sessions", ids(&view.sessions))
        .bool("IdleHint", view.idle_hint)
        .number("IdleSinceHint", view.idle_since)
        .number("IdleSinceHintMonotonic", view.idle_since_monotonic)
}

fn ids(sessions: &[SessionId]) -> Value {
    Value::Ids(sessions.iter().map(ToString::to_string).collect())
}

/// The broker's properties: those of login1's Manager that usherd has (contract/dbus.md section 3).
pub fn manager(view: &ManagerView) -> Properties {
    Properties::default()
        .add("KillOnlyUsers", Value::Words(view.kill_only_users.clone()))
        .add("KillExcludeUsers", Value::Words(view.kill_exclude_users.clone()))
        .bool("KillUserProcesses", view.kill_user_processes)
        .add("UserStopDelayUSec", Value::Span(view.user_stop_delay_usec))
        .bool("RemoveIPC", view.remove_ipc)
        .number("RuntimeDirectorySize", view.runtime_directory_size)
        .number("RuntimeDirectoryInodesMax", view.runtime_directory_inodes_max)
        .number("SessionsMax", view.sessions_max)
        .number("NCurrentSessions", view.n_current_sessions)
}
