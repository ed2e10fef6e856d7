//! Logging in.

use usher_protocol::messages::{OpenPhase, Refusal};
use usher_protocol::session::SessionClass;

use super::*;
use crate::effect::Answer;

#[test]
fn the_first_login_is_on_file_before_anything_is_done_and_done_before_anyone_is_told() {
    let mut world = World::new(Settings::default());
    world.take_log();
    let sent = world.open(Login::of(alice()));
    let up_to_registered = [
        "reserve ids",
        "save user 1000 opening",
        "watch leader 1",
        "create directory 1000",
        "tell user 1000 is new",
        "save user 1000 active",
        "save session 1 active",
        "create scope 1",
        "start manager 1000",
        "tell session 1 is new",
        "tell user 1000 display 1",
        "reply registered",
        // The manager's process is on file before it goes on.
        "save user 1000 active",
        "release manager 1000",
    ];
    assert_eq!(world.take_log(), up_to_registered);
    let Some([Answer::Opened { reply, continues: true, .. }]) =
        world.answers.get(&sent.request).map(Vec::as_slice)
    else {
        panic!("{:?}", world.answers)
    };
    assert_eq!(reply.phase, OpenPhase::Registered);
    assert_eq!(reply.runtime_path.as_deref(), Some("/run/user/1000"));
    assert_eq!((reply.manager, reply.wait_usec), (ManagerState::Starting, 10 * SECOND));

    world.settle();
    assert_eq!(world.take_log(), ["save user 1000 active", "tell user 1000 has a manager", "reply settled"]);
    let last = world.reply(sent.request);
    assert_eq!((last.phase, last.manager, last.wait_usec), (OpenPhase::Settled, ManagerState::Ready, 0));
    assert_eq!((last.notice.as_str(), last.session), ("", Some("1".parse().unwrap())));
}

#[test]
fn the_second_login_costs_two_files_a_cgroup_and_one_answer() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    world.take_log();
    world.open(Login::of(alice()));
    let all = [
        "save session 2 active",
        "watch leader 2",
        "create scope 2",
        "tell session 2 is new",
        "tell user 1000 display 1",
        "reply settled",
        "save user 1000 active",
    ];
    assert_eq!(world.take_log(), all);
    world.settle();
    assert_eq!(world.take_log(), [""; 0]);
}

#[test]
fn without_more_there_is_only_the_last_answer() {
    let mut world = World::new(Settings::default());
    let mut login = Login::of(alice());
    login.open.more = false;
    let sent = world.open(login);
    assert_eq!(world.answers.get(&sent.request), None);
    world.settle();
    assert_eq!(world.answers[&sent.request].len(), 1);
    assert_eq!(world.reply(sent.request).manager, ManagerState::Ready);
}

#[test]
fn su_inside_a_session_opens_none() {
    let mut world = World::new(Settings::default());
    let (session, leader) = world.login(Login::of(alice()));
    let shell = world.fork(&session, false);
    world.take_log();
    for inside in [shell, leader] {
        let sent = world.open(Login::of(bob()).service("su").by(inside));
        let reply = world.reply(sent.request);
        assert!(reply.existing && reply.session.is_none() && reply.runtime_path.is_none());
    }
    assert_eq!(world.take_log(), ["reply existing", "reply existing"]);
}

#[test]
fn a_retry_gets_the_session_that_the_first_try_opened() {
    let mut world = World::with(|s| s.manager_ready_wait = 30 * SECOND);
    world.temper = Temper::Slow;
    let first = world.open(Login::of(alice()));
    let second = world.open(Login::of(alice()).by(first.leader).again());
    assert!(matches!(world.answers[&first.request].as_slice(), [_, Answer::Refused(Refusal::Failed { .. })]));
    world.wait(30 * SECOND);
    assert_eq!(world.reply(second.request).session, Some("1".parse().unwrap()));
    assert_eq!(world.model.sessions().len(), 1);

    let third = world.open(Login::of(alice()).by(first.leader).again().service("cron"));
    assert!(world.reply(third.request).existing, "another service is not the same login");
}

#[test]
fn a_retry_finds_its_session_after_a_crash_too() {
    let mut world = World::new(Settings::default());
    // Just before the cgroup is made.
    world.dies_after = Some(7);
    let first = world.open(Login::of(alice()));
    assert_eq!((world.crashes, world.answers.get(&first.request)), (1, None));
    assert!(world.kernel.scopes.contains(&(alice(), "1".parse().unwrap())), "made up for after the restart");
    let second = world.open(Login::of(alice()).by(first.leader).again());
    world.settle();
    assert_eq!(world.reply(second.request).session, Some("1".parse().unwrap()));
}

#[test]
fn a_leader_that_has_gone_before_its_session_was_made_leaves_nothing() {
    let mut world = World::new(Settings::default());
    world.failures.leader_watch = true;
    let sent = world.open(Login::of(alice()));
    assert!(matches!(world.refusal(sent.request), Refusal::Failed { .. }));
    world.drive();
    world.check_nothing_left();
}

#[test]
fn without_a_runtime_directory_the_session_is_valid_and_the_next_login_tries_again() {
    let mut world = World::new(Settings::default());
    world.failures.runtime_dir = true;
    let sent = world.open(Login::of(alice()));
    let reply = world.reply(sent.request);
    assert_eq!((reply.phase, &reply.runtime_path), (OpenPhase::Settled, &None));
    assert!(reply.notice.contains("no memory") && reply.session.is_some(), "{reply:?}");
    assert_eq!(reply.manager, ManagerState::Failed, "a manager needs the directory");

    world.failures.runtime_dir = false;
    let sent = world.open(Login::of(alice()).class(SessionClass::BackgroundLight));
    world.settle();
    let reply = world.reply(sent.request);
    assert_eq!((reply.runtime_path.as_deref(), reply.notice.as_str()), (Some("/run/user/1000"), ""));
    assert_eq!(world.manager(alice()), ManagerState::Ready, "for the first session, which still wants it");
}

#[test]
fn without_a_cgroup_the_session_ends_with_its_leader() {
    let mut world = World::new(Settings::default());
    world.failures.scope = true;
    let (session, leader) = world.login(Login::of(alice()));
    assert_eq!(world.model.session(&session).unwrap().scope, None);
    assert_eq!(world.kernel.session_files[&session].scope, None);
    world.exit(leader);
    world.settle();
    assert_eq!(world.state(&session), None);
}

#[test]
fn where_there_are_no_cgroups_everything_else_works() {
    let mut world = World::with(|s| s.cgroups = false);
    let (session, _) = world.login(Login::of(alice()));
    assert_eq!((world.count("create scope"), world.has_dir(alice())), (0, true));
    world.logout(&session).unwrap();
    assert_eq!(world.state(&session), None);
}

#[test]
fn a_light_background_session_starts_no_manager() {
    let mut world = World::new(Settings::default());
    let sent = world.open(Login::of(alice()).class(SessionClass::BackgroundLight));
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.runtime_path.is_some()), (ManagerState::None, true));
    assert_eq!(world.count("start manager"), 0);
    world.login(Login::of(alice()));
    assert_eq!(world.count("start manager"), 1);
}

#[test]
fn the_session_of_a_manager_neither_keeps_its_user_nor_makes_it_active() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    let (own, _) = world.login(Login::of(alice()).class(SessionClass::Manager));
    assert_eq!(world.model.session(&own).unwrap().scope, None);
    world.logout(&session).unwrap();
    assert_eq!(world.user_state(alice()), UserState::Closing);
    world.wait(10 * SECOND);
    assert_eq!((world.state(&own), world.user_state(alice())), (None, UserState::Offline));
}

#[test]
fn a_manager_started_by_hand_keeps_its_user_until_it_ends() {
    let mut world = World::new(Settings::default());
    let (_, leader) = world.login(Login::of(alice()).class(SessionClass::Manager));
    world.drive();
    assert!(world.has_dir(alice()));
    assert_eq!((world.user_state(alice()), world.count("start manager")), (UserState::Online, 0));
    world.exit(leader);
    world.drive();
    world.check_nothing_left();
}

#[test]
fn root_waits_for_nothing() {
    let mut world = World::new(Settings::default());
    world.temper = Temper::Hung;
    let sent = world.open(Login::of(Uid::ROOT));
    let reply = world.reply(sent.request);
    assert_eq!((reply.manager, reply.notice.as_str()), (ManagerState::Starting, ""));
    assert_eq!(world.answers[&sent.request].len(), 1);
}

#[test]
fn the_best_session_stands_for_the_user() {
    let mut world = World::new(Settings::default());
    let (ssh, _) = world.login(Login::of(alice()));
    let mut desktop = Login::of(alice());
    desktop.open.params.kind = usher_protocol::session::SessionType::Wayland;
    world.login(Login::of(alice()).class(SessionClass::Background));
    let (desktop, _) = world.login(desktop);
    assert_eq!(world.model.display_of(alice()), Some(&desktop));
    assert!(!world.kernel.session_files[&ssh].is_display && world.kernel.session_files[&desktop].is_display);
    world.login(Login::of(alice()));
    world.logout(&desktop).unwrap();
    assert_eq!(world.model.display_of(alice()), Some(&ssh));
}
