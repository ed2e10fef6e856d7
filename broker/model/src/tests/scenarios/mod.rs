//! One rule each, told as a short story.

mod closing;
mod directory;
mod files;
mod hidden;
mod limits;
mod linger;
mod login;
mod logout;
mod lookup;
mod manager;
mod many;
mod names;
mod relogin;
mod restart;
mod seat;
mod terminate;

use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{ManagerState, SessionState, UserState};

use super::world::{Login, Temper, World, uid};
use crate::settings::{SECOND, Settings};

impl World {
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        Self::new(settings)
    }

    fn state(&self, session: &SessionId) -> Option<SessionState> {
        self.model.session(session).map(|session| session.state)
    }

    fn user_state(&self, uid: Uid) -> UserState {
        self.model.user(uid).map_or(UserState::Offline, |user| user.state)
    }

    fn manager(&self, uid: Uid) -> ManagerState {
        self.model.user(uid).map_or(ManagerState::None, |user| user.manager)
    }

    fn has_dir(&self, uid: Uid) -> bool {
        self.kernel.runtime_dirs.contains_key(&uid)
    }

    /// How often something was done.
    fn count(&self, what: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(what)).count()
    }
}

/// The user of most stories.
fn alice() -> Uid {
    uid(1000)
}

fn bob() -> Uid {
    uid(1001)
}
