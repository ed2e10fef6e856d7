//! What sessions say of themselves, and what they are asked.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::*;
use crate::change::Idleness;
use crate::event::{BusName, Event, Now};

impl World {
    fn idle(&mut self, authority: Authority, session: &SessionId, idle: bool) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::SetIdleHint { request, authority, session, idle })
    }

    fn locked(&mut self, authority: Authority, session: &SessionId, locked: bool) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::SetLockedHint { request, authority, session, locked })
    }

    fn lock(&mut self, authority: Authority, session: Option<&SessionId>, lock: bool) -> Result<(), Refusal> {
        let session = session.cloned();
        self.ask(|request| Event::Lock { request, authority, session, lock })
    }

    /// A graphical session, on the second terminal if there are any.
    fn desktop(&mut self, uid: Uid) -> SessionId {
        let mut login = Login::of(uid);
        login.open.params.kind = SessionType::X11;
        self.login(login).0
    }
}

fn not_supported(result: Result<(), Refusal>) -> String {
    match result {
        Err(Refusal::NotSupported { message }) => message,
        other => panic!("{other:?}"),
    }
}

fn is_denied(result: &Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::AccessDenied { .. }))
}

fn since(now: Now) -> Idleness {
    Idleness { hint: true, since: now.realtime, since_monotonic: now.monotonic }
}

#[test]
fn everybody_is_idle_once_the_last_session_is() {
    let mut world = container();
    let (seated, _) = world.login(at_seat0(alice()));
    let far = world.desktop(alice());
    world.take_log();
    let own = Authority::Caller(alice());
    world.idle(own, &seated, true).unwrap();
    let first = since(world.now);
    let none = Idleness::default();
    let told = [
        format!("session 1 [Idle({first:?})]"),
        format!("seat0 [Idle({first:?})]"),
        // Told though it is what it was.
        format!("user 1000 [Idle({none:?})]"),
        format!("all {none:?}"),
    ];
    assert_eq!(world.told(), told);
    world.wait(SECOND);
    world.idle(own, &far, true).unwrap();
    let last = since(world.now);
    let told = [
        format!("session 2 [Idle({last:?})]"),
        format!("user 1000 [Idle({last:?})]"),
        format!("all {last:?}"),
    ];
    assert_eq!(world.told(), told);
    assert_eq!(world.model.idleness(), last);
    world.idle(own, &far, true).unwrap();
    assert_eq!(world.told(), [""; 0], "no change");
    world.idle(root(), &seated, false).unwrap();
    let told = [
        format!("session 1 [Idle({none:?})]"),
        format!("seat0 [Idle({none:?})]"),
        format!("user 1000 [Idle({none:?})]"),
        format!("all {none:?}"),
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn only_desktops_say_that_they_are_idle() {
    let mut world = World::new(Settings::default());
    let (terminal, _) = world.login(Login::of(alice()));
    let mut lock_screen = Login::of(alice()).class(SessionClass::LockScreen);
    lock_screen.open.params.kind = SessionType::Wayland;
    let (lock_screen, _) = world.login(lock_screen);
    for session in [&terminal, &lock_screen] {
        assert!(not_supported(world.idle(root(), session, true)).contains("idle"));
    }
    let desktop = world.desktop(bob());
    assert!(is_denied(&world.idle(Authority::Caller(alice()), &desktop, true)));
    assert!(is_denied(&world.idle(Authority::Polkit, &desktop, true)), "polkit has no say in it");
}

#[test]
fn where_nobody_is_nobody_is_active_and_a_terminal_is_in_use() {
    let mut world = World::new(Settings::default());
    assert!(world.model.idleness().hint && world.model.seats()[0].idle_hint);
    world.login(Login::of(bob()).class(SessionClass::Manager));
    assert!(world.model.idleness().hint && world.model.user(bob()).unwrap().idle_hint);
    world.login(Login::of(alice()));
    assert!(!world.model.idleness().hint && !world.model.user(alice()).unwrap().idle_hint);
}

#[test]
fn what_a_session_has_said_of_itself_survives_a_restart() {
    let mut world = World::new(Settings::default());
    let session = world.desktop(alice());
    world.idle(root(), &session, true).unwrap();
    world.locked(root(), &session, true).unwrap();
    let before = world.model.session(&session).unwrap();
    assert!(before.idle_hint && before.locked_hint && before.idle_since == world.now.realtime);
    world.wait(SECOND);
    world.crash();
    assert_eq!(world.model.session(&session), Some(before));
}

#[test]
fn who_is_no_desktop_any_more_is_in_use() {
    let mut world = World::new(Settings::default());
    let session = world.desktop(alice());
    let (controller, id) = (BusName(":1.1".to_owned()), session.clone());
    let program = controller.clone();
    let take =
        |request| Event::TakeControl { request, authority: root(), session: id, controller, force: false };
    world.ask(take).unwrap();
    world.idle(root(), &session, true).unwrap();
    world.take_log();
    let (id, controller) = (session.clone(), program);
    world.ask(|request| Event::SetType { request, session: id, controller, kind: SessionType::Tty }).unwrap();
    let none = Idleness::default();
    let told = [
        format!("session 1 [Idle({none:?})]"),
        format!("user 1000 [Idle({none:?})]"),
        format!("all {none:?}"),
        "session 1 [Kind(Tty)]".to_owned(),
    ];
    assert_eq!(world.told(), told);
    assert_eq!(world.kernel.session_files[&session].idle_since, None);
}

#[test]
fn a_locked_screen_is_told_once() {
    let mut world = World::new(Settings::default());
    let session = world.desktop(alice());
    world.take_log();
    let own = Authority::Caller(alice());
    world.locked(own, &session, true).unwrap();
    world.locked(own, &session, true).unwrap();
    assert_eq!(world.told(), ["session 1 [LockedHint(true)]"]);
    assert!(world.kernel.session_files[&session].locked);
    assert!(is_denied(&world.locked(Authority::Caller(bob()), &session, false)));
    let (greeter, _) = world.login(Login::of(bob()).class(SessionClass::Greeter));
    assert_eq!(not_supported(world.locked(root(), &greeter, true)), "Session does not support lock screen.");
}

#[test]
fn who_has_a_screen_is_asked_to_lock_it() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    world.login(Login::of(bob()).class(SessionClass::UserLight));
    let (cron, _) = world.login(Login::of(bob()).class(SessionClass::Background));
    world.take_log();
    world.lock(Authority::Caller(alice()), Some(&first), true).unwrap();
    world.lock(Authority::Polkit, Some(&first), false).unwrap();
    assert_eq!(world.told(), ["session 1 lock", "session 1 unlock"]);
    assert!(is_denied(&world.lock(Authority::Caller(bob()), Some(&first), false)));
    let refused = world.lock(Authority::Caller(bob()), Some(&cron), true);
    assert_eq!(not_supported(refused), "Session does not support lock screen.");
    assert_eq!(world.told(), [""; 0]);
    // All of those that can.
    world.lock(root(), None, true).unwrap();
    world.lock(Authority::Polkit, None, false).unwrap();
    let told = ["session 1 lock", "session 2 lock", "session 1 unlock", "session 2 unlock"];
    assert_eq!(world.told(), told);
    assert!(is_denied(&world.lock(Authority::Caller(alice()), None, true)));
    let unknown = world.lock(root(), Some(&"99".parse().unwrap()), true);
    assert!(matches!(unknown, Err(Refusal::NoSuchSession { .. })));
}
