//! A user's runtime directory: made, lost to somebody who mounts or unmounts, resized. How it goes is in `user`.

use usher_protocol::ids::Uid;

use crate::effect::{Effect, Severity};
use crate::model::{Model, Out};
use crate::record::{AtPath, RuntimeDir, RuntimeKind};

/// What there is of the runtime directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// None yet.
    Absent,
    /// Being made.
    Creating,
    /// It is there.
    Present(RuntimeDir),
    /// It cannot be made, and why.
    Failed(String),
}

impl Model {
    /// A runtime directory was made, or could not be.
    pub(crate) fn runtime_dir_created(
        &mut self,
        uid: Uid,
        result: Result<RuntimeDir, String>,
        out: &mut Out,
    ) {
        let Some(user) = self.users.get_mut(&uid).filter(|user| user.runtime == Runtime::Creating) else {
            return;
        };
        user.runtime = match result {
            Ok(made) => {
                user.made = Some(made);
                Runtime::Present(made)
            }
            Err(error) => {
                out.announce(Severity::Error, Some(uid), None, error.clone());
                Runtime::Failed(error)
            }
        };
        self.dirty_users.insert(uid);
        self.touch_user(uid);
    }

    /// A login looks at the runtime directory: one that is not there any more is made anew, and one that something else
    /// is mounted on is refused or used as if it were the first time.
    pub(crate) fn look_at_runtime_dir(&mut self, uid: Uid, seen: AtPath, out: &mut Out) {
        let Some(user) = self.users.get_mut(&uid).filter(|user| !user.tearing_down) else { return };
        let Runtime::Present(made) = user.runtime else { return };
        if made.is_at(seen) {
            return;
        }
        user.runtime = Runtime::Absent;
        let path = uid.runtime_path();
        let text = match seen {
            AtPath::Mount(_) => {
                format!("something else is mounted on {path} than the user's runtime directory")
            }
            _ => format!("{path} has gone or was unmounted, with what was in it: it is made anew"),
        };
        out.announce(Severity::Warning, Some(uid), None, text);
        self.touch_user(uid);
    }

    /// Runtime directories get the size that is configured now: those that usher has mounted.
    pub(crate) fn resize_runtime_dirs(&self, out: &mut Out) {
        let own = |dir: &RuntimeDir| dir.kind == RuntimeKind::Mount;
        let users = self.users.iter().filter(|(_, user)| user.has_runtime_dir());
        let dirs: Vec<_> = users.filter_map(|(uid, user)| Some((*uid, user.made.filter(own)?))).collect();
        if !dirs.is_empty() {
            let (size, inodes) = (self.settings.runtime_size, self.settings.runtime_inodes);
            out.act(Effect::ResizeRuntimeDirs { dirs, size, inodes });
        }
    }
}
