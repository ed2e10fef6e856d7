//! The guide to systemd/User, automatic start: a manager from boot on, for who lingers.

mod guide_common;

use guide_common::*;
use usher_tests::{ALICE, BOB, Builder, Machine};

const UNIT: &str = "[Service]\nExecStart=/bin/sh -c 'echo $XDG_RUNTIME_DIR > %h/said; exec sleep infinity'\n\n\
    [Install]\nWantedBy=default.target\n";

/// usherctl is loginctl where there is no systemd's that works.
fn boot(builder: Builder) -> Machine {
    let machine = builder.boot();
    machine.sh("ln -sf usherctl /usr/bin/loginctl");
    machine
}

#[test]
fn one_enables_it_for_oneself() {
    let machine = boot(guide().user_unit("alice", "hello.service", UNIT));
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user --quiet enable --now hello.service");
    let manager = machine.manager(&ALICE).expect("a manager");
    shell.ask("loginctl enable-linger");
    assert_eq!(shell.ask("loginctl show-user alice -P Linger"), "yes");
    shell.close();
    assert_eq!(wait_lingering(&machine, &ALICE), manager);
    assert_eq!(
        ask_manager(&machine, &ALICE, &["systemctl", "--user", "is-active", "hello.service"]),
        "active"
    );
    machine.as_user("alice", &["loginctl", "disable-linger"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn root_enables_it_for_somebody_else_who_starts_at_once() {
    let machine = boot(guide().user_unit("bob", "hello.service", UNIT));
    let _usherd = machine.start_usherd();
    machine.as_user("bob", &["systemctl", "--user", "--quiet", "enable", "hello.service"]);
    machine.run(&["loginctl", "enable-linger", "bob"]);
    wait_lingering(&machine, &BOB);
    wait_text(&machine, "/home/bob/said", "/run/user/1002");
    assert!(machine.sessions(&BOB).is_empty());
    machine.run(&["loginctl", "disable-linger", "bob"]);
    machine.wait_gone(&BOB);
}

#[test]
fn the_flag_is_a_file_and_who_lingers_is_listed() {
    let machine = boot(guide());
    let _usherd = machine.start_usherd();
    machine.run(&["loginctl", "enable-linger", "alice", "bob"]);
    assert_eq!(machine.run(&["ls", "/var/lib/systemd/linger"]).text(), "alice\nbob");
    wait_lingering(&machine, &ALICE);
    wait_lingering(&machine, &BOB);
    let users = machine.run(&["loginctl", "list-users", "--no-legend"]);
    for (uid, name) in [(1001, "alice"), (1002, "bob")] {
        let line = users.stdout.lines().find(|line| line.contains(&uid.to_string())).unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, [&uid.to_string(), name, "yes", "lingering"], "{users}");
    }
    machine.run(&["loginctl", "disable-linger", "alice", "bob"]);
    assert_eq!(machine.run(&["ls", "/var/lib/systemd/linger"]).text(), "");
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

#[test]
fn it_starts_at_boot_and_a_login_finds_it() {
    let builder = guide()
        .user_unit("alice", "hello.service", UNIT)
        .user_unit("bob", "hello.service", UNIT)
        .file("/var/lib/systemd/linger/alice", "", 0o644, 0);
    let machine = boot(builder);
    for user in ["alice", "bob"] {
        machine.as_user(user, &["systemctl", "--user", "--quiet", "enable", "hello.service"]);
    }
    let _usherd = machine.start_usherd();
    let manager = wait_lingering(&machine, &ALICE);
    wait_text(&machine, "/home/alice/said", "/run/user/1001");
    assert_eq!(machine.manager(&BOB), None);
    assert!(!machine.exists("/home/bob/said"));
    let mut shell = log_in(&machine, "alice");
    assert_eq!(machine.manager(&ALICE), Some(manager));
    assert_eq!(shell.ask("systemctl --user is-active hello.service"), "active");
    shell.close();
    assert_eq!(wait_lingering(&machine, &ALICE), manager);
}

#[test]
fn disabled_it_ends_with_the_last_session() {
    let machine = boot(guide());
    let _usherd = machine.start_usherd();
    machine.run(&["loginctl", "enable-linger", "alice"]);
    let manager = wait_lingering(&machine, &ALICE);
    let mut shell = log_in(&machine, "alice");
    shell.ask("loginctl disable-linger");
    assert!(!machine.exists("/var/lib/systemd/linger/alice"));
    assert_eq!(machine.manager(&ALICE), Some(manager));
    shell.close();
    machine.wait_gone(&ALICE);
}
