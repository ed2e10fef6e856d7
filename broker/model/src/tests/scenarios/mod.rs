//! One rule each, told as a short story.

mod changes;
mod closing;
mod control;
mod directory;
mod files;
mod hidden;
mod hints;
mod limits;
mod linger;
mod login;
mod logout;
mod lookup;
mod manager;
mod many;
mod names;
mod release;
mod relogin;
mod restart;
mod seat;
mod seats;
mod services;
mod terminate;
mod upgrade;

use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::session::{ManagerState, SessionState, SessionType, UserState};

use super::world::{Kernel, Login, Temper, World, uid};
use crate::policy::Authority;
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

    /// What followers have been told since the log was taken last.
    fn told(&mut self) -> Vec<String> {
        let log = self.take_log();
        log.iter().filter_map(|line| line.strip_prefix("tell ")).map(str::to_owned).collect()
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

fn root() -> Authority {
    Authority::Caller(Uid::ROOT)
}

/// A machine with virtual terminals that shows the first, and whose display manager is gdm.
fn console() -> World {
    let kernel = Kernel { has_vts: true, foreground: 1.try_into().ok(), ..Kernel::default() };
    World::booted(Settings { display_managers: vec!["gdm".to_owned()], ..Settings::default() }, kernel)
}

/// The same without virtual terminals: a container.
fn container() -> World {
    World::with(|settings| settings.display_managers = vec!["gdm".to_owned()])
}

/// A graphical login on the seat of a machine without virtual terminals.
fn at_seat0(uid: Uid) -> Login {
    let mut login = Login::of(uid).service("gdm");
    let params = &mut login.open.params;
    (params.remote, params.remote_host, params.tty) = (false, String::new(), String::new());
    params.seat = "seat0".parse().ok();
    params.kind = SessionType::Wayland;
    login
}
