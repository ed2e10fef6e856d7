//! Logging in while one's things are on their way out: never a login whose directory is about to vanish.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::super::world::{Kernel, Place, Sent, account, name};
use super::*;
use crate::event::Event;
use crate::policy::Authority;

/// Logs in and out, and stops when an effect has been asked for.
fn until(world: &mut World, asked: &str) {
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.take_log();
    while world.count(asked) == 0 {
        if !world.step() {
            let deadline = world.model.next_deadline().unwrap();
            world.jump(deadline);
            world.send(Event::Tick);
        }
    }
    world.take_log();
}

fn answered(world: &World, sent: Sent) -> bool {
    !world.unanswered.contains(&sent.request)
}

#[test]
fn during_the_stop_delay_everything_is_still_there() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.wait(5 * SECOND);
    world.take_log();
    let sent = world.open(Login::of(alice()));
    assert!(answered(&world, sent) && world.count("create directory") == 0);
    world.wait(3600 * SECOND);
    assert_eq!((world.manager(alice()), world.count("stop manager")), (ManagerState::Ready, 0));
}

#[test]
fn while_the_manager_stops_the_directory_stays_and_the_next_manager_is_waited_for() {
    let mut world = World::new(Settings::default());
    until(&mut world, "stop manager");
    let sent = world.open(Login::of(alice()));
    assert!(!answered(&world, sent) && world.manager(alice()) == ManagerState::Stopping);
    world.settle();
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.runtime_path.is_some()), (ManagerState::Ready, true));
    assert_eq!((world.count("start manager"), world.count("create directory")), (1, 0));
    assert_eq!(world.count("tear down"), 0);
}

#[test]
fn during_teardown_a_login_waits_for_a_new_directory() {
    let mut world = World::new(Settings::default());
    until(&mut world, "tear down");
    let sent = world.open(Login::of(alice()));
    assert_eq!(world.answers.get(&sent.request), None, "not even registered");
    assert_eq!(world.count("save session"), 0, "nobody knows of it yet");
    world.settle();
    assert_eq!((world.count("create directory"), world.count("start manager")), (1, 1));
    assert!(world.reply(sent.request).runtime_path.is_some() && world.has_dir(alice()));
}

#[test]
fn a_login_that_gives_up_during_teardown_leaves_nothing() {
    let mut world = World::new(Settings::default());
    until(&mut world, "tear down");
    let sent = world.open(Login::of(alice()));
    world.exit(sent.leader);
    // Before the teardown is done.
    world.step_at(1);
    assert!(matches!(world.refusal(sent.request), Refusal::Failed { .. }));
    world.settle();
    assert_eq!(world.count("create directory"), 0);
    world.check_nothing_left();
}

#[test]
fn one_who_is_terminated_during_teardown_is_kept_on_record_until_the_login_has_gone() {
    let mut world = World::new(Settings::default());
    until(&mut world, "tear down");
    let leader = world.kernel.spawn(Place::Elsewhere, true);
    let sent = world.open(Login::of(alice()).by(leader));
    let request = world.request();
    world.send(Event::TerminateUser { request, authority: Authority::Caller(Uid::ROOT), uid: alice() });
    assert!(matches!(world.refusal(sent.request), Refusal::Failed { .. }));
    world.settle();
    assert_eq!((world.model.sessions().len(), world.count("create directory")), (1, 0));
    world.wait(90 * SECOND);
    assert!(!world.kernel.is_alive(leader));
    world.check_nothing_left();
}

#[test]
fn the_session_of_a_manager_that_is_being_stopped_is_refused_at_once() {
    let mut world = World::new(Settings::default());
    until(&mut world, "stop manager");
    let sent = world.open(Login::of(alice()).class(SessionClass::Manager));
    assert!(matches!(world.refusal(sent.request), Refusal::Failed { .. }));
    world.settle();
    world.check_nothing_left();

    until(&mut world, "tear down");
    let sent = world.open(Login::of(alice()).class(SessionClass::Manager));
    assert!(matches!(world.refusal(sent.request), Refusal::Failed { .. }));
    world.settle();
    world.check_nothing_left();
}

#[test]
fn the_session_of_a_manager_that_is_ended_during_teardown_goes_with_its_user() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()).class(SessionClass::Manager));
    world.logout(&first).unwrap();
    let deaf = world.kernel.spawn(Place::Elsewhere, true);
    world.open(Login::of(alice()).class(SessionClass::Manager).by(deaf));
    let session = world.model.sessions()[0].id.clone();
    let request = world.request();
    world.send(Event::TerminateSession { request, authority: Authority::Caller(Uid::ROOT), session });
    let request = world.request();
    world.send(Event::TerminateUser { request, authority: Authority::Caller(Uid::ROOT), uid: alice() });
    world.settle();
    world.check_nothing_left();
}

#[test]
fn a_linger_flag_set_during_teardown_brings_everything_back() {
    let mut world = World::new(Settings::default());
    until(&mut world, "tear down");
    world.set_linger(alice(), true).unwrap();
    world.settle();
    assert_eq!((world.manager(alice()), world.has_dir(alice())), (ManagerState::Ready, true));
}

#[test]
fn a_login_before_the_name_service_is_up_is_enough_to_linger_from_then_on() {
    let mut kernel = Kernel { name_service_down: true, ..Kernel::default() };
    kernel.linger_flags.insert(name(alice()));
    kernel.accounts.insert(name(alice()), account(alice()));
    let mut world = World::booted(Settings::default(), kernel);
    world.settle();
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    world.drive();
    assert_eq!(world.user_state(alice()), UserState::Lingering);
    assert_eq!(world.model.next_deadline(), None, "nobody looks the name up any more");
}
