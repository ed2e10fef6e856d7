//! Names and numbers: a deleted user's number is somebody else's, and a user has two names.

use super::super::world::{Kernel, account, name, other_name};
use super::*;
use crate::event::{Account, Event};
use crate::policy::Authority;

fn flag(world: &mut World, account: Account, linger: bool) {
    world.kernel.accounts.insert(account.name.clone(), account.clone());
    world
        .ask(|request| Event::SetLinger { request, authority: Authority::Caller(Uid::ROOT), account, linger })
        .unwrap();
    world.settle();
}

fn other() -> Account {
    Account { name: other_name(alice()), ..account(alice()) }
}

fn shown(world: &World) -> (String, bool) {
    world.model.user(alice()).map(|user| (user.name.to_string(), user.linger)).unwrap()
}

#[test]
fn whoever_gets_the_number_of_a_deleted_user_does_not_inherit_the_flag() {
    let mut world = World::new(Settings::default());
    flag(&mut world, account(alice()), true);
    world.kernel.deleted.insert(name(alice()));
    let (session, _) = world.login(Login::of(alice()).under_other_name());
    assert_eq!(shown(&world), (other_name(alice()).to_string(), false));
    world.logout(&session).unwrap();
    world.wait(30 * SECOND);
    assert_eq!(world.user_state(alice()), UserState::Offline);
    assert!(world.kernel.linger_flags.contains(&name(alice())), "the flag is the administrator's to remove");
}

#[test]
fn nor_while_the_user_database_cannot_be_asked_once_it_can() {
    let mut world = World::new(Settings::default());
    flag(&mut world, account(alice()), true);
    world.kernel.deleted.insert(name(alice()));
    world.kernel.name_service_down = true;
    world.login(Login::of(alice()).under_other_name());
    world.wait(60 * SECOND);
    assert_eq!(shown(&world), (other_name(alice()).to_string(), true), "nobody knows better yet");
    world.kernel.name_service_down = false;
    world.wait(2 * SECOND);
    assert_eq!(shown(&world), (other_name(alice()).to_string(), false));
}

#[test]
fn nor_after_the_deleted_user_was_ended() {
    let mut world = World::new(Settings::default());
    flag(&mut world, account(alice()), true);
    world.terminate_user(alice());
    world.drive();
    world.kernel.deleted.insert(name(alice()));
    world.kernel.name_service_down = true;
    world.login(Login::of(alice()).under_other_name());
    world.wait(60 * SECOND);
    assert_eq!(shown(&world), (other_name(alice()).to_string(), false));
}

#[test]
fn a_user_with_two_names_lingers_by_the_flag_of_either() {
    let mut world = World::new(Settings::default());
    flag(&mut world, account(alice()), true);
    world.kernel.accounts.insert(other().name, other());
    let (session, _) = world.login(Login::of(alice()).under_other_name());
    assert_eq!(shown(&world), (other_name(alice()).to_string(), true), "the newest name is shown");
    assert_eq!(world.model.lookups.names().count(), 0);
    world.logout(&session).unwrap();
    world.wait(30 * SECOND);
    assert_eq!(world.user_state(alice()), UserState::Lingering);
    // Also after the number of the user has been free for a while.
    world.terminate_user(alice());
    world.drive();
    world.login(Login::of(alice()).under_other_name());
    assert_eq!(shown(&world), (other_name(alice()).to_string(), true));
}

#[test]
fn to_end_lingering_is_to_end_it_by_every_name() {
    let mut world = World::new(Settings::default());
    flag(&mut world, account(alice()), true);
    flag(&mut world, other(), true);
    assert_eq!(world.kernel.linger_flags.len(), 2);
    flag(&mut world, account(alice()), false);
    assert!(world.kernel.linger_flags.is_empty());
    world.settle();
    world.check_nothing_left();
}

#[test]
fn after_a_restart_a_flag_of_another_name_does_not_change_the_name() {
    let mut kernel = Kernel::default();
    for account in [account(alice()), other()] {
        kernel.linger_flags.insert(account.name.clone());
        kernel.accounts.insert(account.name.clone(), account);
    }
    let mut world = World::booted(Settings::default(), kernel);
    world.settle();
    world.login(Login::of(alice()));
    world.crash();
    world.settle();
    assert_eq!(shown(&world), (name(alice()).to_string(), true));
    assert_eq!(world.model.lookups.names().count(), 0);
}
