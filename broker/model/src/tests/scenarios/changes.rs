//! What followers are told, and when.

use usher_protocol::session::SessionClass;

use super::*;
use crate::event::Event;

#[test]
fn a_login_is_told_before_its_answer_and_its_user_before_it() {
    let mut world = World::new(Settings::default());
    world.take_log();
    world.open(Login::of(alice()));
    let log = world.take_log();
    let at =
        |line: &str| log.iter().position(|other| other == line).unwrap_or_else(|| panic!("{line}: {log:?}"));
    let in_order = [
        "save user 1000 opening",
        "tell user 1000 is new",
        "save session 1 active",
        "tell session 1 is new",
        "tell user 1000 display 1",
        "reply registered",
    ];
    assert!(in_order.map(at).is_sorted(), "{log:?}");
}

#[test]
fn a_manager_s_session_is_told_as_well_and_the_display_with_every_one() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    world.take_log();
    world.login(Login::of(alice()).class(SessionClass::Manager));
    assert_eq!(world.told(), ["session 2 is new", "user 1000 display 1"]);
}

#[test]
fn without_cgroups_a_session_stands_for_its_user_as_soon_as_it_is_told() {
    let mut world = World::with(|s| s.cgroups = false);
    world.login(Login::of(alice()));
    let all = ["user 1000 is new", "session 1 is new", "user 1000 display 1", "user 1000 has a manager"];
    assert_eq!(world.told(), all);
}

#[test]
fn a_manager_is_told_each_time_it_is_ready() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    assert!(world.told().contains(&"user 1000 has a manager".to_owned()));
    let main = world.kernel.user_files[&alice()].manager.unwrap();
    world.exit(main);
    world.drive();
    assert_eq!(world.told(), ["user 1000 has a manager"]);
    world.login(Login::of(alice()));
    assert!(!world.told().contains(&"user 1000 has a manager".to_owned()), "it had one");
}

#[test]
fn an_end_is_told_with_whoever_stands_for_the_user_now() {
    let mut world = World::new(Settings::default());
    let (first, leader) = world.login(Login::of(alice()));
    let (_, second) = world.login(Login::of(alice()));
    // Something is left behind: closing, but not gone.
    let left = world.fork(&first, false);
    world.take_log();
    world.exit(leader);
    world.settle();
    assert_eq!(world.told(), [""; 0]);
    world.exit(left);
    world.settle();
    assert_eq!(world.told(), ["session 1 is gone", "user 1000 display 2"]);
    world.exit(second);
    world.drive();
    assert_eq!(world.told(), ["session 2 is gone", "user 1000 display none", "user 1000 is gone"]);
}

#[test]
fn a_login_that_is_refused_is_not_told() {
    let mut world = World::with(|s| s.user_sessions_max = 0);
    let sent = world.open(Login::of(alice()));
    world.refusal(sent.request);
    world.failures.leader_watch = true;
    let sent = world.open(Login::of(Uid::ROOT));
    world.drive();
    world.refusal(sent.request);
    assert_eq!(world.told(), ["user 0 is new", "user 0 is gone"]);
}

#[test]
fn another_terminal_is_another_active_session() {
    let mut world = console();
    let (_, first) = world.login(Login::of(alice()).on_vt(1));
    assert_eq!(
        world.told(),
        [
            "user 1000 is new",
            "session 1 is new",
            "user 1000 display 1",
            "seat0 active 1",
            "user 1000 has a manager"
        ]
    );
    let (_, second) = world.login(Login::of(bob()).on_vt(2));
    let all = ["user 1001 is new", "session 2 is new", "user 1001 display 2", "user 1001 has a manager"];
    assert_eq!(world.told(), all);
    let mut to = |vt: u32| {
        world.kernel.foreground = vt.try_into().ok();
        world.send(Event::VtChanged { foreground: vt.try_into().ok() });
        world.told()
    };
    assert_eq!(to(2), ["session 1 [Active(false)]", "session 2 [Active(true)]", "seat0 active 2"]);
    assert_eq!(to(7), ["session 2 [Active(false)]", "seat0 active none"]);
    assert_eq!(to(7), [""; 0]);
    assert_eq!(to(1), ["session 1 [Active(true)]", "seat0 active 1"]);
    // In the background, and in the foreground.
    world.exit(second);
    world.settle();
    assert_eq!(world.told(), ["session 2 is gone", "user 1001 display none"]);
    world.exit(first);
    world.settle();
    assert_eq!(world.told(), ["session 1 is gone", "seat0 active none", "user 1000 display none"]);
}

#[test]
fn changes_are_told_after_the_files_and_before_the_answer() {
    let mut world = container();
    let (first, _) = world.login(at_seat0(alice()));
    let (second, _) = world.login(at_seat0(bob()));
    world.take_log();
    world.ask(|request| Event::Activate { request, authority: root(), session: first.clone() }).unwrap();
    let log = world.take_log();
    let expected = [
        "save session 1 active",
        "save session 2 online",
        "save seat",
        "tell session 2 [Active(false)]",
        "tell session 1 [Active(true)]",
        "tell seat0 active 1",
        "reply done",
        // Of the users, what is shown only.
        "save user 1000 active",
        "save user 1001 online",
    ];
    assert_eq!(log, expected);
    assert_eq!(world.state(&second), Some(SessionState::Online));
}

#[test]
fn who_was_there_before_a_restart_is_not_news() {
    let mut world = console();
    world.login(Login::of(alice()).on_vt(1));
    let (_, leader) = world.login(Login::of(bob()).on_vt(2));
    world.take_log();
    // One ends and the terminal changes while nobody looks.
    world.kernel.processes.remove(&leader.pid);
    world.kernel.foreground = 2.try_into().ok();
    world.crash();
    world.settle();
    assert!(!world.told().iter().any(|told| told.contains("new") || told.contains("Active")));
    // What happens from now on is.
    let (new, _) = world.login(Login::of(alice()));
    assert_eq!(world.told(), [format!("session {new} is new"), "user 1000 display 1".to_owned()]);
}
