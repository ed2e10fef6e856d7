//! Many short logins while usherd is killed again and again: nothing of them is left.

mod faults_common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faults_common::*;

const LOGINS: usize = 200;
const LANES: usize = 4;
const CRASHES: usize = 3;

#[test]
fn two_hundred_logins_and_three_crashes_leave_nothing() {
    let machine = machine("[Login]\nUserStopDelaySec=100ms\nManager=none\n");
    let mut broker = machine.start_usherd();
    let (fds, resident) = {
        // Warm.
        machine.run(&["pamtester", "usher-test", "alice", "open_session", "close_session"]);
        wait_nothing_left(&machine);
        size_of(&machine, broker.pid())
    };
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for lane in 0..LANES {
            let (machine, done) = (&machine, &done);
            scope.spawn(move || {
                // Some close their session, some leave that to the kernel, some leave a process for a moment.
                let user = ["alice", "bob"][lane % 2];
                for n in 0..LOGINS / LANES {
                    let login = match n % 4 {
                        0 => machine.try_run(&["pamtester", "usher-test", user, "open_session"]),
                        1 => machine.try_run(&["su", "-", user, "-c", "sleep 0.05 & true"]),
                        _ => machine.try_run(&[
                            "pamtester",
                            "usher-test",
                            user,
                            "open_session",
                            "close_session",
                        ]),
                    };
                    assert!(login.ok(), "{user} cannot log in: {login}");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for crash in 1..=CRASHES {
            let moment = LOGINS * crash / (CRASHES + 1);
            machine.wait_for("some more logins", || done.load(Ordering::Relaxed) >= moment);
            broker.kill9();
            broker.start();
        }
    });
    wait_nothing_left(&machine);
    assert_eq!(machine.cgroup_children("/"), ["init.scope", "user.slice"]);
    assert_eq!(
        names(&machine, "/run/systemd/sessions").len() + names(&machine, "/run/systemd/users").len(),
        0
    );
    assert!(!machine.mounts().iter().any(|mount| mount.mount_point.starts_with("/run/user/")));
    let temporary = machine.sh("find /run/systemd /run/usher -name '.#*' -o -name '*.new'");
    assert_eq!(temporary.text(), "");
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    let (_, now) = size_of(&machine, broker.pid());
    assert!(now < resident + 4096, "usherd grew from {resident} to {now} KiB");
    let lines = module_lines(&machine);
    println!(
        "{} logins, {CRASHES} crashes, {} of them without a session; {resident} -> {now} KiB",
        LOGINS,
        lines.len()
    );
}

/// The same with the real manager, fewer times: it comes and goes with each login.
#[test]
fn managers_come_and_go_and_nothing_is_left() {
    let machine = machine(WITH_MANAGER);
    let mut broker = machine.start_usherd();
    thread::scope(|scope| {
        for user in ["alice", "bob"] {
            let machine = &machine;
            scope.spawn(move || {
                for n in 0..8 {
                    let login = su(machine, user, if n % 2 == 0 { "exec sleep 1000" } else { "true" });
                    wait_in(machine, &login);
                    if n % 2 == 0 {
                        log_out(machine, login);
                    }
                }
            });
        }
        for _ in 0..2 {
            machine.wait_for("somebody to be logged in", || !sessions(&machine).is_empty());
            broker.kill9();
            broker.start();
        }
    });
    wait_nothing_left(&machine);
    for user in ["alice", "bob"] {
        assert!(!machine.try_run(&["pgrep", "-u", user]).ok(), "processes of {user} are left");
    }
}
