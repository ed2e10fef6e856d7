//! Ending sessions and users by force.

use usher_protocol::messages::Refusal;
use usher_protocol::session::KillWhom;

use super::super::world::Place;
use super::*;
use crate::event::Event;
use crate::policy::Authority;

#[test]
fn a_terminated_session_is_told_to_go_and_killed_in_the_end() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    let deaf = world.fork(&session, true);
    world.take_log();
    world.terminate(&session);
    assert_eq!((world.count("signal scope 1 15"), world.state(&session)), (1, Some(SessionState::Closing)));
    world.wait(90 * SECOND - 1);
    assert!(!world.kernel.is_alive(leader) && world.kernel.is_alive(deaf));
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    world.wait(1);
    assert_eq!(world.state(&session), None);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn whoever_was_told_to_go_once_is_not_given_more_time() {
    let mut world = World::with(|s| s.kill_user_processes = true);
    let deaf = world.kernel.spawn(Place::Elsewhere, true);
    let (session, _) = world.login(Login::of(alice()).by(deaf));
    let process = world.fork(&session, true);
    world.terminate(&session);
    world.wait(50 * SECOND);
    world.exit(deaf);
    world.wait(40 * SECOND);
    assert!(!world.kernel.is_alive(process));
}

#[test]
fn a_terminated_session_without_a_cgroup_loses_its_leader() {
    let mut world = World::with(|s| s.cgroups = false);
    let (session, leader) = world.login(Login::of(alice()));
    world.terminate(&session);
    world.settle();
    assert!(!world.kernel.is_alive(leader) && world.state(&session).is_none());
}

#[test]
fn leftovers_of_a_logout_can_still_be_terminated() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, false);
    world.exit(leader);
    world.settle();
    world.terminate(&session);
    world.settle();
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_login_whose_session_is_terminated_meanwhile_is_answered_at_once() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Hung;
    let leader = world.kernel.spawn(Place::Elsewhere, true);
    let sent = world.open(Login::of(alice()).by(leader));
    world.terminate(&"1".parse().unwrap());
    assert!(!world.unanswered.contains(&sent.request), "though the leader lives on");
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(leader));
}

#[test]
fn a_terminated_user_goes_at_once() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    world.login(Login::of(alice()));
    world.terminate_user(alice());
    world.settle();
    world.check_nothing_left();
}

#[test]
fn a_user_terminated_within_the_stop_delay_leaves_no_timer() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.terminate_user(alice());
    world.settle();
    world.check_nothing_left();
}

#[test]
fn a_terminated_lingering_user_stays_down_until_the_next_login_and_lingers_again_after_it() {
    let mut world = World::new(Settings::default());
    world.set_linger(alice(), true).unwrap();
    world.settle();
    world.terminate_user(alice());
    world.drive();
    assert_eq!(world.user_state(alice()), UserState::Offline);
    assert!(!world.has_dir(alice()) && world.kernel.linger_flags.len() == 1, "the flag stays");
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.drive();
    assert_eq!(
        (world.user_state(alice()), world.manager(alice())),
        (UserState::Lingering, ManagerState::Ready)
    );
}

#[test]
fn a_lookup_under_way_does_not_bring_a_terminated_user_back() {
    let mut world = World::new(Settings::default());
    world.set_linger(alice(), true).unwrap();
    world.settle();
    world.kernel.user_files.clear();
    // As after a boot: the flag is looked up while a manager is started by hand.
    world.crash();
    let by_hand = Login::of(alice()).class(usher_protocol::session::SessionClass::Manager);
    world.open(by_hand);
    world.terminate_user(alice());
    world.settle();
    assert_eq!(world.user_state(alice()), UserState::Offline);
}

#[test]
fn a_login_during_termination_gets_a_session_and_a_manager() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    let deaf = world.fork(&first, true);
    world.terminate_user(alice());
    world.settle();
    assert_eq!(world.manager(alice()), ManagerState::None, "stopped, though a process is left");
    assert!(world.has_dir(alice()), "for what is left");
    world.login(Login::of(alice()));
    assert_eq!((world.manager(alice()), world.user_state(alice())), (ManagerState::Ready, UserState::Active));
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(deaf));
    assert_eq!(world.user_state(alice()), UserState::Active);
}

#[test]
fn signals_go_where_they_are_sent() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let kill = |whom, signal| {
        let session = session.clone();
        move |request| Event::KillSession {
            request,
            authority: Authority::Caller(alice()),
            session,
            whom,
            signal,
        }
    };
    world.take_log();
    world.ask(kill(KillWhom::Leader, 10)).unwrap();
    world.ask(kill(KillWhom::All, 12)).unwrap();
    world
        .ask(|request| Event::KillUser {
            request,
            authority: Authority::Caller(Uid::ROOT),
            uid: alice(),
            signal: 1,
        })
        .unwrap();
    let sent = ["signal leader 1 10", "reply done", "signal scope 1 12", "reply done", "signal user 1000 1"];
    assert_eq!(world.take_log()[..5], sent);
    let other = world.ask(|request| Event::KillUser {
        request,
        authority: Authority::Caller(bob()),
        uid: alice(),
        signal: 9,
    });
    assert!(matches!(other, Err(Refusal::AccessDenied { .. })));
    let nobody = world.ask(|request| Event::KillUser {
        request,
        authority: Authority::Caller(Uid::ROOT),
        uid: bob(),
        signal: 9,
    });
    assert!(matches!(nobody, Err(Refusal::NoSuchUser { uid: 1001 })));
}

#[test]
fn what_is_not_there_cannot_be_signalled() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, false);
    world.exit(leader);
    world.settle();
    let kill = Event::KillSession {
        request: world.request(),
        authority: Authority::Caller(Uid::ROOT),
        session: session.clone(),
        whom: KillWhom::Leader,
        signal: 9,
    };
    world.take_log();
    world.send(kill);
    assert_eq!(world.take_log(), ["refuse Session '1' has no leader any more"]);
}
