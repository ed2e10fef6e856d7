//! Users with the largest numbers there are, and those with numbers that stand for nobody.

mod names_common;

use names_common::*;
use usher_tests::{Machine, Person};

/// 2^31 and its neighbour: negative, where somebody has a sign. 2^32 - 2: the last one. 65534: nobody.
const PEOPLE: [Person; 4] = [
    Person { name: "signed", uid: 2_147_483_648 },
    Person { name: "signed1", uid: 2_147_483_649 },
    Person { name: "last", uid: 4_294_967_294 },
    Person { name: "nobody", uid: 65_534 },
];

/// What libsystemd says of the caller.
const ASK: &str = "import os
from systemd import login
uid = os.getuid()
print(uid, login.uids().count(uid), login.Monitor('uid') is not None)
";

fn machine(config: &str) -> Machine {
    let builder = PEOPLE[..3]
        .iter()
        .fold(Machine::builder().config(config), |machine, person| machine.user(person.name, person.uid));
    let machine = builder.boot();
    // The distribution's nobody may not log in.
    machine.sh("sed -i 's,^nobody:.*,nobody:*:65534:65534::/home/nobody:/bin/sh,' /etc/passwd; mkdir /home/nobody; chown 65534:65534 /home/nobody");
    machine
}

#[test]
fn they_log_in_and_out_and_everything_names_them_rightly() {
    let machine = machine("[Login]\nUserStopDelaySec=0\n");
    let mut usherd = machine.start_usherd();
    for person in &PEOPLE {
        let Person { name, uid } = *person;
        let mut login = machine.su(name);
        let text =
            login.ask("echo $(id -u) $XDG_RUNTIME_DIR $XDG_SESSION_ID; stat -c '%u %g %a' $XDG_RUNTIME_DIR");
        let id = machine.sessions(person).pop().expect("a session");
        assert_eq!(text, format!("{uid} /run/user/{uid} {id}\n{uid} {uid} 700"));
        assert_eq!(login.ask("grep ^0:: /proc/self/cgroup"), format!("0::{}", person.scope(&id)));
        let mount = machine.mounted(&person.runtime_dir()).expect("a runtime directory");
        assert_eq!(mount.fs_type, "tmpfs");
        assert!(is_up(&machine, uid), "{}", machine.dump());
        assert_eq!(login.ask("systemctl --user is-active basic.target"), "active");
        assert_eq!(machine.run(&["usherctl", "show-session", &id, "-P", "User"]).text(), uid.to_string());
        for word in [name, &uid.to_string()] {
            let shown =
                machine.run(&["usherctl", "show-user", word, "-p", "UID", "-p", "Name", "-p", "Slice"]);
            assert_eq!(shown.text(), format!("UID={uid}\nName={name}\nSlice=user-{uid}.slice"));
        }
        for verb in ["list-users", "list-sessions"] {
            let rows = machine.run(&["usherctl", verb]);
            assert!(rows.stdout.contains(&format!("{uid} {name}")), "{rows}");
        }
        assert!(
            machine.run(&["usherctl", "user-status", name]).stdout.starts_with(&format!("{name} ({uid})\n"))
        );
        let libsystemd = login.ask(&format!("python3 -c \"{ASK}\""));
        assert_eq!(libsystemd, format!("{uid} 1 True"));

        usherd.restart();
        assert_eq!(machine.sessions(person), [id]);
        machine.run(&["usherctl", "enable-linger", &uid.to_string()]);
        assert_eq!(flagged(&machine), [name]);
        login.close();
        machine.wait_for("to linger", || machine.state_of(&format!("users/{uid}"), "STATE") == "lingering");
        machine.run(&["usherctl", "terminate-user", &uid.to_string()]);
        machine.wait_gone(person);
        machine.run(&["usherctl", "disable-linger", name]);
        assert_eq!(flagged(&machine), Vec::<String>::new());
    }
}

#[test]
fn they_linger_from_boot_on() {
    let machine = machine("[Login]\nUserStopDelaySec=0\nManager=none\n");
    flags(&machine, &PEOPLE.map(|person| person.name));
    let _usherd = machine.start_usherd();
    for person in &PEOPLE {
        let file = format!("users/{}", person.uid);
        machine.wait_for("to linger", || machine.state_of(&file, "STATE") == "lingering");
        assert!(machine.mounted(&person.runtime_dir()).is_some());
        machine.run(&["usherctl", "disable-linger", person.name]);
        machine.wait_gone(person);
    }
}

/// systemd calls these numbers invalid, and so does the kernel the second one.
#[test]
fn numbers_that_stand_for_nobody_get_no_session_and_a_clear_word() {
    let machine = Machine::builder().config("[Login]\nManager=none\n").user("sixteen", 65_535).boot();
    machine.sh("echo 'minus:*:4294967295:100::/tmp:/bin/sh' >> /etc/passwd");
    let _usherd = machine.start_usherd();
    let output = machine.run(&["su", "-", "sixteen", "-c", "echo in ${XDG_SESSION_ID-none}"]);
    assert_eq!(output.text(), "in none");
    let lines = || {
        machine
            .syslog()
            .lines()
            .filter(|line| line.contains("pam_usher"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    machine.wait_for("one line in the auth log", || !lines().is_empty());
    let told = lines();
    assert!(told.len() == 1 && told[0].contains("65535 and 4294967295 stand for no user"), "{told:?}");
    for name in ["sixteen", "minus"] {
        let output = machine.try_run(&["usherctl", "enable-linger", name]);
        assert!(
            output.code == 1 && output.stderr.contains(&format!("Failed to look up user {name}")),
            "{output}"
        );
    }
    flags(&machine, &["sixteen", "minus"]);
    assert!(machine.run(&["usherctl", "list-users"]).stdout.contains("No users."));
}
