//! usher-pam-setup where something is wrong: nothing is changed, or what was changed is back, and it says why.

mod pam_setup_common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use pam_setup_common::{
    ADDED, LOGIN, SYSTEM_LOGIN, arch, candidates_left, done, everything, fails, setup, ssh_session,
};
use usher_tests::Machine;

/// Boots with these lines in the stack, installs, which has to fail, and nothing of PAM's has changed.
fn refused(lines: &str) -> String {
    let machine = arch(lines).boot();
    let before = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert_eq!(everything(&machine), before, "{said}");
    said
}

#[test]
fn a_candidate_that_denies_does_not_become_the_file() {
    // Denies the candidate only.
    let said = refused(
        "session [success=bad default=ignore] pam_succeed_if.so quiet service = usher-pam-setup.new\n",
    );
    assert!(
        said.contains("a session with the new /etc/pam.d/system-login fails, and nothing was changed"),
        "{said}"
    );
    assert!(said.contains("pam_open_session for service usher-pam-setup.new failed"), "{said}");
}

#[test]
fn a_file_that_denies_in_its_place_is_put_back() {
    let line = "session [success=bad default=ignore] pam_succeed_if.so quiet service = system-login\n";
    let machine = arch(line).boot();
    let _usherd = machine.start_usherd();
    let before = machine.read(LOGIN);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("the old one is back: pam_open_session for service system-login"), "{said}");
    assert_eq!(machine.read(LOGIN), before);
    assert!(!candidates_left(&machine));
    // sshd is another service, and always let people in.
    assert_eq!(ssh_session(&machine), "");
    done(&machine, &["install", "--no-test"]);
    assert!(ssh_session(&machine).ends_with("/run/user/1001"));
}

#[test]
fn a_stack_that_lets_nobody_in_is_named_as_such() {
    let said = refused("session required pam_deny.so\n");
    assert!(said.contains("fails as the file is now, and nothing was changed"), "{said}");
}

#[test]
fn a_module_that_libpam_cannot_load_is_found_out() {
    let machine = arch("").no_module().file(module_path(), "this is not a shared object", 0o644, 0).boot();
    let before = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("did not load pam_usher.so"), "{said}");
    assert_eq!(everything(&machine), before);
    // The dash and "optional": without a trial it is in, and people can log in all the same.
    done(&machine, &["install", "--no-test"]);
    assert_eq!(ssh_session(&machine), "");
}

#[test]
fn a_module_that_is_not_there_is_asked_for() {
    let machine = arch("").no_module().boot();
    let before = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("install it first"), "{said}");
    assert_eq!(everything(&machine), before);
}

#[test]
fn a_module_that_hangs_or_crashes_is_survived() {
    let crash = "session optional pam_exec.so quiet /bin/sh -c kill${IFS}-9${IFS}$PPID\n";
    let said = refused(crash);
    assert!(said.contains("fails as the file is now"), "{said}");
    let machine = arch("session optional pam_exec.so quiet /bin/sleep 86400\n").boot();
    let before = everything(&machine);
    let mut command = machine.command(&["usher-pam-setup", "install"]);
    command.stdin(Stdio::null());
    let output = machine.output_within(command, &["usher-pam-setup"], Duration::from_secs(120));
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("took longer than"), "{output:?}");
    assert_eq!(everything(&machine), before);
    machine.wait_for("the sleepers to be gone", || !machine.try_run(&["pgrep", "-f", "sleep 86400"]).ok());
}

#[test]
fn half_configured_stacks_are_named_by_file_and_line() {
    let cases = [
        ("session optinal pam_motd.so\n", "/etc/pam.d/system-login:11: 'optinal'"),
        ("session include gone\n", "/etc/pam.d/system-login:11: includes 'gone'"),
        ("session include system-login\n", "/etc/pam.d/system-login:11: includes 'system-login'"),
        (
            "session optional pam_usher.so\nsession optional pam_usher.so\n",
            "/etc/pam.d/system-login:12: pam_usher.so stands in the stack twice",
        ),
        ("auth optional pam_usher.so\n", "/etc/pam.d/system-login:11: pam_usher.so stands in the auth stack"),
    ];
    let machine = arch("").boot();
    for (lines, part) in cases {
        std::fs::write(machine.file(LOGIN), SYSTEM_LOGIN.replace("{broker}", lines)).expect("system-login");
        let before = everything(&machine);
        let said = fails(&machine, &["install"]);
        assert!(said.contains(part), "{part}: {said}");
        let status = done(&machine, &["status"]);
        assert!(status.contains(&format!("error: {part}")), "{part}: {status}");
        assert_eq!(everything(&machine), before);
    }
    let required = SYSTEM_LOGIN.replace("{broker}", "session required pam_usher.so\n");
    std::fs::write(machine.file(LOGIN), required).expect("system-login");
    let said = done(&machine, &["install"]);
    assert!(
        said.contains("nothing to do")
            && said.contains("warning: /etc/pam.d/system-login:11: pam_usher.so is 'required'"),
        "{said}"
    );
}

#[test]
fn a_link_out_of_the_directory_and_a_missing_file_are_refused() {
    let machine = arch("").boot();
    machine.sh("mkdir /etc/tool && mv /etc/pam.d/system-login /etc/tool/ && ln -s /etc/tool/system-login /etc/pam.d/");
    let before = machine.read("/etc/tool/system-login");
    let said = fails(&machine, &["install"]);
    assert!(said.contains("/etc/pam.d/system-login is a link to /etc/tool/system-login"), "{said}");
    assert_eq!(machine.read("/etc/tool/system-login"), before);
    // Within the directory it is the file that is changed, and the link stays.
    machine.sh("rm /etc/pam.d/system-login && mv /etc/tool/system-login /etc/pam.d/real && ln -s real /etc/pam.d/system-login");
    done(&machine, &["install"]);
    assert!(machine.read("/etc/pam.d/real").contains(ADDED));
    machine.run(&["test", "-L", "/etc/pam.d/system-login"]);
    done(&machine, &["remove"]);
    assert_eq!(machine.read("/etc/pam.d/real"), before);
    machine.run(&["test", "-L", "/etc/pam.d/system-login"]);
    assert!(fails(&machine, &["install", "--service", "gone"]).contains("/etc/pam.d/gone does not exist"));
    // Nobody but root, who is told so.
    let output = machine.try_as_user("alice", &["usher-pam-setup", "install"]);
    assert!(output.code == 1 && output.stderr.contains("only root"), "{output:?}");
    // Anybody may look where the files can be read.
    machine.sh("chmod 644 /etc/pam.d/*");
    machine.as_user("alice", &["usher-pam-setup", "status"]);
}

#[test]
fn two_at_once_do_not_mix() {
    let machine = arch("session optional pam_exec.so quiet /etc/waits\n")
        .file("/etc/waits", "#!/bin/sh\nwhile test -e /tmp/wait; do sleep 0.05; done\n", 0o755, 0)
        .boot();
    machine.sh("touch /tmp/wait");
    let mut command = machine.command(&["usher-pam-setup", "install"]);
    let mut first = command.stdout(Stdio::null()).spawn().expect("first");
    machine.wait_for("the first to be in its trial", || machine.try_run(&["pgrep", "-f", "/etc/waits"]).ok());
    let said = fails(&machine, &["install"]);
    assert!(said.contains("another usher-pam-setup"), "{said}");
    assert!(!machine.read(LOGIN).contains(ADDED));
    machine.sh("rm /tmp/wait");
    assert!(first.wait().expect("first").success());
    assert!(machine.read(LOGIN).contains(ADDED));
}

/// Killed at any moment: the file is the old or the new one whole, and the next run ends what is left.
#[test]
fn killed_in_the_middle_leaves_the_old_or_the_new_file() {
    let machine = arch("").boot();
    let old = machine.read(LOGIN);
    let begun = Instant::now();
    done(&machine, &["install"]);
    let takes = begun.elapsed();
    let new = machine.read(LOGIN);
    done(&machine, &["remove"]);
    let (mut olds, mut news) = (0, 0);
    for step in 0..40 {
        let mut child =
            machine.command(&["usher-pam-setup", "install"]).stdout(Stdio::null()).spawn().expect("setup");
        std::thread::sleep(takes * step / 30);
        let _ = child.kill();
        let _ = child.wait();
        machine.wait_for("the lock to be free", || {
            !setup(&machine, &["status"]).stdout.is_empty() && free(&machine)
        });
        let now = machine.read(LOGIN);
        assert!(now == old || now == new, "{step}: {now}");
        assert!(machine.sh(&format!("stat -c '%a %U' {LOGIN}")).text() == "640 root");
        if now == old {
            olds += 1
        } else {
            news += 1
        }
        done(&machine, &["install", "--no-test"]);
        assert_eq!(machine.read(LOGIN), new);
        done(&machine, &["remove", "--no-test"]);
        assert_eq!(machine.read(LOGIN), old);
    }
    // What a run has left that was killed is gone with the next.
    machine.sh("touch /etc/pam.d/usher-pam-setup.new /etc/pam.d/usher-pam-setup.old");
    assert!(olds > 0 && news > 0, "{olds} old, {news} new");
    done(&machine, &["install"]);
    assert!(!candidates_left(&machine));
}

fn free(machine: &Machine) -> bool {
    machine.try_run(&["flock", "-n", "/etc/pam.d", "true"]).ok()
}

fn module_path() -> String {
    let find = std::process::Command::new("sh")
        .args([
            "-c",
            "ls -d /usr/lib/*/security/pam_unix.so /usr/lib/security/pam_unix.so 2>/dev/null | head -1",
        ])
        .output()
        .expect("ls");
    String::from_utf8_lossy(&find.stdout).trim().replace("pam_unix.so", "pam_usher.so")
}
