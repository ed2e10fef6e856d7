//! Logins that get no session, and leave no trace.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::*;

fn refused(world: &mut World, login: Login) -> Refusal {
    let before = world.kernel.clone();
    world.take_log();
    let sent = world.open(login);
    assert_eq!(world.take_log().len(), 1, "nothing but the answer");
    assert_eq!(world.kernel.session_files, before.session_files);
    assert_eq!(world.kernel.user_files, before.user_files);
    world.refusal(sent.request)
}

#[test]
fn there_are_so_many_sessions_and_no_more_except_for_root() {
    let mut world = World::with(|s| s.sessions_max = 2);
    world.login(Login::of(alice()));
    world.login(Login::of(bob()));
    let message = refused(&mut world, Login::of(alice())).to_string();
    assert!(message.contains("There are 2 sessions") && message.contains("SessionsMax="), "{message}");
    world.login(Login::of(Uid::ROOT));
    world.login(Login::of(Uid::ROOT));
    assert!(matches!(refused(&mut world, Login::of(bob())), Refusal::LimitsExceeded { .. }));
}

#[test]
fn a_user_has_so_many_and_no_more_except_root() {
    let mut world = World::with(|s| s.user_sessions_max = 1);
    let (session, _) = world.login(Login::of(alice()));
    let message = refused(&mut world, Login::of(alice())).to_string();
    assert!(message.contains("UserSessionsMax="), "{message}");
    world.login(Login::of(bob()));
    world.login(Login::of(Uid::ROOT));
    world.login(Login::of(Uid::ROOT));
    world.logout(&session).unwrap();
    world.login(Login::of(alice()));
}

/// One login, and the session that its user's manager has.
#[test]
fn the_session_of_a_manager_is_not_counted() {
    let mut world = World::with(|s| s.user_sessions_max = 1);
    let manager = |world: &mut World| {
        let main = world.kernel.user_files[&alice()].manager.unwrap();
        world.login(Login::of(alice()).class(SessionClass::Manager).by(main))
    };
    world.login(Login::of(alice()));
    manager(&mut world);
    assert!(matches!(refused(&mut world, Login::of(alice())), Refusal::LimitsExceeded { .. }));
}

/// Whoever has all he may have keeps nobody else out; nor does it matter how he came by it.
#[test]
fn what_a_user_has_left_running_counts_until_it_ends() {
    let mut world = World::with(|s| s.user_sessions_max = 2);
    let (session, leader) = world.login(Login::of(alice()));
    let left = world.fork(&session, false);
    world.exit(leader);
    world.settle();
    world.login(Login::of(alice()));
    let message = refused(&mut world, Login::of(alice())).to_string();
    assert!(message.contains("User 1000 has 2 sessions"), "{message}");
    world.login(Login::of(bob()));
    world.login(Login::of(Uid::ROOT));
    world.exit(left);
    world.settle();
    world.login(Login::of(alice()));
}

#[test]
fn only_root_opens_sessions() {
    let mut world = World::new(Settings::default());
    let mut login = Login::of(alice());
    login.open.caller = alice();
    assert!(matches!(refused(&mut world, login), Refusal::AccessDenied { .. }));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = World::new(Settings::default());
    let mut login = Login::of(alice());
    login.open.params.home = "not/absolute".to_owned();
    assert!(matches!(refused(&mut world, login), Refusal::InvalidParameter { .. }));
}
