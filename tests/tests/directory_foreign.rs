//! Somebody mounts or unmounts at /run/user/UID while its user is logged in: what is there is known by its mount, used or
//! refused as if it were the first time, and what is somebody else's stays. Nobody waits for a file system that hangs.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine};

const ASK: &str = "echo ${XDG_SESSION_ID-none} ${XDG_RUNTIME_DIR-none}";
/// For what must not wait for anybody, on a busy computer.
const SOON: Duration = Duration::from_secs(5);

/// Logs in and says which runtime directory the login has.
fn directory_of(login: &Login<'_>, machine: &Machine) -> String {
    machine.wait_for("its environment", || login.su.log().lines().count() >= 2);
    login.su.log().lines().last().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned()
}

fn asking<'m>(machine: &'m Machine, user: &str) -> Login<'m> {
    Login::running(machine, user, &format!("{ASK}; exec sleep 1000"))
}

/// What a user can do who may use fusermount(1), without its formalities: a file system on a path of alice's, served by a
/// process of hers that never says a word.
const HUNG: &str = "import ctypes, os, sys, time
device = os.open('/dev/fuse', os.O_RDWR)
options = 'fd=%d,rootmode=%s,user_id=1001,group_id=1001,allow_other' % (device, sys.argv[2])
if ctypes.CDLL(None, use_errno=True).mount(b'hung', sys.argv[1].encode(), b'fuse.hung', 6, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.setresuid(1001, 1001, 1001)
print('mounted', flush=True)
time.sleep(1000)
";

fn hangs<'m>(machine: &'m Machine, path: &str, mode: &str) -> Background<'m> {
    let mut server = machine.spawn(&["python3", "-c", HUNG, path, mode]);
    machine.wait_for("a file system that hangs", || {
        assert!(server.is_running(), "{}", server.log());
        server.log().contains("mounted")
    });
    server
}

fn has_fuse(machine: &Machine) -> bool {
    let there = machine.exists("/dev/fuse");
    if !there {
        eprintln!("skipped: there is no FUSE here");
    }
    there
}

#[test]
fn one_that_was_unmounted_is_made_anew_by_the_next_login() {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    let first = asking(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let before = identity(&machine, RUNTIME);
    machine.run(&["umount", "-l", RUNTIME]);

    let second = asking(&machine, "alice");
    assert_eq!(directory_of(&second, &machine), RUNTIME);
    assert_ne!(identity(&machine, RUNTIME), before);
    assert_eq!(stacked(&machine, RUNTIME), 1);
    let mounted = machine.mounted(RUNTIME).expect("a mount");
    assert!(mounted.has("uid=1001") && mounted.has("mode=700"), "{mounted:?}");
    assert!(broker.log().contains("was unmounted, with what was in it: it is made anew"), "{}", broker.log());
    for login in [first, second] {
        login.log_out();
    }
    wait_nothing_left(&machine);
}

/// A second and a third login at the same time as the first do not take it for lost.
#[test]
fn logins_that_come_at_once_all_find_the_same() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    let all: Vec<_> =
        (0..8).map(|_| su(&machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000")).collect();
    for su in &all {
        machine.wait_for("its environment", || su.log().contains(RUNTIME));
    }
    assert!(!broker.log().contains("made anew"), "{}", broker.log());
    assert_eq!(stacked(&machine, RUNTIME), 1);
    for su in all {
        log_out(&machine, su);
    }
    wait_nothing_left(&machine);
}

/// Even one that looks exactly like usher's, with the number that the mount table had for that.
#[test]
fn one_that_was_put_in_its_place_is_not_taken_for_it_and_stays() {
    for restart in [false, true] {
        let machine = machine(QUICK);
        let mut broker = machine.start_usherd();
        let login = asking(&machine, "alice");
        directory_of(&login, &machine);
        let options = "mode=0700,uid=1001,gid=1001";
        machine.sh(&format!("umount {RUNTIME} && mount -t tmpfs -o {options} tmpfs {RUNTIME}"));
        machine.sh(&format!("echo precious > {RUNTIME}/file"));
        if restart {
            broker.kill9();
            broker.start();
        }
        login.log_out();
        machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)));
        assert_eq!(machine.read(format!("{RUNTIME}/file")), "precious\n", "restarted: {restart}");
        machine.run(&["umount", RUNTIME]);
    }
}

/// Mounted over, and unfit: the next login has no runtime directory and is told why, restart or not; once the mount is gone, the
/// directory is the old one.
#[test]
fn one_that_is_covered_comes_back() {
    for restart in [false, true] {
        let machine = machine(QUICK);
        let mut broker = machine.start_usherd();
        let first = asking(&machine, "alice");
        directory_of(&first, &machine);
        machine.as_user("alice", &["touch", &format!("{RUNTIME}/mine")]);
        let before = identity(&machine, RUNTIME);
        machine.run(&["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", RUNTIME]);
        if restart {
            broker.kill9();
            broker.start();
        }
        let second = asking(&machine, "alice");
        assert_eq!(directory_of(&second, &machine), "none");
        let status = machine.run(&["usherctl", "user-status", "alice"]).stdout;
        assert!(status.contains("tmpfs, owned by uid 0, mode 0755"), "{status}");
        assert_eq!(stacked(&machine, RUNTIME), 2, "nothing is put on top");

        machine.run(&["umount", RUNTIME]);
        let third = asking(&machine, "alice");
        assert_eq!(directory_of(&third, &machine), RUNTIME);
        assert_eq!(identity(&machine, RUNTIME), before);
        assert!(machine.exists(format!("{RUNTIME}/mine")));
        for login in [first, second, third] {
            login.log_out();
        }
        wait_nothing_left(&machine);
    }
}

#[test]
fn a_file_system_that_hangs_on_the_directory_keeps_nobody_waiting() {
    let machine = machine(QUICK);
    if !has_fuse(&machine) {
        return;
    }
    let mut broker = machine.start_usherd();
    let first = asking(&machine, "alice");
    directory_of(&first, &machine);
    let server = hangs(&machine, RUNTIME, "40000");

    for restarted in [false, true] {
        let start = Instant::now();
        let bob = asking(&machine, "bob");
        assert_eq!(directory_of(&bob, &machine), "/run/user/1002");
        let again = asking(&machine, "alice");
        assert_eq!(directory_of(&again, &machine), "none");
        for words in [["usherctl", "list-sessions"], ["usherctl", "list-users"]] {
            machine.run(&words);
        }
        let status = machine.run(&["usherctl", "user-status", "alice"]).stdout;
        assert!(status.contains("fuse.hung, a file system that a process serves"), "{status}");
        assert!(start.elapsed() < SOON, "restarted: {restarted}: {:?}", start.elapsed());
        for login in [bob, again] {
            login.log_out();
        }
        if !restarted {
            broker.kill9();
            broker.start();
        }
    }
    first.log_out();
    wait_nothing_left(&machine);
    drop(server);
    let next = asking(&machine, "alice");
    assert_eq!(directory_of(&next, &machine), RUNTIME);
    next.log_out();
    wait_nothing_left(&machine);
}

/// The module looks whether there is a bus: on it, too, something may be mounted.
#[test]
fn a_file_system_that_hangs_on_the_bus_keeps_nobody_waiting() {
    let machine = machine(QUICK);
    if !has_fuse(&machine) {
        return;
    }
    let _broker = machine.start_usherd();
    let first = asking(&machine, "alice");
    directory_of(&first, &machine);
    let bus = format!("{RUNTIME}/bus");
    machine.as_user("alice", &["touch", &bus]);
    let server = hangs(&machine, &bus, "100000");
    let again = asking(&machine, "alice");
    assert_eq!(directory_of(&again, &machine), RUNTIME);
    for login in [first, again] {
        login.log_out();
    }
    wait_nothing_left(&machine);
    drop(server);
}

/// Mounted twice before anybody came: the topmost counts.
#[test]
fn of_two_mounts_the_upper_one_counts() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    machine.sh(&format!(
        "mkdir -p {RUNTIME}; mount -t tmpfs -o mode=0755 tmpfs {RUNTIME}; \
         mount -t tmpfs -o mode=0700,uid=1001,gid=1001 tmpfs {RUNTIME}"
    ));
    let login = asking(&machine, "alice");
    assert_eq!(directory_of(&login, &machine), RUNTIME);
    login.log_out();
    machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)));
    assert_eq!(stacked(&machine, RUNTIME), 2, "neither is usher's");
}

/// Of another kind, or not to be written to.
#[test]
fn bind_mounts_and_read_only_ones() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    machine.sh(&format!(
        "mkdir -p {RUNTIME}; install -d -m 700 -o alice -g alice /var/tmp/hers; mount --bind /var/tmp/hers {RUNTIME}"
    ));
    let login = asking(&machine, "alice");
    assert_eq!(
        directory_of(&login, &machine),
        RUNTIME,
        "a directory of hers from elsewhere is as good as any"
    );
    login.log_out();
    machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)));
    machine.sh(&format!("test -d /var/tmp/hers; mount -o remount,bind,ro {RUNTIME}"));
    let login = asking(&machine, "alice");
    assert_eq!(directory_of(&login, &machine), "none");
    assert!(broker.log().contains(", read-only, where it should be the user's own"), "{}", broker.log());
    login.log_out();
    machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)));
    machine.run(&["umount", RUNTIME]);
}
