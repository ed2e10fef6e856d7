//! usher-pam-setup on a machine whose logins share system-login, and the real sshd through it.

mod pam_setup_common;

use pam_setup_common::{ADDED, LOGIN, SYSTEM_LOGIN, arch, done, everything, fails, setup, ssh_session};

#[test]
fn installed_is_logged_in_and_removed_is_as_before() {
    let machine = arch("").boot();
    let _usherd = machine.start_usherd();
    let before = machine.read(LOGIN);
    assert_eq!(ssh_session(&machine), "", "nobody registers logins yet");

    let said = done(&machine, &["install"]);
    assert!(said.contains("/etc/pam.d/system-login: changed"), "{said}");
    assert!(!said.contains("no session"), "{said}");
    assert_eq!(
        machine.read(LOGIN),
        before.replace(
            "session    include    system-auth\n",
            &format!("session    include    system-auth\n{ADDED}\n"),
        )
    );
    assert_eq!(machine.sh(&format!("stat -c '%a %U' {LOGIN}")).text(), "640 root");
    let session = ssh_session(&machine);
    assert!(session.ends_with(" /run/user/1001"), "{session}");
    machine
        .wait_for("the trials' sessions to be gone", || machine.all_sessions(&usher_tests::ROOT).is_empty());

    let kept = everything(&machine);
    let said = done(&machine, &["install"]);
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(everything(&machine), kept, "twice is once");

    let backup = machine.sh("cat /var/lib/usher/pam-backup/system-login.*").stdout;
    assert_eq!(backup, before);
    done(&machine, &["remove"]);
    assert_eq!(machine.read(LOGIN), before);
    assert_eq!(ssh_session(&machine), "");
    let said = done(&machine, &["remove"]);
    assert!(said.contains("nothing to do"), "{said}");
    assert!(!pam_setup_common::candidates_left(&machine));
}

#[test]
fn a_dry_run_shows_a_diff_and_changes_nothing() {
    let machine = arch("-session   optional   pam_systemd.so\n").boot();
    let before = everything(&machine);
    let said = done(&machine, &["install", "--replace", "--dry-run"]);
    for part in [
        "--- /etc/pam.d/system-login\n",
        "@@ -8,5 +8,6 @@\n",
        "--session   optional   pam_systemd.so\n",
        &format!("+{ADDED}\n"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(everything(&machine), before);
    // It is what patch understands.
    std::fs::write(machine.file("/tmp/diff"), said).expect("diff");
    if machine.try_run(&["which", "patch"]).ok() {
        machine.sh(&format!("patch {LOGIN} /tmp/diff"));
        assert!(machine.read(LOGIN).contains(ADDED));
    }
}

#[test]
fn another_broker_is_explained_replaced_when_asked_and_put_back() {
    let machine = arch("# systemd's\n-session   optional   pam_systemd.so\n").boot();
    let _usherd = machine.start_usherd();
    let before = machine.read(LOGIN);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("/etc/pam.d/system-login:12: pam_systemd.so (systemd-logind)"), "{said}");
    assert!(said.contains("--replace"), "{said}");
    assert_eq!(machine.read(LOGIN), before);

    done(&machine, &["install", "--replace"]);
    let session = ssh_session(&machine);
    assert!(session.ends_with(" /run/user/1001"), "{session}");
    let status = done(&machine, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["layout"], "system-login");
    let services = status["services"].as_array().expect("services");
    let sshd = services.iter().find(|service| service["name"] == "sshd").expect("sshd");
    assert_eq!(sshd["brokers"][0]["broker"], "usher");
    assert_eq!(sshd["brokers"].as_array().map(Vec::len), Some(1));

    // What other files say is named, and changed when they are.
    let own = "auth required pam_permit.so\nsession required pam_unix.so\n-session optional pam_systemd.so\n";
    std::fs::write(machine.file("/etc/pam.d/my-greeter"), own).expect("greeter");
    let status = done(&machine, &["status"]);
    let expected = "warning: /etc/pam.d/my-greeter:3: registers with systemd-logind, while other logins go to usher; \
                    use usher-pam-setup install --replace --service my-greeter";
    assert!(status.contains(expected), "{status}");
    done(&machine, &["install", "--replace", "--service", "my-greeter"]);
    assert!(!done(&machine, &["status"]).contains("registers with systemd-logind"));
    done(&machine, &["remove", "--service", "my-greeter"]);
    assert_eq!(machine.read("/etc/pam.d/my-greeter"), own);

    // An edit of somebody else's stays.
    machine.sh(&format!("echo 'session optional pam_umask.so' >> {LOGIN}"));
    done(&machine, &["remove"]);
    assert_eq!(machine.read(LOGIN), format!("{before}session optional pam_umask.so\n"));
}

#[test]
fn another_root_is_changed_without_a_session() {
    let machine = arch("").boot();
    machine.sh("mkdir -p /tmp/root/etc /tmp/root/usr/lib/security && cp -a /etc/pam.d /tmp/root/etc/ && touch /tmp/root/usr/lib/security/pam_usher.so");
    let here = machine.read(LOGIN);
    // The modules of that root are not there.
    let said = fails(&machine, &["install", "--root", "/tmp/root"]);
    assert!(said.contains("pam_unix.so, which is not installed"), "{said}");
    machine.sh("cd /tmp/root/usr/lib/security && touch pam_unix.so pam_limits.so pam_loginuid.so pam_motd.so pam_env.so pam_nologin.so");
    let said = done(&machine, &["install", "--root", "/tmp/root"]);
    assert!(said.contains("No session was opened"), "{said}");
    assert!(machine.read("/tmp/root/etc/pam.d/system-login").contains(ADDED));
    assert_eq!(machine.read(LOGIN), here);
    assert!(machine.exists("/tmp/root/var/lib/usher/pam-backup"));
    done(&machine, &["remove", "--root", "/tmp/root"]);
    assert_eq!(machine.read("/tmp/root/etc/pam.d/system-login"), SYSTEM_LOGIN.replace("{broker}", ""));
}

#[test]
fn another_file_is_changed_when_it_is_named_and_a_greeter_is_not() {
    let greeter =
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_unix.so\n";
    let machine = arch("")
        .file("/etc/pam.d/my-greeter", greeter, 0o644, 0)
        .file("/etc/pam.d/xdm", "auth required pam_unix.so\nsession required pam_unix.so\n", 0o644, 0)
        .boot();
    let said = fails(&machine, &["install", "--service", "my-greeter"]);
    assert!(said.contains("class=greeter"), "{said}");
    assert_eq!(machine.read("/etc/pam.d/my-greeter"), greeter);
    let said = done(&machine, &["install", "--service", "/etc/pam.d/xdm"]);
    assert!(said.contains("usherd gave the trial no session"), "{said}");
    assert!(machine.read("/etc/pam.d/xdm").contains(ADDED));
    assert_eq!(machine.read(LOGIN), SYSTEM_LOGIN.replace("{broker}", ""));
    let status = done(&machine, &["status"]);
    assert!(status.contains("my-greeter") && status.contains("a login screen"), "{status}");
    // Without a name, every file is looked through.
    done(&machine, &["remove"]);
    assert!(!machine.read("/etc/pam.d/xdm").contains("usher"));
    for words in [&["install", "--service", "../passwd"][..], &["install", "--bogus"], &["frobnicate"], &[]] {
        assert_eq!(setup(&machine, words).code, 2, "{words:?}");
    }
}
