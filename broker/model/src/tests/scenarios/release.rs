//! Sessions that are announced to end, and sessions that a FIFO holds open.

use usher_protocol::messages::Refusal;

use super::*;
use crate::event::Event;
use crate::timer::Timer;

impl World {
    fn release(&mut self, session: &SessionId) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::ReleaseSession { request, session })
    }

    fn attach(&mut self, session: &SessionId) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::AttachFifo { request, session })
    }

    fn on_file(&self, session: &SessionId) -> SessionState {
        self.kernel.session_files[session].state
    }
}

#[test]
fn an_announced_end_shows_but_is_not_on_file() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.take_log();
    world.release(&session).unwrap();
    world.release(&session).unwrap();
    assert_eq!(world.take_log(), ["reply done", "reply done"]);
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    assert_eq!(
        (world.on_file(&session), world.user_state(alice())),
        (SessionState::Active, UserState::Closing)
    );
    assert_eq!(world.kernel.user_files[&alice()].state, UserState::Active);
    world.exit(leader);
    world.settle();
    assert_eq!(world.state(&session), None);
    let unknown = world.release(&session);
    assert!(matches!(unknown, Err(Refusal::NoSuchSession { .. })));
    world.drive();
    world.check_nothing_left();
}

#[test]
fn a_leader_that_stays_has_twenty_seconds() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.release(&session).unwrap();
    world.wait(10 * SECOND);
    world.release(&session).unwrap();
    world.wait(10 * SECOND - 1);
    assert_eq!(world.on_file(&session), SessionState::Active, "asking again gives no more time");
    world.wait(1);
    assert_eq!(world.state(&session), None);
    assert!(world.kernel.is_alive(leader), "as after a logout");
}

#[test]
fn a_logout_makes_the_announcement_true() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.fork(&session, true);
    world.release(&session).unwrap();
    world.logout(&session).unwrap();
    world.settle();
    assert_eq!(world.on_file(&session), SessionState::Closing);
    assert!(!world.model.timers.contains(&Timer::Release(session.clone())));
    world.release(&session).unwrap();
    assert!(!world.model.timers.contains(&Timer::Release(session)), "it is closing already");
}

#[test]
fn a_restart_forgets_an_announcement() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.release(&session).unwrap();
    world.crash();
    assert_eq!(world.state(&session), Some(SessionState::Active));
    world.exit(leader);
    world.settle();
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_fifo_is_on_file_before_it_is_there_and_there_before_anyone_is_told() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.take_log();
    world.attach(&session).unwrap();
    assert_eq!(world.take_log(), ["save session 1 active", "open fifo 1", "reply done"]);
    assert!(world.kernel.session_files[&session].fifo);
    world.attach(&session).unwrap();
    assert_eq!(world.take_log(), ["reply done"]);
    world.exit(leader);
    world.settle();
    let log = world.take_log();
    let at =
        |line: &str| log.iter().position(|other| other == line).unwrap_or_else(|| panic!("{line}: {log:?}"));
    assert!(at("remove fifo 1") < at("remove session 1"));
    assert!(world.kernel.fifos.is_empty());
}

#[test]
fn only_an_open_session_gets_a_fifo() {
    let mut world = World::new(Settings::default());
    let unknown = world.attach(&"99".parse().unwrap());
    assert!(matches!(unknown, Err(Refusal::NoSuchSession { .. })));
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, true);
    world.exit(leader);
    world.settle();
    world.take_log();
    assert!(matches!(world.attach(&session), Err(Refusal::Failed { .. })));
    assert_eq!(world.take_log().len(), 1, "nothing but the answer");
}

#[test]
fn a_closed_fifo_closes_its_session_and_ends_nothing() {
    let mut world = World::with(|s| s.kill_user_processes = true);
    let (session, leader) = world.login(Login::of(alice()));
    let left = world.fork(&session, false);
    world.attach(&session).unwrap();
    world.take_log();
    world.let_go_of_fifo(&session);
    world.settle();
    assert_eq!(world.take_log(), ["save session 1 closing", "remove fifo 1", "save user 1000 closing"]);
    assert_eq!(world.model.session_led_by(leader), Some(session.clone()), "the leader counts on");
    world.wait(100 * SECOND);
    assert!(world.kernel.is_alive(leader) && world.kernel.is_alive(left));
    // Not even a restart ends them.
    world.crash();
    world.drive();
    assert!(world.kernel.is_alive(leader) && world.kernel.is_alive(left));
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    // What is left once the leader has gone is told to go, where that is configured.
    world.exit(leader);
    world.settle();
    assert!(!world.kernel.is_alive(left));
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_fifo_outlives_the_broker() {
    let mut world = World::new(Settings::default());
    let (held, _) = world.login(Login::of(alice()));
    let (lost, _) = world.login(Login::of(alice()));
    world.attach(&held).unwrap();
    world.attach(&lost).unwrap();
    world.kernel.fifos.insert(lost.clone(), false);
    world.crash();
    world.settle();
    assert_eq!(world.state(&held), Some(SessionState::Active));
    assert_eq!(world.state(&lost), Some(SessionState::Closing), "its last writer went meanwhile");
    world.let_go_of_fifo(&held);
    world.settle();
    assert_eq!(world.state(&held), Some(SessionState::Closing));
    assert!(world.kernel.fifos.is_empty());
}

#[test]
fn a_fifo_that_nobody_had_time_to_remove_is_removed_after_the_restart() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.fork(&session, true);
    world.attach(&session).unwrap();
    // After the file, before anything else.
    world.dies_after = Some(1);
    let request = world.request();
    let end = Event::TerminateSession { request, authority: root(), session };
    world.send(end);
    assert_eq!(world.crashes, 1);
    assert!(world.kernel.fifos.is_empty());
}

#[test]
fn news_of_a_fifo_that_the_session_does_not_have_is_old() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    for session in [session.clone(), "99".parse().unwrap()] {
        world.send(Event::FifoClosed { session });
    }
    assert_eq!(world.state(&session), Some(SessionState::Active));
}
