//! org.freedesktop.systemd1 where PID 1 is not systemd: the one method that a user's manager needs of it, to take processes of
//! its user's sessions into its own units (contract/user-lifecycle.md section 8); and where the processes of sessions and
//! users are, for clients that show them.

use std::fs;
use std::sync::LazyLock;

use zbus::Variant;

use super::call::{Call, Reply};
use super::failure::Failure;
use super::path::Object;
use super::properties::Properties;

/// Whether usherd answers for systemd here: not where PID 1 is systemd. sd_booted(3) says so, too, but its marker is there on
/// some machines for the sake of programs that will not run without.
pub(super) fn is_served() -> bool {
    static SERVED: LazyLock<bool> = LazyLock::new(|| {
        fs::read_to_string("/proc/1/comm").map_or(true, |name| name.trim_end() != "systemd")
    });
    *SERVED
}

/// Answers one call.
pub(super) async fn answer(_call: &Call, method: &str) -> Reply {
    Err(Failure::not_supported(format!("usherd is not systemd and does not do {method}")))
}

/// A unit that a session or a user is.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    control_group: String,
}

/// The unit that an object is, if there is such a session or user, and it has a cgroup.
pub(super) async fn find_unit(call: &Call, object: &Object) -> Result<Option<Unit>, Failure> {
    if !is_served() {
        return Ok(None);
    }
    let object = object.clone();
    let look = move |model: &usher_model::Model| match object {
        Object::Scope(id) => model.session(&id).and_then(|session| session.control_group),
        Object::Slice(uid) => model.user(uid).and_then(|user| user.control_group),
        _ => None,
    };
    Ok(call.query(look).await?.map(|control_group| Unit { control_group }))
}

impl Properties for Unit {
    fn value(&self, name: &str) -> Option<Variant<'static>> {
        (name == "ControlGroup").then(|| self.control_group.clone().into())
    }
}
