//! usherctl doctor and what is there for users: runtime directories, linger flags, managers, PAM stacks, the environment.

mod doctor_common;

use std::time::{Duration, Instant};

use doctor_common::*;
use usher_tests::Machine;

fn machine() -> Machine {
    Machine::builder().config(QUICK).boot()
}

#[test]
fn directories_that_are_not_their_users() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    let verdict = || doctor(&machine).of("runtime.directory")[0].clone();
    assert_eq!(verdict().verdict, "ok");
    machine.sh("chown bob /run/user/1001");
    assert!(
        verdict().words.contains("/run/user/1001 of alice belongs to uid 1002. unmount it"),
        "{:?}",
        verdict()
    );
    machine.sh("chown alice /run/user/1001; chmod 750 /run/user/1001");
    assert!(verdict().words.contains("has mode 0750"), "{:?}", verdict());
    machine.sh("chmod 700 /run/user/1001; umount /run/user/1001");
    let unmounted = verdict();
    assert_eq!(unmounted.verdict, "problem");
    assert!(unmounted.words.contains("somebody has unmounted the tmpfs"), "{unmounted:?}");
    machine.sh("mkdir /run/user/4711");
    let diagnosis = doctor(&machine);
    diagnosis.has("runtime.stray", "warning", &["/run/user/4711 belongs to nobody whom usherd knows"]);
    assert_eq!(diagnosis.code, 1);
    login.log_out();
}

/// A file system on a path, served by a process of alice's that never says a word.
const HUNG: &str = "import ctypes, os, sys, time
device = os.open('/dev/fuse', os.O_RDWR)
options = 'fd=%d,rootmode=40000,user_id=1001,group_id=1001' % device
if ctypes.CDLL(None, use_errno=True).mount(b'hung', sys.argv[1].encode(), b'fuse.hung', 6, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.setresuid(1001, 1001, 1001)
print('mounted', flush=True)
time.sleep(1000)
";

#[test]
fn a_directory_that_hangs_keeps_nobody_waiting() {
    let machine = machine();
    if !machine.exists("/dev/fuse") {
        eprintln!("skipped: there is no FUSE here");
        return;
    }
    let _usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    let mut server = machine.spawn(&["python3", "-c", HUNG, "/run/user/1001"]);
    machine.wait_for("a file system that hangs", || {
        assert!(server.is_running(), "{}", server.log());
        server.log().contains("mounted")
    });
    let begun = Instant::now();
    let diagnosis = doctor(&machine);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    diagnosis.has("runtime.directory", "problem", &["/run/user/1001 of alice", "umount"]);
    // One whose environment leads there.
    let mut command = machine.command_as("alice", &["usherctl", "doctor", "--json=short"]);
    command.env("XDG_RUNTIME_DIR", "/run/user/1001/below");
    let begun = Instant::now();
    let diagnosis = read(&machine.output(command, &["usherctl", "doctor"]));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    diagnosis.has(
        "caller.runtime-directory",
        "problem",
        &["/run/user/1001/below, which does not let itself be looked at"],
    );
    server.kill9();
    machine.sh("umount -l /run/user/1001");
    login.log_out();
}

#[test]
fn lingering_users_whose_managers_fail_and_flags_of_nobody() {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/usr/bin/no-such-manager\nManagerReadyWaitSec=0\n";
    let machine = Machine::builder().config(config).boot();
    let _usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    machine.sh("touch /var/lib/systemd/linger/gone /var/lib/systemd/linger/1000");
    let diagnosis = machine.wait_some("the end of attempts", || {
        let diagnosis = doctor(&machine);
        diagnosis.of("linger.manager").iter().any(|finding| finding.verdict == "problem").then_some(diagnosis)
    });
    let words =
        ["The manager of alice has failed and is given up", "exit status 203", "usherctl user-status alice"];
    diagnosis.has("linger.manager", "problem", &words);
    diagnosis.has("linger.flags", "warning", &["gone lingers, and there is no user of that name"]);
    diagnosis.has("linger.flags", "warning", &["/var/lib/systemd/linger/1000 is no linger flag"]);
    diagnosis.has("managers.chosen", "problem", &["/usr/bin/no-such-manager is not installed"]);
    assert_eq!(diagnosis.code, 1);
}

#[test]
fn a_module_that_is_missing_and_stacks_that_others_are_in() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    healthy(&machine);
    machine.sh("echo 'session optional pam_systemd.so' >> /etc/pam.d/common-session");
    let diagnosis = doctor(&machine);
    diagnosis.has(
        "pam.lines",
        "problem",
        &["/etc/pam.d/common-session:", "pam_systemd.so registers logins with systemd-logind beside"],
    );
    assert_eq!(diagnosis.code, 1);
    machine.sh("sed -i /pam_usher/d /etc/pam.d/common-session");
    doctor(&machine).has("pam.logins", "note", &["are registered by pam_systemd.so"]);
    machine.sh("sed -i /pam_systemd/d /etc/pam.d/common-session");
    let diagnosis = doctor(&machine);
    diagnosis.has(
        "pam.logins",
        "problem",
        &["no login gets a session: login, sshd", "usher-pam-setup install"],
    );
    machine.sh("echo 'session required pam_usher.so' >> /etc/pam.d/sshd");
    let diagnosis = doctor(&machine);
    diagnosis.has("pam.logins", "problem", &["Logins of login get no session"]);
    diagnosis.has("pam.lines", "warning", &["/etc/pam.d/sshd:", "pam_usher.so is 'required'"]);
}

#[test]
fn the_module_is_not_installed() {
    let machine = Machine::builder().config(QUICK).no_module().boot();
    let _usherd = machine.start_usherd();
    let diagnosis = doctor(&machine);
    diagnosis.has("pam.module", "problem", &["pam_usher.so is in none of the directories"]);
    diagnosis.has("pam.logins", "problem", &["no login gets a session"]);
}

#[test]
fn an_environment_that_is_somebody_elses() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    let session = login.session();
    let mut command = machine.command_as("bob", &["usherctl", "doctor", "--json=short"]);
    command.env("XDG_RUNTIME_DIR", "/run/user/1001").env("XDG_SESSION_ID", "4711");
    let diagnosis = read(&machine.output(command, &["usherctl", "doctor"]));
    diagnosis.has("caller.runtime-directory", "problem", &["belongs to uid 1001", "is uid 1002's"]);
    diagnosis.has("caller.session", "warning", &["XDG_SESSION_ID is 4711, and usherd knows no such session"]);
    let mut command = machine.command_as("alice", &["usherctl", "doctor", "--json=short"]);
    command.env("XDG_RUNTIME_DIR", "/run/user/1001").env("XDG_SESSION_ID", &session);
    let diagnosis = read(&machine.output(command, &["usherctl", "doctor"]));
    diagnosis.has("caller.runtime-directory", "ok", &["/run/user/1001, which is the user's own"]);
    diagnosis.has("caller.session", "note", &["a session in which this process is not"]);
    login.log_out();
}
