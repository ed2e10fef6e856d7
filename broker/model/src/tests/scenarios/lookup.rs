//! Lingering users whom the user database does not know yet, or who have no home directory yet.

use super::super::world::{Kernel, account, name};
use super::*;
use crate::event::Event;

/// A machine with a flag for each of so many users, all of them in the user database, just booted.
fn booted(users: u32, change: impl FnOnce(&mut Settings, &mut Kernel)) -> World {
    let mut settings = Settings::default();
    let mut kernel = Kernel::default();
    for user in (1000..1000 + users).map(uid) {
        kernel.linger_flags.insert(name(user));
        kernel.accounts.insert(name(user), account(user));
    }
    change(&mut settings, &mut kernel);
    World::booted(settings, kernel)
}

fn down(users: u32) -> World {
    booted(users, |_, kernel| kernel.name_service_down = true)
}

fn without_homes(users: u32) -> World {
    booted(users, |settings, kernel| (settings.linger_needs_home, kernel.homes_missing) = (true, true))
}

fn ready(world: &World, users: u32) -> bool {
    (1000..1000 + users).all(|user| world.manager(uid(user)) == ManagerState::Ready)
}

fn told(world: &World, words: &str) -> usize {
    world.news.iter().filter(|line| line.contains(words)).count()
}

#[test]
fn a_name_service_that_comes_late_is_noticed_within_two_seconds_however_late_it_comes() {
    for outage in [1, 60, 3600] {
        let mut world = down(1);
        world.wait(outage * SECOND);
        assert_eq!(world.user_state(alice()), UserState::Offline);
        assert_eq!(told(&world, "cannot be looked up"), 1);
        world.kernel.name_service_down = false;
        world.wait(2 * SECOND);
        assert!(ready(&world, 1), "after {outage} s");
    }
}

#[test]
fn many_names_are_looked_up_eight_a_second_and_all_are_due_when_one_is_known() {
    let mut world = down(500);
    // The first round is at once.
    world.wait(120 * SECOND);
    let before = world.count("resolve");
    world.wait(60 * SECOND);
    let attempts = world.count("resolve") - before;
    assert!((450..=510).contains(&attempts), "{attempts} attempts in a minute");
    world.kernel.name_service_down = false;
    world.wait(SECOND);
    assert!(ready(&world, 500));
}

#[test]
fn names_that_nobody_has_are_not_looked_up_because_others_are_known() {
    let mut world = booted(50, |_, kernel| kernel.deleted.extend((1010..1050).map(|user| name(uid(user)))));
    world.wait(SECOND / 2);
    assert!(ready(&world, 10));
    assert_eq!(world.count("resolve"), 50);
}

#[test]
fn the_flag_of_a_user_who_was_deleted_is_looked_up_rarely_after_a_while() {
    let mut world = booted(1, |_, kernel| kernel.deleted.extend([name(alice())]));
    world.wait(610 * SECOND);
    let before = world.count("resolve");
    assert!(before > 250, "{before}");
    world.wait(600 * SECOND);
    assert_eq!(world.count("resolve") - before, 2, "five minutes apart");
    world.kernel.deleted.clear();
    world.wait(300 * SECOND);
    assert!(ready(&world, 1), "and still noticed");
}

#[test]
fn one_who_was_unknown_for_long_is_due_when_another_is_found() {
    let mut world = booted(2, |_, kernel| kernel.deleted.extend([name(alice()), name(bob())]));
    world.wait(1234 * SECOND);
    world.kernel.deleted.clear();
    // Somebody asks for the configuration to be read again: everybody is looked up.
    world.send(Event::Reloaded(Box::default()));
    world.settle();
    assert!(ready(&world, 2));
}

#[test]
fn what_the_database_says_after_an_outage_does_not_count_as_said_all_the_while() {
    let mut world = down(1);
    world.wait(1000 * SECOND);
    // It is up, and does not know its users yet.
    world.kernel.deleted.insert(name(alice()));
    world.kernel.name_service_down = false;
    world.wait(30 * SECOND);
    world.kernel.deleted.clear();
    world.wait(2 * SECOND);
    assert!(ready(&world, 1));
    assert_eq!(told(&world, "lingers but"), 2, "{:?}", world.news);
}

#[test]
fn a_home_directory_that_comes_with_a_mount_is_noticed_at_once() {
    let mut world = without_homes(1);
    world.wait(3600 * SECOND);
    assert_eq!(world.user_state(alice()), UserState::Offline);
    assert_eq!(told(&world, "is started when there is a home directory"), 1);
    world.mount();
    world.wait(SECOND);
    assert_eq!(world.user_state(alice()), UserState::Offline, "it was another directory");
    world.homes(false);
    world.wait(SECOND / 4);
    assert!(ready(&world, 1));
    assert_eq!(world.model.next_deadline(), None);
}

#[test]
fn one_that_comes_without_a_mount_is_noticed_within_half_a_minute() {
    let mut world = without_homes(1);
    world.wait(300 * SECOND);
    world.kernel.homes_missing = false;
    world.wait(30 * SECOND);
    assert!(ready(&world, 1));
}

#[test]
fn a_mount_while_the_home_directory_is_looked_for_is_not_missed() {
    let mut world = without_homes(1);
    // The answer is on its way when the mount happens.
    assert!(world.step());
    world.homes(false);
    world.wait(SECOND / 4);
    assert!(ready(&world, 1));
}

#[test]
fn whoever_logs_in_or_asks_does_not_wait_for_the_home_directory() {
    let mut world = without_homes(2);
    world.wait(10 * SECOND);
    let (session, _) = world.login(Login::of(alice()));
    assert_eq!(world.manager(alice()), ManagerState::Ready);
    world.logout(&session).unwrap();
    world.wait(20 * SECOND);
    assert_eq!(world.user_state(alice()), UserState::Lingering);
    world.set_linger(bob(), true).unwrap();
    world.settle();
    assert!(ready(&world, 2));
    assert_eq!(world.model.next_deadline(), None, "nobody looks for a home directory any more");
}

#[test]
fn by_default_nobody_waits_for_home_directories_or_watches_mounts() {
    let mut world = booted(3, |_, kernel| kernel.homes_missing = true);
    world.settle();
    assert!(ready(&world, 3));
    assert_eq!(world.count("watch mounts"), 0);
}
