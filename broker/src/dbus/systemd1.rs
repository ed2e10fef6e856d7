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
use crate::attach::{AttachError, Attachment, attach};

/// Whether usherd answers for systemd here: not where PID 1 is systemd. sd_booted(3) says so, too, but its marker is there on
/// some machines for the sake of programs that will not run without.
pub(super) fn is_served() -> bool {
    static SERVED: LazyLock<bool> = LazyLock::new(|| {
        fs::read_to_string("/proc/1/comm").map_or(true, |name| name.trim_end() != "systemd")
    });
    *SERVED
}

/// Answers one call: AttachProcessesToUnit is all that there is.
pub(super) async fn answer(call: &Call) -> Reply {
    let (unit, subcgroup, pids): (String, String, Vec<u32>) = call.arguments()?;
    let Some(root) = call.link.facade.service.cgroups.clone() else {
        return Err(Failure::not_supported("There are no control groups on this machine"));
    };
    let caller = call.caller;
    // The kernel may take its time to move a process: not in the loop.
    let attach = move || {
        let (unit, subcgroup, pids) = (unit.as_str(), subcgroup.as_str(), pids.as_slice());
        attach(&root, &Attachment { caller: caller.uid, caller_pid: caller.pid, unit, subcgroup, pids })
    };
    match tokio::task::spawn_blocking(attach).await {
        Ok(attached) => attached?,
        Err(error) => return Err(Failure::standard("Failed", error.to_string())),
    }
    call.done()
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let message = error.to_string();
        match error {
            AttachError::InvalidArgs(_) => Self::invalid(message),
            AttachError::AccessDenied(_) => Self::denied(message),
            AttachError::NoSuchUnit(_) => Self::new("org.freedesktop.systemd1.NoSuchUnit", message),
            AttachError::NoSuchProcess(_) => Self::standard("UnixProcessIdUnknown", message),
            AttachError::Failed(_) => Self::standard("Failed", message),
        }
    }
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
