//! The one program that controls a session.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::*;
use crate::event::{BusName, Event};

fn program(number: u8) -> BusName {
    BusName(format!(":1.{number}"))
}

impl World {
    fn take(
        &mut self,
        authority: Authority,
        session: &SessionId,
        number: u8,
        force: bool,
    ) -> Result<(), Refusal> {
        let (session, controller) = (session.clone(), program(number));
        self.ask(|request| Event::TakeControl { request, authority, session, controller, force })
    }

    fn let_go(&mut self, session: &SessionId, number: u8) -> Result<(), Refusal> {
        let (session, controller) = (session.clone(), program(number));
        self.ask(|request| Event::ReleaseControl { request, session, controller })
    }

    fn set_type(&mut self, session: &SessionId, number: u8, kind: SessionType) -> Result<(), Refusal> {
        let (session, controller) = (session.clone(), program(number));
        self.ask(|request| Event::SetType { request, session, controller, kind })
    }

    fn set_display(&mut self, session: &SessionId, number: u8, display: &str) -> Result<(), Refusal> {
        let (session, controller, display) = (session.clone(), program(number), display.to_owned());
        self.ask(|request| Event::SetDisplay { request, session, controller, display })
    }

    fn set_tty(&mut self, session: &SessionId, number: u8, tty: &str) -> Result<(), Refusal> {
        let (session, controller, tty) = (session.clone(), program(number), tty.to_owned());
        self.ask(|request| Event::SetTty { request, session, controller, tty })
    }

    fn kind(&self, session: &SessionId) -> SessionType {
        self.model.session(session).unwrap().kind
    }

    fn controller_on_file(&self, session: &SessionId) -> Option<BusName> {
        self.kernel.session_files[session].controller.clone()
    }
}

#[test]
fn one_program_at_a_time_unless_root_insists() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let own = Authority::Caller(alice());
    world.take(own, &session, 1, false).unwrap();
    world.take(own, &session, 1, false).unwrap();
    assert_eq!(world.take(own, &session, 2, false), Err(Refusal::AlreadyControlled {}));
    assert_eq!(world.take(root(), &session, 2, false), Err(Refusal::AlreadyControlled {}));
    assert_eq!(world.controller_on_file(&session), Some(program(1)));
    for (authority, force) in [(own, true), (Authority::Caller(bob()), false), (Authority::Polkit, false)] {
        let refused = world.take(authority, &session, 3, force);
        assert!(matches!(refused, Err(Refusal::AccessDenied { .. })), "{refused:?}");
    }
    world.take(root(), &session, 2, true).unwrap();
    assert!(world.model.is_controlled_by(&session, &program(2)));
    assert_eq!(world.let_go(&session, 1), Err(Refusal::NotInControl {}));
    world.let_go(&session, 2).unwrap();
    assert_eq!((world.controller_on_file(&session), world.model.controllers()), (None, vec![]));
    world.take(own, &session, 1, false).unwrap();
}

#[test]
fn the_type_is_what_it_was_once_nobody_controls_the_session() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let ends: [fn(&mut World, &SessionId); 3] = [
        |world, session| world.let_go(session, 1).unwrap(),
        |world, _| world.send(Event::ControllerGone { controller: program(1) }),
        |world, session| {
            // As logind has it: it stays as the first one has left it while there is another one.
            world.take(root(), session, 2, true).unwrap();
            assert_eq!(world.told(), [""; 0]);
            world.let_go(session, 2).unwrap();
        },
    ];
    for end in ends {
        world.take(root(), &session, 1, false).unwrap();
        world.take_log();
        world.set_type(&session, 1, SessionType::Wayland).unwrap();
        world.set_type(&session, 1, SessionType::Wayland).unwrap();
        assert_eq!(world.told(), ["session 1 [Kind(Wayland)]"]);
        let file = &world.kernel.session_files[&session];
        assert_eq!((file.kind, file.original_kind), (SessionType::Wayland, SessionType::Tty));
        end(&mut world, &session);
        assert_eq!(world.told(), ["session 1 [Kind(Tty)]"]);
        assert_eq!(world.kernel.session_files[&session].kind, SessionType::Tty);
    }
    world.send(Event::ControllerGone { controller: program(9) });
}

#[test]
fn the_class_is_looked_at_before_control_is() {
    let mut world = World::new(Settings::default());
    let (cron, _) = world.login(Login::of(alice()).class(SessionClass::Background));
    let (user, _) = world.login(Login::of(alice()));
    world.take(root(), &cron, 1, false).unwrap();
    for number in [1, 2] {
        let refused = world.set_type(&cron, number, SessionType::X11);
        assert!(matches!(refused, Err(Refusal::NotSupported { .. })), "{refused:?}");
    }
    assert_eq!(world.set_type(&user, 1, SessionType::X11), Err(Refusal::NotInControl {}));
    let unknown = world.set_type(&"99".parse().unwrap(), 1, SessionType::X11);
    assert!(matches!(unknown, Err(Refusal::NoSuchSession { .. })));
}

#[test]
fn only_a_desktop_has_a_display_and_it_stays() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let unsupported = |result| matches!(result, Err(Refusal::NotSupported { .. }));
    assert_eq!(world.set_display(&session, 1, ":0"), Err(Refusal::NotInControl {}));
    world.take(root(), &session, 1, false).unwrap();
    assert!(unsupported(world.set_display(&session, 1, ":0")));
    world.set_type(&session, 1, SessionType::X11).unwrap();
    assert_eq!(world.set_display(&session, 2, ":0"), Err(Refusal::NotInControl {}));
    for bad in ["a\nb".to_owned(), "x".repeat(1025)] {
        let refused = world.set_display(&session, 1, &bad);
        assert!(matches!(refused, Err(Refusal::InvalidParameter { .. })), "{refused:?}");
    }
    world.take_log();
    world.set_display(&session, 1, ":0").unwrap();
    world.set_display(&session, 1, ":0").unwrap();
    assert_eq!(world.told(), [r#"session 1 [Display(":0")]"#]);
    world.let_go(&session, 1).unwrap();
    assert_eq!(world.kernel.session_files[&session].display, ":0", "as logind has it");
}

#[test]
fn the_terminal_changes_with_the_program_that_runs_on_it() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    assert_eq!(world.set_tty(&session, 1, "pts/7"), Err(Refusal::NotInControl {}));
    world.take(root(), &session, 1, false).unwrap();
    world.take_log();
    world.set_tty(&session, 1, "pts/7").unwrap();
    world.set_tty(&session, 1, "pts/7").unwrap();
    assert_eq!(world.told(), [r#"session 1 [Tty("pts/7")]"#]);
    assert_eq!(world.kernel.session_files[&session].tty, "pts/7");
}

#[test]
fn a_restart_knows_who_controls_what_and_what_it_was() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    let (second, leader) = world.login(Login::of(alice()));
    world.take(root(), &first, 1, false).unwrap();
    world.take(root(), &second, 1, false).unwrap();
    world.set_type(&first, 1, SessionType::Wayland).unwrap();
    world.crash();
    world.settle();
    assert_eq!(world.model.controllers(), [program(1)]);
    assert_eq!(world.kind(&first), SessionType::Wayland);
    // A session's end is the end of its control.
    world.exit(leader);
    world.settle();
    assert_eq!(world.model.controllers(), [program(1)]);
    world.send(Event::ControllerGone { controller: program(1) });
    assert_eq!((world.kind(&first), world.model.controllers()), (SessionType::Tty, vec![]));
}

#[test]
fn a_desktop_stands_for_its_user_before_a_terminal() {
    let mut world = World::new(Settings::default());
    let (terminal, _) = world.login(Login::of(alice()));
    let (desktop, _) = world.login(Login::of(alice()));
    let (other, _) = world.login(Login::of(alice()));
    world.take(root(), &desktop, 1, false).unwrap();
    world.take(root(), &other, 1, false).unwrap();
    world.set_type(&other, 1, SessionType::Unspecified).unwrap();
    world.take_log();
    world.set_type(&desktop, 1, SessionType::Wayland).unwrap();
    assert_eq!(world.told(), ["session 2 [Kind(Wayland)]", "user 1000 display 2"]);
    // As good as the others again: it stays.
    world.set_type(&desktop, 1, SessionType::Tty).unwrap();
    assert_eq!(world.told(), ["session 2 [Kind(Tty)]"]);
    world.set_type(&desktop, 1, SessionType::Unspecified).unwrap();
    assert_eq!(world.told(), ["session 2 [Kind(Unspecified)]", "user 1000 display 1"]);
    assert_eq!(world.model.display_of(alice()), Some(&terminal));
}
