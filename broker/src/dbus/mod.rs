//! org.freedesktop.login1 on the system bus: a facade over the model, in logind's shape (contract/dbus.md). Objects are
//! virtual: a path is looked up in the model at each call, so that a login has nothing to register.
//!
//! * `interfaces` is the table of all members, `introspect` shows it, `path` names objects;
//! * `properties` gives their values, `signals` tells of changes, `log_control` is org.freedesktop.LogControl1.

// Until a connection to the bus uses all of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod interfaces;
pub(crate) mod introspect;
pub(crate) mod log_control;
pub(crate) mod path;
pub(crate) mod properties;
pub(crate) mod signals;
