//! The broker dies and is started again.

use usher_protocol::ids::VtNr;
use usher_protocol::session::SessionClass;

use super::super::world::{Kernel, Place};
use super::*;
use crate::record::GcMode;

#[test]
fn sessions_managers_and_directories_are_the_same_after_it() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    world.login(Login::of(bob()));
    let (sessions, users) = (world.model.sessions(), world.model.users());
    world.take_log();
    world.crash();
    world.drive();
    assert_eq!((world.model.sessions(), world.model.users()), (sessions, users));
    assert_eq!((world.count("adopt manager"), world.count("start manager")), (2, 0));
    assert_eq!((world.count("create"), world.count("remove")), (0, 0));
}

#[test]
fn what_ended_meanwhile_is_cleaned_up() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, false);
    let (gone, other) = world.login(Login::of(alice()));
    world.exit(leader);
    world.exit(other);
    world.crash();
    world.settle();
    assert_eq!((world.state(&session), world.state(&gone)), (Some(SessionState::Closing), None));
}

#[test]
fn session_ids_are_not_used_again() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    world.logout(&first).unwrap();
    world.drive();
    world.crash();
    let (second, _) = world.login(Login::of(alice()));
    assert_ne!(first, second);
}

#[test]
fn ids_that_nobody_can_count_on_from_are_no_numbers() {
    let mut kernel = Kernel::default();
    let mut world = World::new(Settings::default());
    let (id, _) = world.login(Login::of(alice()));
    let record = world.kernel.session_files[&id].clone();
    for odd in ["18446744073709551615", "c4"] {
        let record = crate::record::SessionRecord { id: odd.parse().unwrap(), ..record.clone() };
        kernel.session_files.insert(record.id.clone(), record);
    }
    kernel.user_files = world.kernel.user_files.clone();
    kernel.processes = world.kernel.processes.clone();
    kernel.reserved_ids = u64::MAX;
    let (model, _) = crate::Model::restore(Settings::default(), kernel.found(true), world.now);
    assert_eq!(model.sessions().len(), 2);
}

#[test]
fn the_stop_delay_goes_on() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.wait(6 * SECOND);
    world.crash();
    world.wait(4 * SECOND - 1);
    assert!(world.has_dir(alice()));
    world.wait(1);
    world.check_nothing_left();
}

#[test]
fn leftovers_that_were_told_to_go_are_told_again_and_killed_in_the_end() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    let deaf = world.fork(&session, true);
    world.exit(leader);
    world.settle();
    world.terminate(&session);
    world.wait(50 * SECOND);
    world.take_log();
    world.crash();
    assert_eq!(world.count("signal scope 1 15"), 1);
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(deaf));
    world.drive();
    world.check_nothing_left();
}

#[test]
fn a_manager_that_said_it_was_ready_to_nobody_is_not_ended_for_it() {
    let mut world = World::new(Settings::default());
    world.open(Login::of(alice()));
    let main = world.kernel.user_files[&alice()].manager.unwrap();
    // Its message is lost.
    world.crash();
    assert_eq!(world.manager(alice()), ManagerState::Starting);
    world.wait(3600 * SECOND);
    assert_eq!(world.manager(alice()), ManagerState::Ready);
    assert!(world.kernel.is_alive(main));
}

#[test]
fn a_manager_that_died_meanwhile_is_started_again() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    let main = world.kernel.user_files[&alice()].manager.unwrap();
    world.exit(main);
    world.crash();
    world.settle();
    assert_eq!(world.manager(alice()), ManagerState::Ready);
}

#[test]
fn a_manager_that_was_being_stopped_is_stopped() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Stubborn;
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.wait(20 * SECOND);
    world.crash();
    world.drive();
    world.check_nothing_left();
}

#[test]
fn a_manager_of_which_nobody_knows_does_not_stay() {
    for login in [true, false] {
        let mut world = World::new(Settings::default());
        // After it was started, before that was noted.
        world.dies_after = Some(8);
        let sent = world.open(Login::of(alice()));
        assert_eq!(world.crashes, 1);
        if !login {
            world.exit(sent.leader);
        }
        world.drive();
        assert_eq!(world.kernel.those_in(&Place::Manager(alice())).len(), usize::from(login));
    }
}

#[test]
fn whoever_is_being_terminated_still_is() {
    let mut world = World::new(Settings::default());
    world.set_linger(alice(), true).unwrap();
    let (session, leader) = world.login(Login::of(alice()));
    let deaf = world.fork(&session, true);
    world.terminate_user(alice());
    world.settle();
    world.crash();
    world.settle();
    assert!(!world.kernel.is_alive(leader) && world.kernel.is_alive(deaf));
    assert_eq!(world.manager(alice()), ManagerState::None);
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(deaf));
    assert_eq!(world.user_state(alice()), UserState::Offline);
}

#[test]
fn a_session_that_is_being_terminated_still_is() {
    let mut world = World::new(Settings::default());
    let deaf = world.kernel.spawn(Place::Elsewhere, true);
    let (session, _) = world.login(Login::of(alice()).by(deaf));
    world.terminate(&session);
    world.crash();
    world.settle();
    assert_eq!(world.state(&session), Some(SessionState::Closing));
    world.wait(90 * SECOND);
    assert_eq!((world.state(&session), world.kernel.is_alive(deaf)), (None, false));
}

#[test]
fn the_end_of_a_leader_that_has_handed_back_its_session_changes_no_file() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.fork(&session, false);
    world.logout(&session).unwrap();
    world.crash();
    world.exit(leader);
    world.settle();
    assert_eq!(world.state(&session), Some(SessionState::Closing));
}

#[test]
fn a_linger_flag_removed_meanwhile_keeps_nobody_not_even_by_its_manager_s_session() {
    let mut world = World::new(Settings::default());
    world.set_linger(alice(), true).unwrap();
    world.settle();
    let main = world.kernel.user_files[&alice()].manager.unwrap();
    world.login(Login::of(alice()).class(SessionClass::Manager).by(main));
    assert_eq!(world.kernel.user_files[&alice()].gc_mode, GcMode::Pin);
    world.kernel.linger_flags.clear();
    world.crash();
    world.drive();
    world.check_nothing_left();
}

#[test]
fn a_display_session_whose_file_was_never_written_stands_for_nobody() {
    let mut world = World::with(|s| s.cgroups = false);
    world.take_log();
    // The user's file names the session already.
    world.dies_after = Some(5);
    let sent = world.open(Login::of(alice()));
    assert_eq!(world.crashes, 1);
    assert_eq!(world.model.display_of(alice()), None);
    world.exit(sent.leader);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn nobody_stands_for_another_user() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    let (other, _) = world.login(Login::of(bob()));
    world.exit(leader);
    world.settle();
    // Her file is older than his session, which has been given the number of hers: /run was full, and the ids were lost.
    world.kernel.user_files.get_mut(&alice()).unwrap().display = Some(other.clone());
    world.crash();
    assert_eq!(world.state(&session), None);
    assert_eq!((world.model.display_of(alice()), world.model.display_of(bob())), (None, Some(&other)));
}

#[test]
fn a_terminal_switched_meanwhile_is_noticed() {
    let kernel = Kernel { has_vts: true, foreground: VtNr::try_from(1).ok(), ..Kernel::default() };
    let mut world = World::booted(Settings::default(), kernel);
    let (session, _) = world.login(Login::of(alice()).on_vt(1));
    world.kernel.foreground = VtNr::try_from(2).ok();
    world.crash();
    assert!(!world.kernel.session_files[&session].active);
}

#[test]
fn a_scope_that_was_removed_meanwhile_is_made_again() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    world.kernel.move_to(leader, Place::Elsewhere);
    world.kernel.scopes.clear();
    world.crash();
    world.settle();
    assert_eq!(world.kernel.place_of(leader), Some(&Place::Scope(alice(), session)));
}
