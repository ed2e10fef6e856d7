//! Whose a process is, for the words `self` and `auto` (contract/dbus.md section 1): by its cgroup.

use usher_model::Model;
use usher_protocol::ids::{SessionId, Uid};

use crate::sys::cgroup::{self, CgroupRoot};

/// The session and the user that a process's cgroup belongs to. For finding things, not for deciding who may do what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Belonging {
    /// The session in whose scope it is, known or not.
    inside: Option<SessionId>,
    /// The user in whose slice it is.
    pub(crate) owner: Option<Uid>,
}

impl Belonging {
    /// Looks. Nothing where there are no cgroups.
    pub(crate) fn of(pid: u32, cgroups: Option<&CgroupRoot>) -> Self {
        let Some((path, root)) = cgroup::cgroup_of(pid).zip(cgroups) else { return Self::default() };
        Self { inside: cgroup::session_of(&path, root.pid1()), owner: cgroup::owner_of(&path, root.pid1()) }
    }

    /// The same, of the user himself where the cgroup is nobody's.
    pub(crate) fn or_of(self, uid: Uid) -> Self {
        Self { owner: self.owner.or(Some(uid)), ..self }
    }

    /// `self`: the session that it is in.
    pub(crate) fn session(&self, model: &Model) -> Option<SessionId> {
        self.inside.clone().filter(|id| model.knows_session(id))
    }

    /// `auto`: that one, or else the display session of the user in whose slice it is.
    pub(crate) fn session_or_display(&self, model: &Model) -> Option<SessionId> {
        self.session(model).or_else(|| self.owner.and_then(|uid| model.display_of(uid).cloned()))
    }
}
