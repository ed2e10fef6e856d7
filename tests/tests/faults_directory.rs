//! Something is at /run/user/UID before usherd comes: it is used if it is fit for the user, and refused loudly if not;
//! never hidden under another mount, never followed elsewhere.

mod faults_common;

use faults_common::*;
use usher_tests::Machine;

/// What alice's next login says of its environment.
const ASK: &str = "echo ${XDG_SESSION_ID-none} ${XDG_RUNTIME_DIR-none} ${DBUS_SESSION_BUS_ADDRESS-none}";

/// Puts something there, logs alice in, and expects a login without a runtime directory, and everybody told why; and
/// after the repair one with it.
fn is_refused(what: &str, says: &[&str], repair: &str) {
    let machine = machine(WITH_MANAGER);
    let broker = machine.start_usherd();
    machine.sh(&format!("mkdir -p /run/user; {what}"));
    let (mounts, before) = (machine.mounts(), describe(&machine));

    let login = Login::running(&machine, "alice", &format!("{ASK}; exec sleep 1000"));
    machine.wait_for("its environment", || login.su.log().lines().count() == 2);
    assert_eq!(login.su.log().lines().last(), Some(format!("{} none none", login.session).as_str()));
    assert_eq!(machine.mounts(), mounts, "nothing is mounted or unmounted");
    assert_eq!(describe(&machine), before, "what is there is left as it is");
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));

    let status = machine.run(&["usherctl", "user-status", "alice"]);
    let module = module_lines(&machine);
    assert_eq!(module.len(), 1, "{module:?}");
    for word in says {
        assert!(broker.log().contains(word), "'{word}' is not in usherd's log: {}", broker.log());
        assert!(status.stdout.contains(word), "'{word}' is not in user-status: {status}");
        assert!(module[0].contains(word), "'{word}' is not in the auth log: {module:?}");
    }
    assert!(status.stdout.contains("Notice:"), "{status}");

    machine.sh(repair);
    let next = Login::running(&machine, "alice", &format!("{ASK}; exec sleep 1000"));
    machine.wait_for("its environment", || next.su.log().lines().count() == 2);
    let bus = format!("unix:path={RUNTIME}/bus");
    assert_eq!(next.su.log().lines().last(), Some(format!("{} {RUNTIME} {bus}", next.session).as_str()));
    assert_eq!(stacked(&machine, RUNTIME), 1);
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    assert!(!machine.run(&["usherctl", "user-status", "alice"]).stdout.contains("Notice:"));
    next.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}

/// Everything about the path and what may be below or behind it.
fn describe(machine: &Machine) -> String {
    let found = machine.try_run(&[
        "sh",
        "-c",
        "ls -ldn --time-style=+ /run/user/1001 /tmp/target /tmp/target/* /run/user/1001/* 2>&1",
    ]);
    found.stdout
}

#[test]
fn a_mount_of_root() {
    is_refused(
        "mkdir /run/user/1001; mount -t tmpfs -o mode=0755 tmpfs /run/user/1001; touch /run/user/1001/precious",
        &[
            "is a mount point that usher did not make",
            "tmpfs, owned by uid 0, mode 0755",
            "umount /run/user/1001",
        ],
        "umount /run/user/1001",
    );
}

#[test]
fn a_mount_of_another_user() {
    is_refused(
        "mkdir /run/user/1001; mount -t tmpfs -o mode=0700,uid=1002 tmpfs /run/user/1001",
        &["owned by uid 1002, mode 0700"],
        "umount /run/user/1001",
    );
}

#[test]
fn a_mount_of_the_users_own_that_others_may_enter() {
    is_refused(
        "mkdir /run/user/1001; mount -t tmpfs -o mode=0777,uid=1001 tmpfs /run/user/1001",
        &["owned by uid 1001, mode 0777"],
        "umount /run/user/1001",
    );
}

#[test]
fn a_symbolic_link_to_a_directory_of_the_users_own() {
    is_refused(
        "install -d -m 700 -o alice /tmp/target; touch /tmp/target/precious; ln -s /tmp/target /run/user/1001",
        &["/run/user/1001 is a symbolic link, not a directory; remove it"],
        "rm /run/user/1001; test -f /tmp/target/precious",
    );
}

#[test]
fn a_file() {
    is_refused(
        "install -m 600 -o alice /dev/null /run/user/1001",
        &["/run/user/1001 is a file, not a directory; remove it"],
        "rm /run/user/1001",
    );
}

#[test]
fn a_parent_that_others_may_write_to() {
    is_refused("chmod 1777 /run/user", &["/run/user", "chmod it to 0755"], "chmod 0755 /run/user");
}

#[test]
fn a_parent_that_belongs_to_somebody() {
    is_refused("chown alice /run/user", &["/run/user", "chown it to root"], "chown root /run/user");
}

#[test]
fn a_parent_that_is_a_link() {
    is_refused(
        "umount /run/user; rmdir /run/user; install -d -m 755 /tmp/target; ln -s /tmp/target /run/user",
        &["/run/user"],
        "rm /run/user; test -z \"$(ls /tmp/target)\"",
    );
}

/// The directory below is not the user's business: a file system of his own comes on top, as with logind.
#[test]
fn a_directory_of_root_with_something_in_it() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    machine.sh("mkdir -p -m 755 /run/user/1001; echo precious > /run/user/1001/file");
    let login = Login::running(
        &machine,
        "alice",
        &format!("{ASK}; ls -A $XDG_RUNTIME_DIR; touch $XDG_RUNTIME_DIR/mine; exec sleep 1000"),
    );
    machine.wait_for("her file", || machine.exists(format!("{RUNTIME}/mine")));
    assert!(login.su.log().contains(RUNTIME), "{}", login.su.log());
    assert!(!machine.exists(format!("{RUNTIME}/file")));
    let mounted = machine.mounted(RUNTIME).unwrap();
    assert!(mounted.has("uid=1001") && mounted.has("mode=700"), "{mounted:?}");
    login.log_out();
    machine.wait_for("the end", || !machine.exists(user_file(ALICE)));
    assert_eq!(machine.read(format!("{RUNTIME}/file")), "precious\n", "what root has put there stays");
    assert!(broker.log().contains("stays, because it is not empty"), "{}", broker.log());
    assert!(machine.mounted(RUNTIME).is_none());
}

#[test]
fn an_empty_directory_of_somebody_else() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    machine.sh("mkdir -p /run/user; install -d -m 777 -o bob /run/user/1001");
    let login = Login::running(&machine, "alice", &format!("{ASK}; exec sleep 1000"));
    machine.wait_for("its environment", || login.su.log().contains(RUNTIME));
    assert_eq!(machine.run(&["stat", "-c", "%u %a", RUNTIME]).text(), "1001 700");
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn a_fit_mount_is_adopted_and_left_alone() {
    let machine = machine(WITH_MANAGER);
    let mut broker = machine.start_usherd();
    machine.sh("mkdir -p /run/user/1001; mount -t tmpfs -o mode=0700,uid=1001,gid=1001 tmpfs /run/user/1001; install -o alice /dev/null /run/user/1001/precious");
    let before = identity(&machine, RUNTIME);
    for restart in [false, true] {
        let login = Login::running(
            &machine,
            "alice",
            &format!("{ASK}; ls $XDG_RUNTIME_DIR/precious; exec sleep 1000"),
        );
        machine.wait_for("its environment", || login.su.log().contains(&format!("{RUNTIME}/precious")));
        machine.wait_for("the manager", || ready_manager(&machine).is_some());
        if restart {
            broker.kill9();
            broker.start();
        }
        login.log_out();
        machine.wait_for("the user to be gone", || !machine.exists(user_file(ALICE)));
        assert_eq!(identity(&machine, RUNTIME), before);
        assert!(machine.exists(format!("{RUNTIME}/precious")));
    }
    assert!(module_lines(&machine).is_empty(), "{:?}", module_lines(&machine));
}

/// Somebody mounts over the directory while alice is logged in: hers goes with her all the same, and all that is on it.
#[test]
fn a_mount_that_comes_later() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.run(&["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", RUNTIME]);
    // A second login never gets a directory that is not hers.
    let second = Login::running(&machine, "alice", &format!("{ASK}; exec sleep 1000"));
    machine.wait_for("its environment", || second.su.log().lines().count() == 2);
    assert!(second.su.log().contains("none none"), "{}", second.su.log());
    second.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}
