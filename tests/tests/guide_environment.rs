//! The guide to systemd/User, environment variables: every way into the manager's environment, and none that is not one.

mod guide_common;

use guide_common::*;
use usher_tests::{ALICE, BOB, Machine, Shell};

/// The value of a variable in a service that is started now.
fn in_service(shell: &mut Shell<'_>, name: &str) -> String {
    shell.ask(&format!("systemd-run --user --quiet --wait --pipe sh -c 'echo ${name}'"))
}

fn shown(shell: &mut Shell<'_>, name: &str) -> Option<String> {
    let all = shell.ask("systemctl --user show-environment");
    all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

fn logged_in_with(path: &str, text: &str, owner: u32, check: impl FnOnce(&Machine, &mut Shell<'_>)) {
    let machine = guide().file(path, text, 0o644, owner).boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    check(&machine, &mut shell);
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn environment_d_of_the_user() {
    let text = "# a comment\nEDITOR=vi\nMY_PATH=$HOME/bin:${UNSET:-/opt/bin}\nTHERE=${UNSET:+no}\n";
    logged_in_with("/home/alice/.config/environment.d/50-mine.conf", text, 1001, |_, shell| {
        assert_eq!(in_service(shell, "EDITOR"), "vi");
        assert_eq!(in_service(shell, "MY_PATH"), "/home/alice/bin:/opt/bin");
        assert_eq!(shown(shell, "EDITOR").as_deref(), Some("vi"));
        // Of the shell's own environment it is no part.
        assert_eq!(shell.ask("echo \"[$MY_PATH]\""), "[]");
    });
}

#[test]
fn environment_d_of_the_administrator_and_of_the_user_over_it() {
    let machine = guide()
        .file("/etc/environment.d/10-all.conf", "FIRST=administrator\nSECOND=administrator\n", 0o644, 0)
        .file("/home/alice/.config/environment.d/20-mine.conf", "SECOND=user\n", 0o644, 1001)
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_eq!(in_service(&mut shell, "FIRST"), "administrator");
    assert_eq!(in_service(&mut shell, "SECOND"), "user");
    shell.ask("echo SECOND=later > ~/.config/environment.d/20-mine.conf; systemctl --user daemon-reload");
    assert_eq!(in_service(&mut shell, "SECOND"), "later");
    let mut bobs = log_in(&machine, "bob");
    assert_eq!(in_service(&mut bobs, "SECOND"), "administrator");
    shell.close();
    bobs.close();
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

#[test]
fn default_environment_of_user_conf() {
    let text = "[Manager]\nDefaultEnvironment=COLOR=blue \"WORDS=two words\"\n";
    logged_in_with("/etc/systemd/user.conf", text, 0, |_, shell| {
        assert_eq!(in_service(shell, "COLOR"), "blue");
        assert_eq!(in_service(shell, "WORDS"), "two words");
    });
    let mine = "[Manager]\nDefaultEnvironment=COLOR=green\n";
    logged_in_with("/home/alice/.config/systemd/user.conf", mine, 1001, |_, shell| {
        assert_eq!(in_service(shell, "COLOR"), "green");
    });
    logged_in_with("/etc/systemd/user.conf.d/10-a.conf", text, 0, |_, shell| {
        assert_eq!(in_service(shell, "COLOR"), "blue");
    });
}

#[test]
fn environment_generators() {
    let script = "#!/bin/sh\necho GENERATED=for-$(id -un)\n";
    let machine = guide().file("/etc/systemd/user-environment-generators/50-mine", script, 0o755, 0).boot();
    let _usherd = machine.start_usherd();
    for user in ["alice", "bob"] {
        let mut shell = log_in(&machine, user);
        assert_eq!(in_service(&mut shell, "GENERATED"), format!("for-{user}"));
        shell.close();
    }
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

#[test]
fn pam_env_in_the_stack_of_the_manager() {
    let machine = guide()
        .pam_line("systemd-user", "session required pam_env.so readenv=1 user_readenv=0")
        .file("/etc/environment", "OF_ALL=\"everybody\"\n", 0o644, 0)
        .file("/etc/security/pam_env.conf", "OF_PAM DEFAULT=@{HOME}/here\n", 0o644, 0)
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_eq!(in_service(&mut shell, "OF_ALL"), "everybody");
    assert_eq!(in_service(&mut shell, "OF_PAM"), "/home/alice/here");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn set_environment_and_unset_environment() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user set-environment MINE=1 OTHER=2");
    assert_eq!(shown(&mut shell, "MINE").as_deref(), Some("1"));
    assert_eq!(in_service(&mut shell, "MINE"), "1");
    let mut second = log_in(&machine, "alice");
    assert_eq!(in_service(&mut second, "OTHER"), "2");
    shell.ask("systemctl --user unset-environment MINE");
    assert_eq!(shown(&mut shell, "MINE"), None);
    assert_eq!(in_service(&mut shell, "MINE"), "");
    shell.close();
    second.close();
    machine.wait_gone(&ALICE);
    // It was the manager's, and is gone with it.
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shown(&mut shell, "OTHER"), None);
    shell.close();
}

#[test]
fn import_environment() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("export DISPLAY=:7 XAUTHORITY=/home/alice/.xauth SECRET=mine");
    shell.ask("systemctl --user import-environment DISPLAY XAUTHORITY");
    assert_eq!(in_service(&mut shell, "DISPLAY"), ":7");
    assert_eq!(in_service(&mut shell, "XAUTHORITY"), "/home/alice/.xauth");
    assert_eq!(shown(&mut shell, "SECRET"), None);
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn dbus_update_activation_environment() {
    let activated =
        "[D-BUS Service]\nName=org.example.Told\nExec=/bin/sh -c 'echo $TOLD > /home/alice/told'\n";
    let machine = guide()
        .file("/home/alice/.local/share/dbus-1/services/org.example.Told.service", activated, 0o644, 1001)
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("export TOLD=both; dbus-update-activation-environment --systemd TOLD");
    assert_eq!(shown(&mut shell, "TOLD").as_deref(), Some("both"));
    assert_eq!(in_service(&mut shell, "TOLD"), "both");
    // What the bus itself starts has it, too. The name is never taken: that the call fails is no news.
    shell.try_ask("busctl --user --timeout=2 call org.example.Told / org.freedesktop.DBus.Peer Ping");
    wait_text(&machine, "/home/alice/told", "both");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn show_environment_has_what_every_service_needs() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    for (name, value) in [
        ("HOME", "/home/alice"),
        ("USER", "alice"),
        ("LOGNAME", "alice"),
        ("SHELL", "/bin/bash"),
        ("XDG_RUNTIME_DIR", "/run/user/1001"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1001/bus"),
    ] {
        assert_eq!(shown(&mut shell, name).as_deref(), Some(value), "{name}");
        assert_eq!(in_service(&mut shell, name), value, "{name}");
    }
    assert!(shown(&mut shell, "PATH").is_some_and(|path| path.contains("/usr/bin")));
    shell.close();
    machine.wait_gone(&ALICE);
}

/// Beginnings of variables that only logins have.
const LOGINS: [&str; 9] = [
    "FROM_",
    "SSH_",
    "XDG_SEAT",
    "XDG_VTNR",
    "XDG_SESSION_TYPE=tty",
    "TERM=",
    "REMOTEHOST",
    "USHERD_",
    "PS1",
];

/// What sshd, login(1), the shell's start files and the terminal give a session is not what a service begins with.
#[test]
fn nothing_of_a_session_leaks_into_the_manager() {
    let machine = guide()
        .file("/home/alice/.profile", "export FROM_PROFILE=1\n", 0o644, 1001)
        .file("/home/alice/.bash_profile", ". ~/.profile; export FROM_BASH_PROFILE=1\n", 0o644, 1001)
        .file("/etc/profile.d/guide.sh", "export FROM_ETC_PROFILE=1\n", 0o644, 0)
        .file("/etc/login-only", "FROM_LOGIN_STACK=1\n", 0o644, 0)
        .pam_line("sshd", "session required pam_env.so readenv=1 envfile=/etc/login-only")
        .pam_line("login", "session required pam_env.so readenv=1 envfile=/etc/login-only")
        .boot();
    let _usherd = machine.start_usherd();
    for by in ["ssh", "login"] {
        let mut shell = if by == "ssh" { machine.ssh_session("alice") } else { machine.login("alice") };
        settled(&machine, &mut shell);
        for name in
            ["FROM_PROFILE", "FROM_BASH_PROFILE", "FROM_ETC_PROFILE", "FROM_LOGIN_STACK", "XDG_SESSION_ID"]
        {
            assert_ne!(shell.ask(&format!("echo ${name}")), "", "{by}: the session has {name}");
        }
        // Without --pipe: with it systemd-run tells the service the terminal's TERM.
        shell.ask("systemd-run --user --quiet --wait sh -c 'env > /home/alice/environment'");
        let service = machine.read("/home/alice/environment");
        let manager = machine.manager(&ALICE).expect("a manager");
        let manager = machine.read(format!("/proc/{manager}/environ")).replace('\0', "\n");
        let shown = shell.ask("systemctl --user show-environment");
        let session = format!("XDG_SESSION_ID={}", shell.ask("echo $XDG_SESSION_ID"));
        for text in [&service, &manager, &shown] {
            assert!(text.contains("XDG_RUNTIME_DIR=/run/user/1001"), "{by}: {text}");
            // An XDG_SESSION_ID, where there is one, is that of the manager's own session.
            let leaks = |line: &&str| LOGINS.iter().any(|name| line.starts_with(name)) || *line == session;
            let leaked: Vec<&str> = text.lines().filter(leaks).collect();
            assert!(leaked.is_empty(), "{by}: {leaked:?} in {text}");
            assert!(!text.contains("XDG_SESSION_CLASS=user"), "{by}: {text}");
        }
        shell.close();
        machine.wait_gone(&ALICE);
    }
}
