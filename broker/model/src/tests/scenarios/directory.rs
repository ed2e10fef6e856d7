//! Runtime directories that somebody meddles with, or that are to have another size.

use super::super::world::Kernel;
use super::*;
use crate::event::Event;
use crate::record::{RuntimeDir, RuntimeKind};

#[test]
fn a_login_finds_the_directory_gone_and_gets_a_new_one() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    let before = world.kernel.runtime_dirs[&alice()];
    world.unmount(alice());
    world.take_log();

    let (second, _) = world.login(Login::of(alice()));
    assert_eq!(world.count("create directory"), 1);
    let now = world.kernel.runtime_dirs[&alice()];
    assert_ne!(now, before);
    assert_eq!(world.kernel.user_files[&alice()].runtime, Some(now));
    assert!(world.news.iter().any(|line| line.contains("is made anew")), "{:?}", world.news);

    // Nothing of it is left in the end, and the next login has nothing to find.
    for session in [first, second] {
        world.logout(&session).unwrap();
    }
    world.drive();
    assert!(!world.has_dir(alice()));
    world.check_nothing_left();
}

/// Nor is a directory taken for lost that is only seen for the first time.
#[test]
fn logins_that_find_it_as_it_was_leave_it_alone() {
    let mut world = World::new(Settings::default());
    for _ in 0..3 {
        world.login(Login::of(alice()));
    }
    world.crash();
    world.login(Login::of(alice()));
    assert_eq!(world.count("create directory"), 1);
    assert!(!world.news.iter().any(|line| line.contains("is made anew")), "{:?}", world.news);
}

#[test]
fn what_is_mounted_over_it_is_refused_and_everything_goes_in_the_end() {
    let mut world = World::new(Settings::default());
    let (first, _) = world.login(Login::of(alice()));
    let made = world.kernel.runtime_dirs[&alice()];
    world.unmount(alice());
    world.kernel.runtime_dirs.insert(alice(), RuntimeDir { mount: Some(u64::MAX), ..made });
    world.failures.runtime_dir = true;
    let sent = world.open(Login::of(alice()));
    world.settle();
    let reply = world.reply(sent.request);
    assert_eq!(reply.runtime_path, None);
    assert!(reply.notice.contains("cannot mount"), "{reply:?}");
    assert_eq!(world.kernel.user_files[&alice()].runtime, Some(made), "it is still to be removed");
    assert_eq!(world.manager(alice()), ManagerState::Ready, "the manager has it open");

    // As soon as it is visible again, it is used again.
    world.kernel.runtime_dirs.insert(alice(), made);
    world.failures.runtime_dir = false;
    let (third, _) = world.login(Login::of(alice()));
    assert_eq!(world.kernel.runtime_dirs[&alice()], made);
    for session in [first, reply.session.unwrap(), third] {
        world.logout(&session).unwrap();
    }
    world.drive();
    assert!(!world.has_dir(alice()));
}

#[test]
fn a_new_size_is_for_everyone_who_has_a_mount_of_ushers() {
    let mut world = World::new(Settings::default());
    world.login(Login::of(alice()));
    world.login(Login::of(uid(1002)));
    world.login(Login::of(uid(1003)));
    let plain = RuntimeDir { kind: RuntimeKind::Plain, mount: None };
    for (number, dir) in [(1002, plain), (1003, RuntimeDir { kind: RuntimeKind::Adopted, mount: Some(7) })] {
        world.unmount(uid(number));
        world.kernel.runtime_dirs.insert(uid(number), dir);
        world.kernel.user_files.get_mut(&uid(number)).unwrap().runtime = Some(dir);
    }
    world.crash();
    assert_eq!(
        world.count("resize 1 to 67108864"),
        1,
        "after a restart, which may have brought another size"
    );
    world.take_log();

    world.settings.runtime_size = 1 << 20;
    world.settings.runtime_inodes = 100;
    for turn in 1..3 {
        world.send(Event::Reloaded(Box::new(world.settings.clone())));
        assert_eq!(world.count("resize 1 to 1048576"), turn, "one that failed before may work now");
    }
    assert_eq!(world.model.manager_view().runtime_directory_inodes_max, 100);
}

#[test]
fn nobody_s_directory_is_resized_while_it_goes() {
    let mut world = World::booted(Settings::default(), Kernel::default());
    let (session, _) = world.login(Login::of(alice()));
    world.logout(&session).unwrap();
    while world.count("tear down") == 0 {
        if !world.step() {
            world.jump(world.model.next_deadline().unwrap());
            world.send(Event::Tick);
        }
    }
    world.settings.runtime_size = 1 << 20;
    world.send(Event::Reloaded(Box::new(world.settings.clone())));
    assert_eq!(world.count("resize"), 0);
    world.drive();
}
