//! A new version of usherd takes the place of the old one while people are logged in: the file is replaced under the running
//! program, which is then stopped or killed, and the new one starts and reads what the old one has written.

mod crash_common;
mod faults_common;

use std::fs;
use std::os::unix::fs::MetadataExt;

use crash_common::cast::{self, Bystander, Cast};
use crash_common::{manager, start_time};
use faults_common::*;
use usher_tests::{Machine, Usherd};

/// State files as usherd 0.1 writes them, with keys that it does not know, as a later version may have left them.
const SESSION_0_1: &str = include_str!("crash_common/session-0.1");
const USER_0_1: &str = include_str!("crash_common/user-0.1");

/// The uid of somebody who has never been here.
const CAROL: u32 = 1003;
const PROGRAM: &str = "/usr/sbin/usherd";

/// As a package manager does it: a new file, renamed over the old one.
fn replace_program(machine: &Machine) {
    machine.sh(&format!(
        "cp {PROGRAM} {PROGRAM}.new; echo another version >> {PROGRAM}.new; mv {PROGRAM}.new {PROGRAM}"
    ));
}

/// Whether usherd runs the program that is in the file system now.
fn runs_the_new_program(machine: &Machine, broker: &Usherd<'_>) -> bool {
    let running = fs::metadata(machine.file(format!("/proc/{}/exe", broker.pid())));
    let on_disk = fs::metadata(machine.file(PROGRAM));
    let inode = |file: std::io::Result<fs::Metadata>| file.map(|file| (file.dev(), file.ino())).ok();
    inode(running) == inode(on_disk)
}

#[test]
fn the_program_is_replaced_under_a_running_usherd() {
    let machine = cast::machine();
    // A file of the machine's own, where there is a mount of the host's.
    machine.sh(&format!("cp {PROGRAM} {PROGRAM}.own && umount {PROGRAM} && mv {PROGRAM}.own {PROGRAM}"));
    let mut broker = machine.start_usherd();
    let bob = Bystander::new(&machine);
    let mut cast = Cast::new(&machine, Some(bob));
    cast.log_in();
    cast.manager();

    for kill in [false, true] {
        replace_program(&machine);
        assert!(!runs_the_new_program(&machine, &broker));
        // Logins and logouts go on, and so does what usherd starts itself as a child for.
        cast.log_in();
        cast.check();
        cast.log_out();
        let lookup = machine.run(&["usherctl", "enable-linger", "carol"]);
        assert!(machine.exists("/var/lib/systemd/linger/carol"), "{lookup}");
        machine.wait_for("carol's manager", || manager::ready(&machine, CAROL).is_some());
        machine.run(&["usherctl", "disable-linger", "carol"]);
        machine.wait_for("carol to go", || !machine.exists(user_file(CAROL)));

        if kill {
            broker.kill9();
            broker.start();
        } else {
            broker.restart();
        }
        assert!(runs_the_new_program(&machine, &broker));
        cast.check();
    }
    cast.all_but_bob_go();
    cast.bob_goes();
}

#[test]
fn what_an_earlier_version_has_written_is_understood() {
    let machine = cast::machine();
    let mut broker = machine.start_usherd();
    let mut cast = Cast::new(&machine, None);
    cast.log_in();
    let manager = cast.manager();
    machine.wait_for("the manager's session", || sessions(&machine).len() == 2);
    let id = cast.logins[0].session();
    let managers = sessions(&machine).into_iter().find(|other| *other != id).expect("the manager's session");
    broker.kill9();

    let session = fill_in(&machine, SESSION_0_1, &session_file(&id), &[("@ID@", &id)]);
    let user = fill_in(&machine, USER_0_1, &user_file(ALICE), &[("@ID@", &id), ("@MANAGERS@", &managers)]);
    assert!(session.contains("\nFUTURE_KEY=") && user.contains("\nFUTURE_KEY="));
    broker.start();
    cast.check();
    assert_eq!(cast.manager(), manager);
    assert!(!broker.log().contains("WARN"), "{}", broker.log());
    // What is shown of it is what was on file.
    let shown = machine.run(&["usherctl", "show-session", &id]).stdout;
    for line in ["Service=usher-test", "TTY=test", "Class=user", "Name=alice", "State=active"] {
        assert!(shown.lines().any(|shown| shown == line), "no {line} in {shown}");
    }
    cast.all_but_bob_go();
}

/// Where the number of a process stands whose start time is noted.
fn process_of(start: &str) -> &'static str {
    if start == "USHER_LEADER_START" { "LEADER" } else { "USHER_MANAGER_PID" }
}

/// Puts a file of that version in the place of the one that is there, with the numbers of that one. Every key that it has is
/// one that usherd writes today, but for those that nobody knows and the start times of processes.
fn fill_in(machine: &Machine, old: &str, path: &str, words: &[(&str, &str)]) -> String {
    let as_now = |name| key(machine, path, name).unwrap_or_else(|| panic!("there is no {name} today"));
    let mut text = String::new();
    for line in old.lines() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let value = match value {
            "@START@" => start_time(machine, as_now(process_of(name)).parse().expect("a process id")),
            "@AS-NOW@" => as_now(name),
            _ => words.iter().fold(value.to_owned(), |value, (word, by)| value.replace(word, by)),
        };
        text += &if line.contains('=') { format!("{name}={value}\n") } else { format!("{line}\n") };
    }
    fs::write(machine.file(path), &text).expect("write a state file");
    text
}
