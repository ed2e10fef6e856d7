//! Many at once: what is done for each of them does not grow with their number.

use usher_protocol::ids::LeaderPid;

use super::super::world::Soon;
use super::*;
use crate::event::Event;
use crate::policy::Authority;

const MANY: usize = 100;

fn many_sessions(world: &mut World) -> Vec<(SessionId, LeaderPid)> {
    let sessions = (0..MANY).map(|_| world.login(Login::of(alice()))).collect();
    world.take_log();
    world.log.clear();
    sessions
}

#[test]
fn of_many_logouts_the_users_file_tells_once() {
    let mut world = World::new(Settings::default());
    let sessions = many_sessions(&mut world);
    let (last, others) = sessions.split_last().unwrap();
    let closes: Vec<_> = others
        .iter()
        .map(|(session, _)| (world.request(), session.clone()))
        .map(|(request, session)| {
            let authority = Authority::Caller(Uid::ROOT);
            Event::Close { request, authority, session, closer: None }
        })
        .collect();
    world.send_together(closes);
    assert_eq!(world.count("save user 1000"), 1, "{:?}", world.log);
    // The one that stands for the user in the end, although each of the others did for a moment.
    assert_eq!(world.count("save session"), 1, "{:?}", world.log);
    assert_eq!(world.kernel.user_files[&alice()].display.as_ref(), Some(&last.0));
    world.settle();
    assert_eq!(
        world.kernel.user_files[&alice()].sessions.len(),
        world.model.user(alice()).unwrap().sessions.len()
    );
}

#[test]
fn of_many_leaders_who_die_the_users_file_tells_once() {
    let mut world = World::new(Settings::default());
    let sessions = many_sessions(&mut world);
    sessions[1..].iter().for_each(|(_, leader)| world.exit(*leader));
    let gone = std::mem::take(&mut world.soon).into_iter().filter_map(|soon| match soon {
        Soon::News(event) => Some(event),
        Soon::Work(_) | Soon::Exit(_) => None,
    });
    let gone: Vec<_> = gone.collect();
    assert_eq!(gone.len(), MANY - 1);
    world.send_together(gone);
    assert_eq!(world.count("save user 1000"), 1, "{:?}", world.log);
}

#[test]
fn many_logins_change_their_users_file_once() {
    let mut world = World::new(Settings::default());
    many_sessions(&mut world);
    let logins: Vec<_> = (0..MANY).map(|_| world.arrive(Login::of(alice())).1).collect();
    world.send_together(logins);
    assert_eq!(world.count("save user 1000"), 1, "{:?}", world.log);
    assert_eq!(world.count("save session"), MANY, "{:?}", world.log);
}

/// What a restart needs is on file before the session is.
#[test]
fn the_first_of_many_logins_puts_its_user_on_file_at_once() {
    let mut world = World::new(Settings::default());
    let (_, login) = world.arrive(Login::of(alice()));
    world.model.handle(world.now, login);
    let dir = crate::record::RuntimeDir { kind: crate::record::RuntimeKind::Mount, mount: Some(1) };
    let made = Event::RuntimeDirCreated { uid: alice(), result: Ok(dir) };
    let effects = world.model.handle(world.now, made);
    let place = |wanted: fn(&crate::Effect) -> bool| effects.iter().position(wanted);
    let user = place(|effect| matches!(effect, crate::Effect::SaveUser(_)));
    let session = place(|effect| matches!(effect, crate::Effect::SaveSession(_)));
    assert!(user.is_some() && user < session, "{effects:?}");
}
