//! A name service that is not up yet, fails, or hangs: lingering users wait for it, nobody else does.

mod names_common;

use std::time::{Duration, Instant};

use names_common::*;
use usher_tests::{ALICE, BOB, Machine};

/// What a login may take that waits for nothing, on a busy computer.
const AT_ONCE: Duration = Duration::from_secs(3);
/// Users of the late name service besides carol.
const MANY: u32 = 300;

/// Everybody whom the local files know logs in as ever, and root waits for nothing.
fn others_log_in(machine: &Machine) {
    for (user, uid) in [("root", 0), ("bob", 1002)] {
        let start = Instant::now();
        let answer = machine.ssh(user, "echo $XDG_SESSION_ID $XDG_RUNTIME_DIR; [ -w $XDG_RUNTIME_DIR ]");
        let took = start.elapsed();
        assert!(answer.text().ends_with(&format!(" /run/user/{uid}")), "{answer}");
        assert!(took < AT_ONCE, "the login of {user} took {took:?}");
    }
    machine.wait_gone(&BOB);
}

/// carol's manager comes soon after the name service does.
fn comes_up(machine: &Machine) {
    assert!(!is_up(machine, CAROL.uid));
    set_mode(machine, "answer");
    let took =
        machine.wait_within(RECOVERY, "carol's manager after the recovery", || is_up(machine, CAROL.uid));
    println!("up {took:?} after the recovery");
    assert_eq!(machine.state_of("users/1003", "STATE"), "lingering");
    machine.wait_for("the helpers to be gone", || helpers(machine) == 0);
}

fn times(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// carol lingers, alice and bob are local; the name service misbehaves for a while.
fn late(mode: &str, words: &str) {
    let machine = with_late_names(LIGHT, mode, "");
    flags(&machine, &["alice", "carol"]);
    machine.start_sshd();
    let start = Instant::now();
    let usherd = machine.start_usherd();
    assert!(start.elapsed() < AT_ONCE, "usherd itself waits for nobody");
    machine.wait_within(AT_ONCE, "alice, who is local, to linger", || is_up(&machine, ALICE.uid));
    others_log_in(&machine);
    let said = format!("user carol lingers but cannot be looked up, trying again until it can: {words}");
    machine.wait_for("one line in the log", || usherd.log().contains(&said));
    assert!(helpers(&machine) <= 2, "{}", helpers(&machine));
    if mode == "hang" {
        // One that has begun before the recovery never ends: it is the other that will be answered.
        machine.wait_for("a lookup, and another one beside it", || helpers(&machine) == 2);
    }
    comes_up(&machine);
    assert_eq!(times(&usherd.log(), "user carol lingers but"), 1, "{}", usherd.log());
}

#[test]
fn it_fails() {
    late("unavailable", "the user database failed: ");
}

#[test]
fn it_fails_for_the_moment() {
    late("tryagain", "the user database failed: ");
}

#[test]
fn it_says_that_there_is_no_such_user() {
    late("notfound", "no such user");
}

#[test]
fn it_hangs() {
    late("hang", "the user database did not answer within 10 s");
}

/// A database that needs longer than a lookup may hold up others is waited for all the same.
#[test]
fn it_is_slow() {
    let machine = with_late_names(LIGHT, "slow", "");
    flags(&machine, &["carol"]);
    let usherd = machine.start_usherd();
    machine.wait_for("carol's manager", || is_up(&machine, CAROL.uid));
    assert_eq!(times(&usherd.log(), "cannot be looked up"), 0, "{}", usherd.log());
}

#[test]
fn many_hang_and_neither_fill_the_machine_nor_hold_up_the_others() {
    let names: Vec<String> = (0..MANY).map(|n| format!("a{n:03}")).collect();
    let lines = names.iter().zip(20_000..).map(|(name, uid)| format!("{name}:x:{uid}:{uid}::/tmp:/bin/sh\n"));
    let machine = with_late_names("[Login]\nManager=none\n", "hang", &lines.collect::<String>());
    flags(&machine, &names.iter().map(String::as_str).collect::<Vec<_>>());
    // Behind the first few of them in the queue.
    flags(&machine, &["a009z"]);
    machine.sh("echo a009z:x:1009:1009::/tmp:/bin/sh >> /etc/passwd");
    machine.start_sshd();
    let usherd = machine.start_usherd();
    let mut most = 0;
    machine.wait_for("the local one among them", || {
        most = most.max(helpers(&machine));
        machine.exists("/run/systemd/users/1009")
    });
    others_log_in(&machine);
    most = most.max(helpers(&machine));
    assert!((2..=20).contains(&most), "{most} helpers at once");
    set_mode(&machine, "answer");
    // root and the local one are there, too, or may be. To start so many takes a busy computer its time.
    let started = |number| names_in(&machine, "/run/systemd/users") > number;
    let first = machine.wait_within(RECOVERY, "the first of them", || started(2));
    let start = Instant::now();
    machine.wait_for("all of them", || started(MANY as usize));
    println!("first up {first:?}, all {MANY} {:?} later; at most {most} helpers", start.elapsed());
    drop(usherd);
}

fn names_in(machine: &Machine, directory: &str) -> usize {
    std::fs::read_dir(machine.file(directory)).map_or(0, Iterator::count)
}

/// Helpers end with usherd, whether it is killed or stops.
#[test]
fn no_helper_outlives_usherd() {
    let machine = with_late_names(LIGHT, "hang", "");
    flags(&machine, &["carol"]);
    let mut usherd = machine.start_usherd();
    for killed in [true, false] {
        machine.wait_for("two helpers that hang", || helpers(&machine) == 2);
        if killed {
            usherd.kill9();
        } else {
            assert_eq!(usherd.stop(), 0);
        }
        machine.wait_for("the helpers to be gone", || helpers(&machine) == 0);
        usherd.start();
    }
    // Nor does a login or logout have anything to do with it.
    others_log_in(&machine);
}

/// To become a user's manager is to take on the user's groups, and that asks the name service: it is the manager that
/// hangs then, not the login.
#[test]
fn it_hangs_for_whoever_starts_managers() {
    let config = format!("{LIGHT}ManagerReadyWaitSec=1\nManagerStartTimeoutSec=4\nManagerStopTimeoutSec=1\n");
    let machine = with_late_names(&config, "hang usher-user-mana", "");
    let _usherd = machine.start_usherd();
    machine.start_sshd();
    let start = Instant::now();
    let answer = machine.ssh("root", "[ -w $XDG_RUNTIME_DIR ] && echo $XDG_SESSION_ID");
    assert!(
        answer.text().parse::<u32>().is_ok() && start.elapsed() < AT_ONCE,
        "{answer} {:?}",
        start.elapsed()
    );
    let start = Instant::now();
    let mut ssh = machine.ssh_session("alice");
    let took = start.elapsed();
    assert!(took < AT_ONCE + Duration::from_secs(1), "the login took {took:?}");
    let session = ssh.ask("[ -w $XDG_RUNTIME_DIR ] && echo $XDG_SESSION_ID");
    assert_eq!(machine.state_of(&format!("sessions/{session}"), "STATE"), "active");
    let of_login = |line: &&str| {
        line.contains("pam_usher(sshd:session)") && line.contains(&format!("session {session}"))
    };
    let syslog = machine.syslog();
    let lines: Vec<_> = syslog.lines().filter(of_login).collect();
    assert!(
        lines.len() == 1 && lines[0].contains("user manager is not ready yet; the login goes on without it"),
        "{lines:?}"
    );
    // It is given up in time; when the name service can be asked again, the next login gets one.
    let manager = || machine.run(&["usherctl", "show-user", "alice", "-P", "Manager"]).text().to_owned();
    machine.wait_for("the manager to be given up", || manager() == "failed");
    set_mode(&machine, "answer");
    machine.ssh("alice", "true");
    machine.wait_for("alice's manager", || is_up(&machine, ALICE.uid));
    machine.wait_for("the first session alone", || machine.sessions(&ALICE) == [session.as_str()]);
    ssh.close();
    machine.wait_gone(&ALICE);
}

/// sshd and su look a user up; usherd does not, so a name service that hangs for usherd alone hinders nobody.
#[test]
fn usherd_looks_nobody_up_who_logs_in() {
    let machine = with_late_names(LIGHT, USHERD_HANGS, "");
    machine.sh("mkdir -p /home/carol/.ssh; cp /home/alice/.ssh/authorized_keys /home/carol/.ssh/; chown -R 1003:1003 /home/carol/.ssh");
    flags(&machine, &["carol"]);
    let mut usherd = machine.start_usherd();
    machine.start_sshd();
    machine.wait_for("a lookup that hangs", || helpers(&machine) > 0);
    let start = Instant::now();
    let mut ssh = machine.ssh_session("carol");
    assert_eq!(ssh.ask("echo $XDG_RUNTIME_DIR"), "/run/user/1003");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    // She is known now, flag and all.
    assert!(is_up(&machine, CAROL.uid));
    machine.wait_for("the lookup to be over", || helpers(&machine) == 0);
    assert_eq!(ssh.ask("usherctl show-user $(id -u) -P Linger"), "yes");
    let manager = machine.state_of("users/1003", "USHER_MANAGER_PID");
    usherd.restart();
    ssh.close();
    machine.wait_for("carol to linger", || machine.state_of("users/1003", "STATE") == "lingering");
    assert_eq!(machine.state_of("users/1003", "USHER_MANAGER_PID"), manager);
    // The last login says who she is, as the name service does not.
    let start = Instant::now();
    machine.run(&["usherctl", "disable-linger", "1003"]);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    machine.wait_gone(&CAROL);
    assert_eq!(flagged(&machine), Vec::<String>::new());
}
