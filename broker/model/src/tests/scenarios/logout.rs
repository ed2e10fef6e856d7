//! Logging out, and what is left behind.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::super::world::Place;
use super::*;
use crate::event::Event;

#[test]
fn the_last_logout_ends_everything_after_the_stop_delay() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.take_log();
    world.logout(&session).unwrap();
    let at_logout = [
        "reap scope 1",
        "forget leader 1",
        "reply done",
        "save user 1000 closing",
        "forget leader 1",
        "remove session 1",
        "tell session 1 is gone",
        "tell user 1000 display none",
    ];
    assert_eq!(world.take_log(), at_logout);
    world.wait(10 * SECOND - 1);
    assert_eq!(world.take_log(), [""; 0], "the stop delay");
    assert!(!world.kernel.user_files[&alice()].stopping && world.has_dir(alice()));
    world.wait(1);
    let then = [
        "save user 1000 closing",
        "stop manager 1000",
        "save user 1000 closing",
        "tear down 1000",
        "remove user 1000",
        "tell user 1000 is gone",
    ];
    assert_eq!(world.take_log(), then);
    world.check_nothing_left();
}

#[test]
fn without_a_stop_delay_everything_ends_at_once() {
    let mut world = World::with(|s| s.user_stop_delay = Some(0));
    let (_, leader) = world.login(Login::of(alice()));
    world.exit(leader);
    world.settle();
    world.check_nothing_left();
}

#[test]
fn an_endless_stop_delay_keeps_the_user_until_it_is_configured_away() {
    let mut world = World::with(|s| s.user_stop_delay = None);
    let (_, leader) = world.login(Login::of(alice()));
    world.exit(leader);
    world.drive();
    assert_eq!(
        (world.manager(alice()), world.user_state(alice())),
        (ManagerState::Ready, UserState::Closing)
    );
    world.settings.user_stop_delay = Some(10 * SECOND);
    let settings = Box::new(world.settings.clone());
    world.send(Event::Reloaded(settings));
    world.drive();
    world.check_nothing_left();
}

#[test]
fn processes_left_behind_keep_session_and_user_until_they_end() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    let tmux = world.fork(&session, false);
    world.exit(leader);
    world.wait(3600 * SECOND);
    assert!(world.kernel.is_alive(tmux), "KillUserProcesses=no");
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    assert_eq!(world.user_state(alice()), UserState::Closing);
    assert_eq!(world.kernel.session_files[&session].leader, None);
    assert_eq!(world.manager(alice()), ManagerState::Ready, "the user is pinned");
    world.exit(tmux);
    world.settle();
    assert_eq!(world.state(&session), None);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn with_killing_leftovers_are_told_to_go_and_killed_in_the_end_but_not_the_pam_application() {
    let mut world = World::with(|s| s.kill_user_processes = true);
    let (session, sshd) = world.login(Login::of(alice()));
    let polite = world.fork(&session, false);
    let deaf = world.fork(&session, true);
    world.take_log();
    world.logout(&session).unwrap();
    assert_eq!(world.kernel.place_of(sshd), Some(&Place::Elsewhere), "back to where it came from");
    world.wait(90 * SECOND - 1);
    let signals: Vec<_> = world.log.iter().filter(|line| line.starts_with("signal")).collect();
    assert_eq!(signals, ["signal scope 1 15", "signal scope 1 1"]);
    assert!(!world.kernel.is_alive(polite) && world.kernel.is_alive(deaf) && world.kernel.is_alive(sshd));
    world.wait(1);
    assert!(!world.kernel.is_alive(deaf) && world.kernel.is_alive(sshd));
    assert_eq!(world.state(&session), None);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn whose_processes_are_killed_is_a_matter_of_the_lists() {
    let mut world = World::with(|s| {
        s.kill_user_processes = true;
        s.kill_exclude_users = Some(vec!["user1001".to_owned()]);
    });
    for (user, killed) in [(alice(), true), (bob(), false)] {
        let (session, leader) = world.login(Login::of(user));
        let process = world.fork(&session, false);
        world.exit(leader);
        world.settle();
        assert_eq!(!world.kernel.is_alive(process), killed, "{user}");
    }
}

#[test]
fn closing_twice_or_what_is_gone_changes_nothing() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let process = world.fork(&session, false);
    world.logout(&session).unwrap();
    world.take_log();
    world.logout(&session).unwrap();
    assert_eq!(world.take_log(), ["reply done"]);
    world.exit(process);
    world.settle();
    assert!(matches!(world.logout(&session), Err(Refusal::NoSuchSession { .. })));
}

#[test]
fn close_and_exit_in_the_same_instant_are_one_end() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, false);
    // The news of the exit is under way when the logout comes.
    world.exit(leader);
    world.logout(&session).unwrap();
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    world.settle();
    assert_eq!(world.model.sessions().len(), 1);

    let (session, leader) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.exit(leader);
    world.send(Event::LeaderExited { session: session.clone() });
    assert_eq!(world.state(&session), None);
}

#[test]
fn owner_and_root_may_close_and_nobody_else() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.take_log();
    assert!(matches!(world.close(bob(), &session), Err(Refusal::AccessDenied { .. })));
    assert_eq!(world.take_log().len(), 1, "nothing but the answer");
    assert_eq!(world.state(&session), Some(SessionState::Active));
    world.close(alice(), &session).unwrap();
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_leader_may_open_another_session_when_it_has_closed_its_first() {
    let mut world = World::new(Settings::default());
    let (first, gdm) = world.login(Login::of(alice()).service("gdm"));
    let left = world.fork(&first, false);
    world.logout(&first).unwrap();
    let (second, _) = world.login(Login::of(alice()).service("gdm").by(gdm));
    assert_ne!(first, second);
    world.exit(left);
    world.settle();
    assert_eq!(world.state(&first), None);
    let place = Place::Scope(alice(), second.clone());
    assert_eq!(
        world.kernel.place_of(gdm),
        Some(&place),
        "the end of the first does not move it out of the second"
    );
    world.exit(gdm);
    world.settle();
    assert_eq!(world.state(&second), None);
}

#[test]
fn another_process_with_the_number_of_a_dead_leader_is_another_leader() {
    let mut world = World::new(Settings::default());
    let (first, leader) = world.login(Login::of(alice()));
    world.fork(&first, false);
    // Nobody has told the broker yet.
    world.exit(leader);
    let second = world.open(Login::of(bob()).again());
    assert_eq!(second.leader.pid, leader.pid);
    world.settle();
    let second = world.reply(second.request).session.unwrap();
    assert_eq!(world.state(&first), Some(SessionState::Closing));
    assert_eq!(world.state(&second), Some(SessionState::Active));
    assert_eq!(world.model.session_led_by(leader), None);
}

#[test]
fn a_cgroup_that_cannot_be_removed_is_tried_again_less_and_less_often() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.failures.reap = true;
    world.take_log();
    world.exit(leader);
    world.wait(63 * SECOND);
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    assert_eq!(world.kernel.session_files[&session].state, SessionState::Closing);
    assert_eq!(world.count("reap scope 1"), 7);
    assert_eq!(world.news.iter().filter(|line| line.contains("trying again")).count(), 1);
    world.failures.reap = false;
    world.wait(64 * SECOND);
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_directory_that_cannot_be_removed_is_reported_and_keeps_nobody() {
    let mut world = World::new(Settings::default());
    let (_, leader) = world.login(Login::of(alice()));
    world.failures.teardown = true;
    world.littered = true;
    world.exit(leader);
    world.drive();
    assert_eq!(world.user_state(alice()), UserState::Offline);
    assert!(world.news.iter().any(|line| line.contains("cannot unmount")));
    world.failures.teardown = false;
    let (_, leader) = world.login(Login::of(alice()));
    world.exit(leader);
    world.drive();
    assert!(!world.has_dir(alice()));
}

#[test]
fn ipc_objects_go_with_people_only() {
    let mut world = World::new(Settings::default());
    for (user, removed) in [(alice(), true), (uid(999), false)] {
        let (_, leader) = world.login(Login::of(user).class(SessionClass::Background));
        world.exit(leader);
        while world.step() {}
        let deadline = world.model.next_deadline().unwrap();
        world.jump(deadline);
        world.send(Event::Tick);
        world.step();
        world.step();
        let tears = |soon: &super::super::world::Soon| {
            format!("{soon:?}").contains(&format!("remove_ipc: {removed}"))
        };
        assert!(world.soon.iter().any(tears), "{:?}", world.soon);
        world.drive();
    }
}
