//! Closing by others than the leader: by the token, from processes that live on.

use usher_protocol::ids::LeaderPid;
use usher_protocol::messages::Refusal;

use super::super::world::Place;
use super::*;
use crate::policy::Authority;

const ROOT: Authority = Authority::Caller(Uid::ROOT);

/// alice is logged in; the leader, and a child of it that is in the session, too.
fn forked(world: &mut World) -> (SessionId, LeaderPid, LeaderPid) {
    let (session, leader) = world.login(Login::of(alice()));
    let child = world.fork(&session, true);
    (session, leader, child)
}

#[test]
fn the_token_closes_as_root_does() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    assert!(matches!(world.close(bob(), &session), Err(Refusal::AccessDenied { .. })));
    world.close_by(Authority::Token, None, &session).unwrap();
    assert_eq!(world.state(&session), None);
    let again = world.close_by(Authority::Token, None, &session);
    assert!(matches!(again, Err(Refusal::NoSuchSession { .. })));
}

#[test]
fn a_child_that_closes_and_lives_on_keeps_nobody() {
    for authority in [Authority::Token, ROOT] {
        let mut world = World::new(Settings::default());
        let (session, leader, child) = forked(&mut world);
        world.close_by(authority, Some(child), &session).unwrap();
        assert_eq!(world.state(&session), None, "{authority:?}");
        assert_eq!(world.kernel.place_of(child), Some(&Place::Elsewhere));
        assert_eq!(world.kernel.place_of(leader), Some(&Place::Elsewhere));
        world.drive();
        assert!(world.model.user(alice()).is_none());
    }
}

#[test]
fn the_user_alone_gets_none_of_his_processes_past_the_logout() {
    let mut world = World::with(|s| s.kill_user_processes = true);
    let (session, leader, child) = forked(&mut world);
    world.close_by(Authority::Caller(alice()), Some(child), &session).unwrap();
    let scope = Place::Scope(alice(), session.clone());
    assert_eq!(world.kernel.place_of(child), Some(&scope));
    assert_eq!(world.kernel.place_of(leader), Some(&Place::Elsewhere));
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(child), "KillUserProcesses=yes");
    assert_eq!(world.state(&session), None);
}

#[test]
fn parent_and_child_both_close_in_either_order() {
    for parent_first in [true, false] {
        let mut world = World::new(Settings::default());
        let (session, leader, child) = forked(&mut world);
        let (first, second) = if parent_first { (leader, child) } else { (child, leader) };
        world.close_by(ROOT, Some(first), &session).unwrap();
        let over = world.state(&session);
        assert_eq!(over, parent_first.then_some(SessionState::Closing));
        let again = world.close_by(Authority::Token, Some(second), &session);
        assert!(matches!(again, Ok(()) | Err(Refusal::NoSuchSession { .. })), "{again:?}");
        assert_eq!(world.state(&session), None);
        for process in [leader, child] {
            assert_eq!(world.kernel.place_of(process), Some(&Place::Elsewhere));
        }
    }
}

#[test]
fn one_who_closes_after_the_leader_has_died_leaves_too() {
    let mut world = World::new(Settings::default());
    let (session, leader, child) = forked(&mut world);
    world.exit(leader);
    world.settle();
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    world.close_by(Authority::Token, Some(child), &session).unwrap();
    assert_eq!(world.state(&session), None);
    assert!(world.kernel.is_alive(child));
}

#[test]
fn one_who_closes_while_the_cgroup_is_made_leaves_it_as_soon_as_it_is() {
    let mut world = World::new(Settings::default());
    world.delayed = true;
    let login = world.open(Login::of(alice()));
    world.step();
    let session: SessionId = "1".parse().unwrap();
    assert_eq!(world.count("create scope 1"), 1);
    let child = world.kernel.spawn(Place::Scope(alice(), session.clone()), false);
    world.close_by(Authority::Token, Some(child), &session).unwrap();
    world.settle();
    assert!(matches!(world.refusal(login.request), Refusal::Failed { .. }));
    assert_eq!(world.state(&session), None);
    assert!(world.kernel.is_alive(child));
}

#[test]
fn what_else_is_in_the_session_keeps_it() {
    let mut world = World::new(Settings::default());
    let (session, _, child) = forked(&mut world);
    let tmux = world.fork(&session, false);
    world.close_by(Authority::Token, Some(child), &session).unwrap();
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    assert_eq!(world.kernel.place_of(tmux), Some(&Place::Scope(alice(), session.clone())));
    world.exit(tmux);
    world.settle();
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_logout_that_a_dying_broker_did_not_answer_is_asked_for_again_or_waits_for_the_leader() {
    for asks_again in [true, false] {
        let mut world = World::new(Settings::default());
        let (session, leader, child) = forked(&mut world);
        // Nothing is on file of the logout yet, and nobody has been moved.
        world.dies_after = Some(1);
        let request = world.request();
        let (authority, closer) = (Authority::Token, Some(child));
        world.send(crate::event::Event::Close { request, authority, session: session.clone(), closer });
        world.settle();
        assert_eq!((world.crashes, world.state(&session)), (1, Some(SessionState::Active)));
        if asks_again {
            world.close_by(authority, closer, &session).unwrap();
        } else {
            world.exit(child);
            world.exit(leader);
            world.settle();
        }
        assert_eq!(world.state(&session), None);
    }
}

#[test]
fn only_so_many_are_remembered() {
    let mut world = World::new(Settings::default());
    let (session, _, child) = forked(&mut world);
    for _ in 0..100 {
        let other = world.fork(&session, false);
        world.close_by(ROOT, Some(other), &session).unwrap();
        assert_eq!(world.kernel.place_of(other), Some(&Place::Elsewhere));
    }
    assert!(world.model.sessions.get(&session).unwrap().leaving.len() <= 16);
    world.close_by(ROOT, Some(child), &session).unwrap();
    assert_eq!(world.state(&session), None);
}
