//! Logins by processes that have no number in the broker's pid namespace: only their end can be noticed.

use usher_protocol::ids::LeaderPid;
use usher_protocol::messages::Refusal;
use usher_protocol::session::KillWhom;

use super::super::world::{Place, Process};
use super::*;
use crate::event::Event;
use crate::policy::Authority;

const HIDDEN: LeaderPid = LeaderPid { pid: 0, start: 4711 };
const ANOTHER: LeaderPid = LeaderPid { pid: 0, start: 4712 };

impl World {
    /// Such a login; the processes are there.
    fn hidden(&mut self, leader: LeaderPid) -> SessionId {
        self.appears(leader);
        self.login(Login::of(alice()).by(leader)).0
    }

    fn appears(&mut self, leader: LeaderPid) {
        let process = Process { start: leader.start, place: Place::Elsewhere, stubborn: false };
        self.kernel.processes.insert(leader.pid, process);
    }
}

#[test]
fn such_a_login_has_everything_but_a_cgroup_and_is_told() {
    let mut world = World::new(Settings::default());
    world.appears(HIDDEN);
    let sent = world.open(Login::of(alice()).by(HIDDEN));
    world.settle();
    let reply = world.reply(sent.request);
    assert!(reply.runtime_path.is_some() && reply.manager == ManagerState::Ready, "{reply:?}");
    assert!(reply.notice.contains("a pid namespace that usherd does not see into"), "{reply:?}");
    let id = reply.session.unwrap();
    assert_eq!(world.count(&format!("create scope {id}")), 0);
    assert_eq!(world.kernel.session_files[&id].scope, None);
    world.logout(&id).unwrap();
    world.drive();
    world.check_nothing_left();
}

#[test]
fn it_ends_with_its_process() {
    let mut world = World::new(Settings::default());
    let id = world.hidden(HIDDEN);
    world.exit(HIDDEN);
    world.settle();
    assert_eq!(world.state(&id), None);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn two_of_them_are_two() {
    let mut world = World::new(Settings::default());
    let first = world.hidden(HIDDEN);
    let second = world.hidden(ANOTHER);
    assert_ne!(first, second);
    assert_eq!(world.model.session_led_by(HIDDEN), Some(first.clone()));
    assert_eq!(world.model.session_led_by(ANOTHER), Some(second.clone()));
    world.logout(&first).unwrap();
    assert_eq!(world.model.session_led_by(HIDDEN), None);
    assert_eq!(world.model.session_led_by(ANOTHER), Some(second));
}

/// Nobody can signal it: to terminate the session is to let go of it, and to signal it is refused with the reason.
#[test]
fn it_can_be_terminated_but_not_signalled() {
    let mut world = World::new(Settings::default());
    let id = world.hidden(HIDDEN);
    let session = id.clone();
    let refused = world.ask(|request| Event::KillSession {
        request,
        authority: Authority::Caller(Uid::ROOT),
        session,
        whom: KillWhom::Leader,
        signal: 15,
    });
    assert!(
        matches!(&refused, Err(Refusal::NotSupported { message }) if message.contains("another pid namespace")),
        "{refused:?}"
    );
    world.terminate(&id);
    world.settle();
    assert_eq!((world.state(&id), world.count("signal leader")), (None, 0));
    world.drive();
}

/// The next broker has no way to know whether it is there.
#[test]
fn it_ends_with_the_broker_and_that_is_said() {
    let mut world = World::new(Settings::default());
    let id = world.hidden(HIDDEN);
    world.crash();
    world.settle();
    assert_eq!(world.state(&id), None);
    let said = format!("session {id} ends: its leader is in another pid namespace");
    assert!(world.news.iter().any(|line| line.contains(&said)), "{:?}", world.news);
    world.drive();
    world.check_nothing_left();
}
