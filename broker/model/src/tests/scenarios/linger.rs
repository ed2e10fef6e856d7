//! Users who are kept without a login.

use usher_protocol::messages::Refusal;

use super::super::world::{Kernel, account, name};
use super::*;
use crate::event::Event;
use crate::policy::Authority;

/// A machine with a flag for alice, just booted.
fn booted(name_service_down: bool) -> World {
    let mut kernel = Kernel { name_service_down, ..Kernel::default() };
    kernel.linger_flags.insert(name(alice()));
    kernel.accounts.insert(name(alice()), account(alice()));
    World::booted(Settings::default(), kernel)
}

#[test]
fn the_flag_is_on_the_disk_before_anything_follows_from_it() {
    let mut world = World::new(Settings::default());
    world.take_log();
    world.set_linger(alice(), true).unwrap();
    world.settle();
    let all = [
        "write linger 1000 true",
        "save user 1000 opening",
        "create directory 1000",
        "tell user 1000 is new",
        "reply done",
        "save user 1000 lingering",
        "start manager 1000",
        "save user 1000 lingering",
        "release manager 1000",
        "save user 1000 lingering",
        "tell user 1000 has a manager",
    ];
    assert_eq!(world.take_log(), all);
    assert!(world.model.user(alice()).unwrap().linger);
}

#[test]
fn a_flag_that_cannot_be_written_changes_nothing() {
    let mut world = World::new(Settings::default());
    world.failures.linger = true;
    assert!(matches!(world.set_linger(alice(), true), Err(Refusal::Failed { .. })));
    assert_eq!(world.user_state(alice()), UserState::Offline);
}

#[test]
fn ones_own_flag_is_ones_own_business_and_nobody_elses() {
    let mut world = World::new(Settings::default());
    let account = account(alice());
    world.take_log();
    let other = world.ask(|request| Event::SetLinger {
        request,
        authority: Authority::Caller(bob()),
        account,
        linger: true,
    });
    assert!(matches!(other, Err(Refusal::AccessDenied { .. })));
    assert_eq!(world.count("write linger"), 0);
}

#[test]
fn without_the_flag_the_user_goes_unless_logged_in() {
    let mut world = World::new(Settings::default());
    world.set_linger(alice(), true).unwrap();
    let (session, _) = world.login(Login::of(alice()));
    world.set_linger(alice(), false).unwrap();
    world.drive();
    assert_eq!(world.user_state(alice()), UserState::Active);
    world.set_linger(alice(), true).unwrap();
    world.logout(&session).unwrap();
    world.drive();
    assert_eq!(world.user_state(alice()), UserState::Lingering);
    world.set_linger(alice(), false).unwrap();
    world.settle();
    world.check_nothing_left();
}

#[test]
fn whoever_has_a_flag_is_started_at_boot() {
    let mut world = booted(false);
    world.settle();
    assert_eq!(
        (world.user_state(alice()), world.manager(alice())),
        (UserState::Lingering, ManagerState::Ready)
    );
    assert!(world.has_dir(alice()));
}

#[test]
fn a_flag_cleared_while_its_name_is_looked_up_starts_nobody() {
    let mut world = booted(true);
    world.set_linger(alice(), false).unwrap();
    world.kernel.name_service_down = false;
    world.drive();
    world.check_nothing_left();

    let mut world = booted(false);
    let account = account(alice());
    // The lookup's answer comes after the flag has gone.
    let request = world.request();
    let also = vec![];
    let written = Event::LingerWritten { request, account, also, linger: false, result: Ok(()) };
    world.kernel.linger_flags.clear();
    world.send(written);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn a_lingering_user_s_broken_directory_is_tried_again_with_the_flag() {
    let mut world = World::new(Settings::default());
    world.failures.runtime_dir = true;
    world.set_linger(alice(), true).unwrap();
    world.drive();
    assert_eq!((world.manager(alice()), world.has_dir(alice())), (ManagerState::Failed, false));
    world.failures.runtime_dir = false;
    world.set_linger(alice(), true).unwrap();
    world.settle();
    assert_eq!((world.manager(alice()), world.has_dir(alice())), (ManagerState::Ready, true));
}

#[test]
fn the_flag_of_another_name_does_not_bring_a_terminated_user_back() {
    let mut world = booted(true);
    let (session, _) = world.login(Login::of(alice()).under_other_name());
    world.fork(&session, true);
    world.terminate_user(alice());
    world.kernel.name_service_down = false;
    world.wait(60 * SECOND);
    assert_eq!(
        (world.state(&session), world.user_state(alice())),
        (Some(SessionState::Closing), UserState::Closing)
    );
    world.drive();
    world.check_nothing_left_but_flags();
}
