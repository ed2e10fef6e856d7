//! The guide to systemd/User, how a manager comes and goes: one for each user, with the first login, until after the last.

mod guide_common;

use guide_common::*;
use usher_tests::{ALICE, BOB, Machine, ROOT, Shell};

const PERMIT: &str = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n";

/// The files of a distribution whose programs include a stack called system-login: nothing in any other.
fn with_system_login() -> Machine {
    let includes = |name: &str| {
        format!(
            "auth include {name}\naccount include {name}\npassword include {name}\nsession include {name}\n"
        )
    };
    let broker = "-session optional pam_usher.so\nsession required pam_env.so\n";
    let login = format!("{PERMIT}session include system-auth\n{broker}");
    [
        ("system-auth", format!("{PERMIT}session required pam_unix.so\n")),
        ("system-login", login),
        ("system-local-login", includes("system-login")),
        ("system-remote-login", includes("system-login")),
        ("login", includes("system-local-login")),
        ("sshd", includes("system-remote-login")),
        ("common-session", String::new()),
        ("su", format!("{PERMIT}session required pam_unix.so\n")),
        ("su-l", format!("{PERMIT}session required pam_unix.so\n")),
        ("sudo", includes("system-auth")),
    ]
    .into_iter()
    .fold(guide(), |builder, (name, text)| builder.file(format!("/etc/pam.d/{name}"), &text, 0o644, 0))
    .boot()
}

fn starts_by_login_and_ssh(machine: &Machine) {
    let _usherd = machine.start_usherd();
    for by in ["login", "ssh"] {
        assert_eq!(machine.manager(&ALICE), None, "before {by}");
        let mut shell = if by == "login" { machine.login("alice") } else { machine.ssh_session("alice") };
        settled(machine, &mut shell);
        let manager = machine.manager(&ALICE).expect("a manager");
        let cmdline = machine.read(format!("/proc/{manager}/cmdline"));
        assert_eq!(cmdline, "/usr/lib/systemd/systemd\0--user\0", "{by}");
        assert_eq!(shell.ask("systemctl --user is-active default.target"), "active", "{by}");
        let status = shell.ask("systemctl --user --no-pager status");
        assert!(status.contains("State: running") && status.contains("user@1001.service"), "{by}: {status}");
        shell.close();
        machine.wait_gone(&ALICE);
    }
}

#[test]
fn it_starts_at_the_first_login_through_system_login() {
    starts_by_login_and_ssh(&with_system_login());
}

#[test]
fn it_starts_at_the_first_login_through_common_session() {
    starts_by_login_and_ssh(&guide().boot());
}

#[test]
fn pid_1_is_not_systemd() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_ne!(machine.read("/proc/1/comm").trim(), "systemd");
    assert_eq!(shell.try_ask("test -e /run/systemd/system").0, 1);
    shell.close();
}

#[test]
fn it_survives_while_any_session_is_open_and_ends_after_the_last() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let first = log_in(&machine, "alice");
    let manager = machine.manager(&ALICE).expect("a manager");
    let second = machine.login("alice");
    let mut third = log_in(&machine, "alice");
    assert_eq!(machine.sessions(&ALICE).len(), 3);
    first.close();
    machine.wait_for("the first session's end", || machine.sessions(&ALICE).len() == 2);
    second.hang_up();
    machine.wait_for("the second session's end", || machine.sessions(&ALICE).len() == 1);
    assert_eq!(machine.manager(&ALICE), Some(manager));
    assert_eq!(third.ask("systemctl --user is-active default.target"), "active");
    third.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn it_is_one_for_each_user_and_not_for_each_session() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shells = [log_in(&machine, "alice"), log_in(&machine, "alice"), log_in(&machine, "bob")];
    // A service's parent is the manager.
    let ask = "systemd-run --user --quiet --wait --pipe sh -c 'echo $PPID'";
    let [first, second, bobs] = shells.each_mut().map(|shell| shell.ask(ask));
    assert_eq!(first, machine.manager(&ALICE).expect("alice's manager").to_string());
    assert_eq!(second, first);
    assert_eq!(bobs, machine.manager(&BOB).expect("bob's manager").to_string());
    let managers = machine.run(&["pgrep", "-cxf", "/usr/lib/systemd/systemd --user"]);
    assert_eq!(managers.text(), "2");
    // What one user starts is running in both of her sessions, and not for anybody else.
    shells[0].ask("systemd-run --user --quiet --unit=mine sleep 1000");
    assert_eq!(shells[1].ask("systemctl --user is-active mine.service"), "active");
    assert_eq!(shells[2].try_ask("systemctl --user is-active mine.service").1, "inactive");
    shells.into_iter().for_each(Shell::close);
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

fn none_by_su_and_sudo(machine: &Machine) {
    let _usherd = machine.start_usherd();
    let mut shell = log_in(machine, "alice");
    let manager = machine.manager(&ALICE).expect("a manager");
    for command in [
        "sudo -u bob true",
        "sudo -i -u bob true",
        "sudo su - bob -c true",
        "sudo su bob -c true",
        "sudo true",
        "sudo su - -c true",
    ] {
        shell.ask(command);
        for person in [&BOB, &ROOT] {
            assert_eq!(machine.manager(person), None, "{command}");
            assert!(machine.all_sessions(person).is_empty(), "{command}");
        }
    }
    // Nor a second one of her own.
    shell.ask("sudo su - alice -c true");
    assert_eq!(machine.manager(&ALICE), Some(manager));
    assert_eq!(machine.sessions(&ALICE).len(), 1);
    // What belongs to a login is not there, and systemctl says so.
    let (code, said) = shell.try_ask("sudo su - bob -c 'systemctl --user status'");
    assert!(code != 0 && said.contains("Failed to connect to bus"), "{said}");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn su_and_sudo_make_no_new_one() {
    none_by_su_and_sudo(&guide().boot());
}

#[test]
fn su_and_sudo_make_no_new_one_where_system_login_is_the_stack_of_logins() {
    none_by_su_and_sudo(&with_system_login());
}

#[test]
fn root_has_one_of_its_own() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = machine.login("root");
    settled(&machine, &mut shell);
    assert_eq!(shell.ask("echo $XDG_RUNTIME_DIR"), "/run/user/0");
    let manager = machine.manager(&ROOT).expect("root's manager");
    assert!(machine.read(format!("/proc/{manager}/status")).contains("\nUid:\t0\t0\t0\t0\n"));
    let said =
        shell.ask("systemd-run --user --quiet --wait --pipe sh -c 'id -un; grep ^0:: /proc/self/cgroup'");
    let (name, cgroup) = said.split_once('\n').expect("two lines");
    assert_eq!(name, "root");
    assert!(cgroup.starts_with(&format!("0::{}/app.slice/", ROOT.service())), "{cgroup}");
    shell.close();
    machine.wait_gone(&ROOT);
}

#[test]
fn several_users_have_theirs_at_once() {
    let machine = guide().user("carol", 1003).boot();
    let _usherd = machine.start_usherd();
    let shells: Vec<_> = std::thread::scope(|scope| {
        let people = [("alice", 1001), ("bob", 1002), ("carol", 1003)];
        let logins = people.map(|(name, uid)| {
            let machine = &machine;
            scope.spawn(move || {
                let mut shell = log_in(machine, name);
                machine.wait_for("everybody", || {
                    [1001, 1002, 1003].iter().all(|uid| machine.exists(format!("/run/user/{uid}/systemd/private")))
                });
                assert_eq!(shell.ask("systemd-run --user --quiet --wait --pipe id -u"), uid.to_string());
                let directory = format!("/run/user/{uid}");
                let said = "systemd-run --user --quiet --wait --pipe sh -c 'echo $XDG_RUNTIME_DIR'";
                assert_eq!(shell.ask(said), directory);
                // Nobody reaches the others' managers.
                for other in [1001, 1002, 1003].into_iter().filter(|other| *other != uid) {
                    // systemctl would turn to the bus that is told, and so to the own manager.
                    let ask = format!(
                        "env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/{other} systemctl --user is-active default.target"
                    );
                    let (code, said) = shell.try_ask(&ask);
                    assert!(code != 0 && said.contains("Permission denied"), "{name} and {other}: {said}");
                }
                // Closed once nobody looks for anybody any more.
                shell
            })
        });
        logins.into_iter().map(|login| login.join().expect("a login")).collect()
    });
    shells.into_iter().for_each(Shell::close);
    for name in ["alice", "bob", "carol"] {
        let file = format!("/run/user/{}", machine.run(&["id", "-u", name]).text());
        machine.wait_for(&format!("{name} to be gone"), || !machine.exists(&file));
    }
}

#[test]
fn the_runtime_directory_is_there_before_its_services_start() {
    let early = "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target basic.target\n\n[Service]\nType=oneshot\n\
        ExecStart=/bin/sh -c 'echo \"$XDG_RUNTIME_DIR $(stat -f -c %%T $XDG_RUNTIME_DIR) $(stat -c %%u:%%a %t)\" > %t/early'\n\
        RemainAfterExit=yes\n\n[Install]\nWantedBy=basic.target\n";
    let machine = guide().user_unit("alice", "early.service", early).boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "early.service"]);
    // Ready means basic.target: it has run before the shell came.
    let mut shell = machine.ssh_session("alice");
    assert_eq!(shell.ask("cat $XDG_RUNTIME_DIR/early"), "/run/user/1001 tmpfs 1001:700");
    shell.close();
    machine.wait_gone(&ALICE);
}
