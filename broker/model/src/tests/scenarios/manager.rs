//! User managers that are late, die, or do not stop.

use super::*;
use crate::event::{Event, Generation};

#[test]
fn a_login_waits_no_longer_than_it_should_and_says_so() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Slow;
    let sent = world.open(Login::of(alice()));
    world.wait(10 * SECOND - 1);
    assert!(world.unanswered.contains(&sent.request));
    world.wait(1);
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.runtime_path.is_some()), (ManagerState::Starting, true));
    assert!(reply.notice.contains("not ready yet"), "{reply:?}");
}

#[test]
fn one_that_dies_before_it_is_ready_is_waited_for_no_longer_and_started_again() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Dying;
    let sent = world.open(Login::of(alice()));
    world.settle();
    let reply = world.reply(sent.request);
    assert_eq!(reply.manager, ManagerState::Restarting);
    assert!(reply.notice.contains("(attempt 2 of 5): it ended before it was ready"), "{reply:?}");
    world.temper = Temper::Good;
    world.wait(SECOND / 10);
    assert_eq!(world.manager(alice()), ManagerState::Ready);
}

#[test]
fn one_that_keeps_dying_is_given_up_until_the_next_login() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Missing;
    world.login(Login::of(alice()));
    world.drive();
    assert_eq!((world.count("start manager"), world.manager(alice())), (5, ManagerState::Failed));
    assert!(world.model.user(alice()).unwrap().notice.contains("5 times in a row"));
    world.temper = Temper::Good;
    let sent = world.open(Login::of(alice()));
    world.settle();
    assert_eq!(world.reply(sent.request).manager, ManagerState::Ready);
}

#[test]
fn one_that_dies_while_it_is_needed_is_started_again() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    let die = |world: &mut World| {
        let main = world.kernel.user_files[&alice()].manager.unwrap();
        world.exit(main);
        world.drive();
    };
    for _ in 0..4 {
        die(&mut world);
        assert_eq!(world.manager(alice()), ManagerState::Ready);
    }
    world.wait(60 * SECOND);
    die(&mut world);
    assert_eq!(world.manager(alice()), ManagerState::Ready, "a minute of health is a new start");
    for _ in 0..4 {
        die(&mut world);
    }
    assert_eq!(world.manager(alice()), ManagerState::Failed);
}

#[test]
fn one_that_dies_when_nobody_needs_it_any_more_stays_away() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.wait(10 * SECOND - SECOND / 20);
    let main = world.kernel.user_files[&alice()].manager.unwrap();
    world.exit(main);
    world.drive();
    assert_eq!(world.count("start manager"), 1);
    world.check_nothing_left();
}

#[test]
fn one_that_never_becomes_ready_is_stopped_and_given_up() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Slow;
    world.login_anyhow();
    world.wait(80 * SECOND);
    assert_eq!(world.manager(alice()), ManagerState::Failed);
    assert!(world.model.user(alice()).unwrap().notice.contains("ManagerStartTimeoutSec="));
    assert_eq!(world.count("start manager"), 1);
}

#[test]
fn a_login_while_a_hung_one_is_being_stopped_gets_another() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Hung;
    world.login_anyhow();
    world.wait(80 * SECOND);
    assert_eq!(world.manager(alice()), ManagerState::Stopping);
    world.temper = Temper::Good;
    let sent = world.open(Login::of(alice()));
    world.wait(10 * SECOND);
    assert_eq!(world.reply(sent.request).manager, ManagerState::Stopping);
    world.wait(110 * SECOND);
    assert_eq!((world.count("kill manager"), world.manager(alice())), (1, ManagerState::Ready));
}

#[test]
fn one_that_does_not_stop_is_killed() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Stubborn;
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.wait(130 * SECOND - 1);
    assert_eq!((world.manager(alice()), world.count("kill manager")), (ManagerState::Stopping, 0));
    assert!(world.has_dir(alice()));
    world.wait(1);
    assert_eq!(world.count("kill manager"), 1);
    world.check_nothing_left();
}

#[test]
fn time_without_end_is_no_deadline() {
    let mut world = World::with(|s| {
        s.manager_start_timeout = u64::MAX;
        s.manager_stop_timeout = u64::MAX;
        s.scope_stop_timeout = u64::MAX;
        s.user_stop_delay = Some(u64::MAX);
    });
    world.temper = Temper::Slow;
    let (session, _) = world.login_anyhow();
    world.terminate(&session);
    world.drive();
    assert_eq!(world.manager(alice()), ManagerState::Starting);
}

#[test]
fn a_users_own_times_are_deadlines_for_the_run_that_has_begun_and_for_those_to_come() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Slow;
    let (session, _) = world.login_anyhow();
    let generation = Generation(1);
    world.send(Event::ManagerTimes {
        uid: alice(),
        generation,
        start: Some(20 * SECOND),
        stop: Some(SECOND),
    });
    world.wait(10 * SECOND);
    assert_eq!(world.manager(alice()), ManagerState::Starting);
    world.temper = Temper::Stubborn;
    world.send(Event::ManagerReady { uid: alice(), generation });
    world.logout(&session).unwrap();
    world.wait(11 * SECOND);
    assert_eq!(world.count("stop manager"), 1);
}

#[test]
fn a_user_who_is_to_have_none_waits_for_none_and_is_asked_about_at_each_login() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Unwanted;
    let sent = world.open(Login::of(alice()));
    world.settle();
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.notice.as_str()), (ManagerState::None, ""));
    world.wait(60 * SECOND);
    assert_eq!(world.count("start manager"), 1);
    world.temper = Temper::Good;
    world.login(Login::of(alice()));
    assert_eq!((world.count("start manager"), world.manager(alice())), (2, ManagerState::Ready));
}

#[test]
fn news_of_an_earlier_run_is_old_news() {
    for (temper, state) in [(Temper::Good, ManagerState::Ready), (Temper::Slow, ManagerState::Starting)] {
        let mut world = World::new(Settings::default());
        world.temper = temper;
        world.open(Login::of(alice()));
        world.settle();
        let (uid, generation) = (alice(), Generation(0));
        for event in [
            Event::ManagerStarted { uid, generation, result: Err("no such file".to_owned()) },
            Event::ManagerReady { uid, generation },
            Event::ManagerGone { uid, generation, how: "exit status 0".to_owned() },
        ] {
            world.send(event);
            assert_eq!(world.manager(alice()), state);
        }
    }
}

#[test]
fn where_none_is_configured_none_is_waited_for() {
    let mut world = World::with(|s| s.manager = false);
    let sent = world.open(Login::of(alice()));
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.notice.as_str()), (ManagerState::None, ""));
}

impl World {
    /// Logs in and waits out the manager.
    fn login_anyhow(&mut self) -> (SessionId, u32) {
        let sent = self.open(Login::of(alice()));
        self.wait(10 * SECOND);
        (self.reply(sent.request).session.unwrap(), sent.leader.pid)
    }
}

#[test]
fn one_that_is_configured_later_is_started_for_those_who_are_there() {
    let mut world = World::with(|s| s.manager = false);
    let (session, _) = world.login(Login::of(alice()));
    assert_eq!(world.manager(alice()), ManagerState::None);
    let with_manager = |manager| Box::new(Settings { manager, ..Settings::default() });
    world.send(Event::Reloaded(with_manager(true)));
    world.settle();
    assert_eq!(world.manager(alice()), ManagerState::Ready);
    // The other way round nobody's is taken away.
    world.send(Event::Reloaded(with_manager(false)));
    world.settle();
    assert_eq!((world.manager(alice()), world.count("stop manager")), (ManagerState::Ready, 0));
    world.logout(&session).unwrap();
    world.drive();
    world.check_nothing_left();
}
