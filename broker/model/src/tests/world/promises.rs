//! What a login has been told holds for as long as its session does: the directory is the same one, the manager that was
//! ready is not asked to stop, and a crash changes neither.

use usher_protocol::ids::{LeaderPid, Uid};
use usher_protocol::session::{ManagerState, SessionState};

use super::World;
use crate::effect::Answer;
use crate::manager::Manager;
use crate::record::RuntimeDir;

/// What a login was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) uid: Uid,
    leader: LeaderPid,
    /// Whether the session keeps its user. One of a user manager goes with it.
    pins: bool,
    /// The runtime directory that it got.
    directory: Option<RuntimeDir>,
    /// The manager that was ready then.
    manager: Option<LeaderPid>,
    /// The session has begun to end.
    ending: bool,
}

impl World {
    /// An answer goes out.
    pub(super) fn promise(&mut self, answer: &Answer) {
        let Answer::Opened { reply, .. } = answer else { return };
        let Some(session) = reply.session.as_ref().and_then(|id| self.model.sessions.get(id)) else { return };
        let uid = session.uid();
        let manager = (reply.manager == ManagerState::Ready && session.keeps_manager()).then(|| {
            let user = &self.model.users[&uid];
            assert!(user.manager.is_ready(), "{uid} is told of a manager that is {:?}", user.manager);
            let (_, main) = self.supervised.get(&uid).copied().unwrap_or_else(|| self.dead_manager(uid));
            main
        });
        let directory = reply.runtime_path.as_ref().and_then(|_| self.kernel.runtime_dirs.get(&uid).copied());
        let promise = Promise {
            uid,
            leader: session.leader.expect("a login is answered while its leader lives"),
            pins: session.params.class.pins_user(),
            directory,
            manager,
            ending: session.is_closing(),
        };
        self.promises.insert(session.id.clone(), promise);
    }

    /// One whose end the broker is yet to hear of.
    fn dead_manager(&self, uid: Uid) -> (crate::event::Generation, LeaderPid) {
        match &self.model.users[&uid].manager {
            Manager::Ready { run, .. } => (run.generation, run.main.expect("it is ready")),
            other => panic!("{uid} is told of a manager that is {other:?}"),
        }
    }

    /// After an event: which sessions are about to end, and which are gone.
    pub(super) fn note_ends(&mut self) {
        let sessions = &self.model.sessions;
        self.promises.retain(|id, promise| {
            let session = sessions.get(id);
            promise.ending |= session.is_none_or(|session| session.is_closing());
            session.is_some()
        });
    }

    /// Somebody with root's rights has taken the user's directory away: nobody could have kept it.
    pub(super) fn release_from_directory(&mut self, uid: Uid) {
        for promise in self.promises.values_mut().filter(|promise| promise.uid == uid) {
            promise.directory = None;
        }
    }

    /// After every event: whoever was told of a directory has that one.
    pub(super) fn check_promises(&self) {
        for (id, promise) in self.promises.iter().filter(|(_, promise)| promise.pins) {
            let there = self.kernel.runtime_dirs.get(&promise.uid).copied();
            let kept = promise.directory.is_none() || promise.directory == there;
            assert!(kept, "the directory of {id} is another one, or gone: {promise:?}, {there:?}");
        }
    }

    /// Before a manager is asked to stop, or is killed to make room.
    pub(super) fn check_promises_of_manager(&self, uid: Uid) {
        let relies = |promise: &Promise| {
            let alive = promise.manager.is_some_and(|main| self.kernel.is_alive(main));
            promise.uid == uid && promise.pins && !promise.ending && alive
        };
        let session = self.promises.iter().find(|(_, promise)| relies(promise));
        assert_eq!(session, None, "the manager of {uid} is ended, but its user is logged in");
    }

    /// The broker was started again: sessions that had been acknowledged are the same, and so are their managers.
    pub(super) fn check_promises_after_restart(&mut self) {
        for (id, promise) in &mut self.promises {
            let session = self.model.session(id);
            let unknown = promise.leader.is_hidden() || !self.kernel.is_alive(promise.leader);
            if promise.ending || !promise.pins || unknown {
                promise.ending |= session.is_none_or(|session| session.state == SessionState::Closing);
                continue;
            }
            let session = session.unwrap_or_else(|| panic!("{id} is lost: {promise:?}"));
            assert_ne!(session.state, SessionState::Closing, "{id} ends with the broker: {promise:?}");
            assert_eq!((session.uid, session.leader), (promise.uid, promise.leader.pid), "{id}");
            let Some(manager) = promise.manager.filter(|main| self.kernel.is_alive(*main)) else { continue };
            let now = self.model.users.get(&promise.uid).and_then(|user| user.manager.main());
            assert_eq!(now, Some(manager), "the manager of {id}");
            assert!(self.model.users[&promise.uid].manager.is_ready(), "{id} was told that it is ready");
        }
        let sessions = &self.model.sessions;
        self.promises.retain(|id, _| sessions.contains_key(id));
    }
}
