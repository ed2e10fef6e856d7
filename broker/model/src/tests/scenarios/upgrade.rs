//! A user who is incomplete at first.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::*;
use crate::effect::Answer;
use crate::event::{Event, RequestId};

impl World {
    fn class_is_set(&mut self, authority: Authority, session: &SessionId, class: SessionClass) -> RequestId {
        let (request, session) = (self.request(), session.clone());
        self.send(Event::SetClass { request, authority, session, class });
        request
    }

    fn answer(&self, request: RequestId) -> Option<&Answer> {
        self.answers.get(&request).and_then(|answers| answers.last())
    }

    fn incomplete(&mut self, uid: Uid) -> SessionId {
        self.login(Login::of(uid).class(SessionClass::UserIncomplete)).0
    }
}

#[test]
fn a_complete_user_has_a_manager_which_is_waited_for() {
    let mut world = World::new(Settings::default());
    let session = world.incomplete(alice());
    assert_eq!(world.manager(alice()), ManagerState::None);
    world.take_log();
    let request = world.class_is_set(Authority::Caller(alice()), &session, SessionClass::User);
    assert_eq!(world.told(), ["session 1 [Class(User)]", "user 1000 display 1"]);
    assert_eq!(world.kernel.session_files[&session].class, SessionClass::User);
    assert_eq!((world.manager(alice()), world.answer(request)), (ManagerState::Starting, None));
    // Whoever asks again has it already.
    let again = world.class_is_set(root(), &session, SessionClass::User);
    assert_eq!(world.answer(again), Some(&Answer::Done));
    world.settle();
    assert_eq!((world.manager(alice()), world.answer(request)), (ManagerState::Ready, Some(&Answer::Done)));
    world.logout(&session).unwrap();
    world.drive();
    world.check_nothing_left();
}

#[test]
fn it_is_not_waited_for_longer_than_by_a_login() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Slow;
    let session = world.incomplete(alice());
    let request = world.class_is_set(root(), &session, SessionClass::User);
    world.wait(world.settings.manager_ready_wait - 1);
    assert_eq!(world.answer(request), None);
    world.wait(1);
    assert_eq!(world.answer(request), Some(&Answer::Done));
    // Nor when the session is over.
    let session = world.incomplete(bob());
    let request = world.class_is_set(root(), &session, SessionClass::User);
    world.logout(&session).unwrap();
    assert!(matches!(world.answer(request), Some(Answer::Refused(Refusal::Failed { .. }))));
    // And root waits for nothing.
    let session = world.incomplete(Uid::ROOT);
    let request = world.class_is_set(root(), &session, SessionClass::User);
    assert_eq!(world.answer(request), Some(&Answer::Done));
}

#[test]
fn no_other_class_is_changed_into_any_other() {
    let mut world = World::new(Settings::default());
    let incomplete = world.incomplete(alice());
    let (user, _) = world.login(Login::of(bob()));
    let (cron, _) = world.login(Login::of(bob()).class(SessionClass::Background));
    for (session, class) in [
        (&incomplete, SessionClass::Greeter),
        (&user, SessionClass::UserIncomplete),
        (&cron, SessionClass::User),
    ] {
        let request = world.class_is_set(root(), session, class);
        let refused =
            matches!(world.answer(request), Some(Answer::Refused(Refusal::InvalidParameter { .. })));
        assert!(refused, "{session} to {class}");
    }
    let request = world.class_is_set(Authority::Caller(bob()), &incomplete, SessionClass::User);
    assert!(matches!(world.answer(request), Some(Answer::Refused(Refusal::AccessDenied { .. }))));
    let request = world.class_is_set(root(), &"99".parse().unwrap(), SessionClass::User);
    assert!(matches!(world.answer(request), Some(Answer::Refused(Refusal::NoSuchSession { .. }))));
}

#[test]
fn a_login_that_asks_again_takes_the_place_of_the_change() {
    let mut world = World::new(Settings::default());
    let login = || Login::of(alice()).class(SessionClass::UserIncomplete);
    let (session, leader) = world.login(login());
    let request = world.class_is_set(root(), &session, SessionClass::User);
    let again = world.open(login().by(leader).again());
    assert_eq!(world.answer(request), Some(&Answer::Done));
    world.settle();
    assert_eq!(world.reply(again.request).session, Some(session));
}
