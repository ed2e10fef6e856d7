//! The guide to systemd/User, units: where they are found, how they are enabled, and what makes them start.

mod guide_common;

use guide_common::*;
use usher_tests::{ALICE, BOB};

/// A service that writes who it is into a file, and stays.
fn saying(word: &str, file: &str) -> String {
    format!(
        "[Service]\nExecStart=/bin/sh -c 'echo {word} > {file}; exec sleep infinity'\n\n[Install]\nWantedBy=default.target\n"
    )
}

#[test]
fn units_of_the_distribution_of_the_administrator_and_of_the_user_in_that_order() {
    let places = [
        ("/usr/lib/systemd/user", "distribution", 0),
        ("/home/alice/.local/share/systemd/user", "data", 1001),
        ("/etc/systemd/user", "administrator", 0),
        ("/home/alice/.config/systemd/user", "user", 1001),
    ];
    let mut builder = guide();
    // One unit in the first place, one in the first two, and so on.
    for (n, (directory, word, owner)) in places.into_iter().enumerate() {
        for name in n..places.len() {
            let text = format!("[Unit]\nDescription={word}\n[Service]\nExecStart=/bin/sleep infinity\n");
            builder = builder.file(format!("{directory}/in-{name}.service"), &text, 0o644, owner);
        }
    }
    let machine = builder.boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    for (name, (directory, word, _)) in places.into_iter().enumerate() {
        let ask = |property| format!("systemctl --user show -P {property} in-{name}.service");
        assert_eq!(shell.ask(&ask("Description")), word);
        // On Debian /etc/xdg/systemd/user is a link to /etc/systemd/user.
        let path = shell.ask(&format!("realpath $({})", ask("FragmentPath")));
        assert_eq!(path, format!("{directory}/in-{name}.service"));
        shell.ask(&format!("systemctl --user start in-{name}.service"));
        assert_eq!(shell.ask(&format!("systemctl --user is-active in-{name}.service")), "active");
    }
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn default_target_is_reached_and_can_be_another() {
    let machine = guide()
        .user_unit(
            "bob",
            "mine.target",
            "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=hello.service\n",
        )
        .user_unit("bob", "hello.service", &saying("hello", "%h/said"))
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.ask("systemctl --user is-active default.target"), "active");
    assert_eq!(shell.ask("systemctl --user get-default"), "default.target");
    machine.as_user("bob", &["systemctl", "--user", "--quiet", "set-default", "mine.target"]);
    let mut bobs = log_in(&machine, "bob");
    assert_eq!(bobs.ask("systemctl --user is-active mine.target"), "active");
    wait_text(&machine, "/home/bob/said", "hello");
    shell.close();
    bobs.close();
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

#[test]
fn an_enabled_unit_starts_with_the_next_login() {
    let machine = guide().user_unit("alice", "hello.service", &saying("hello", "%h/said")).boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.try_ask("systemctl --user is-active hello.service").1, "inactive");
    shell.ask("systemctl --user --quiet enable hello.service");
    assert_eq!(shell.ask("systemctl --user is-enabled hello.service"), "enabled");
    assert!(!machine.exists("/home/alice/said"));
    shell.close();
    machine.wait_gone(&ALICE);
    let mut shell = log_in(&machine, "alice");
    wait_text(&machine, "/home/alice/said", "hello");
    assert_eq!(shell.ask("systemctl --user is-active hello.service"), "active");
    // Off again, also at once.
    shell.ask("systemctl --user --quiet disable --now hello.service; rm ~/said");
    wait_unit(&machine, &mut shell, "hello.service", "inactive");
    shell.close();
    machine.wait_gone(&ALICE);
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.try_ask("systemctl --user is-active hello.service").1, "inactive");
    assert!(!machine.exists("/home/alice/said"));
    shell.close();
}

#[test]
fn a_unit_enabled_globally_starts_for_everybody() {
    let machine =
        guide().file("/etc/systemd/user/everybody.service", &saying("%u", "%h/said"), 0o644, 0).boot();
    let _usherd = machine.start_usherd();
    machine.run(&["systemctl", "--global", "--quiet", "enable", "everybody.service"]);
    assert!(machine.exists("/etc/systemd/user/default.target.wants/everybody.service"));
    for (person, user) in [(ALICE, "alice"), (BOB, "bob")] {
        let mut shell = log_in(&machine, user);
        wait_text(&machine, &format!("/home/{user}/said"), user);
        assert_eq!(shell.ask("systemctl --user is-active everybody.service"), "active");
        shell.close();
        machine.wait_gone(&person);
    }
    machine.run(&["systemctl", "--global", "--quiet", "disable", "everybody.service"]);
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.try_ask("systemctl --user is-active everybody.service").1, "inactive");
    shell.close();
}

#[test]
fn a_timer_runs_its_service() {
    let machine = guide()
        .user_unit(
            "alice",
            "tick.service",
            "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo tick >> %h/ticks'\n",
        )
        .user_unit(
            "alice",
            "tick.timer",
            "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1ms\n\n[Install]\nWantedBy=timers.target\n",
        )
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "tick.timer"]);
    let mut shell = log_in(&machine, "alice");
    assert!(shell.ask("systemctl --user --no-pager list-timers").contains("tick.timer"));
    machine.wait_for("two ticks", || machine.read("/home/alice/ticks").lines().count() >= 2);
    shell.ask("systemctl --user stop tick.timer");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_persistent_timer_catches_up() {
    let timer = "[Timer]\nOnCalendar=yearly\nPersistent=yes\n\n[Install]\nWantedBy=timers.target\n";
    let service = |name: &str| format!("[Service]\nType=oneshot\nExecStart=/bin/touch %h/{name}\n");
    let machine = guide()
        .user_unit("alice", "yearly.timer", timer)
        .user_unit("alice", "yearly.service", &service("caught-up"))
        .user_unit("alice", "forgetful.timer", &timer.replace("yes", "no"))
        .user_unit("alice", "forgetful.service", &service("not-this"))
        .boot();
    let _usherd = machine.start_usherd();
    machine
        .as_user("alice", &["systemctl", "--user", "--quiet", "enable", "yearly.timer", "forgetful.timer"]);
    // It was enabled long ago; nobody has been logged in since.
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user stop yearly.timer");
    let stamp = shell.ask("ls ~/.local/share/systemd/timers/stamp-yearly.timer");
    shell.close();
    machine.wait_gone(&ALICE);
    assert!(!machine.exists("/home/alice/caught-up"));
    machine.run(&["touch", "-d", "2 years ago", &stamp]);
    let shell = log_in(&machine, "alice");
    machine.wait_for("the missed run", || machine.exists("/home/alice/caught-up"));
    assert!(!machine.exists("/home/alice/not-this"));
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_socket_starts_its_service() {
    let machine = guide()
        .user_unit(
            "alice",
            "echo.socket",
            "[Socket]\nListenStream=%t/echo\nAccept=yes\n\n[Install]\nWantedBy=sockets.target\n",
        )
        .user_unit("alice", "echo@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "echo.socket"]);
    let mut shell = log_in(&machine, "alice");
    let talk = "python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX); \
                s.connect(os.environ[\"XDG_RUNTIME_DIR\"] + \"/echo\"); s.sendall(b\"hello\"); \
                s.shutdown(socket.SHUT_WR); print(s.recv(100).decode())'";
    assert_eq!(shell.ask(talk), "hello");
    assert_eq!(shell.ask("systemctl --user show -P NAccepted echo.socket"), "1");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_path_starts_its_service() {
    let machine = guide()
        .user_unit("alice", "inbox.path", "[Path]\nPathExists=%h/inbox\n\n[Install]\nWantedBy=paths.target\n")
        .user_unit("alice", "inbox.service", "[Service]\nType=oneshot\nExecStart=/bin/mv %h/inbox %h/read\n")
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "inbox.path"]);
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.ask("systemctl --user is-active inbox.path"), "active");
    shell.ask("echo letter > ~/letter; mv ~/letter ~/inbox");
    wait_text(&machine, "/home/alice/read", "letter");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn restart_starts_a_service_again() {
    let machine = guide()
        .user_unit(
            "alice",
            "daemon.service",
            "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n",
        )
        .user_unit("alice", "once.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user start daemon.service once.service");
    let pid =
        |shell: &mut usher_tests::Shell<'_>| shell.ask("systemctl --user show -P MainPID daemon.service");
    let first = pid(&mut shell);
    shell.ask("kill -9 $(systemctl --user show -P MainPID daemon.service) $(systemctl --user show -P MainPID once.service)");
    machine.wait_for("the next one", || {
        let now = pid(&mut shell);
        now != first && now != "0"
    });
    wait_unit(&machine, &mut shell, "once.service", "failed");
    assert_eq!(shell.ask("systemctl --user show -P NRestarts daemon.service"), "1");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_template_knows_its_instance() {
    let text = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo \"%i %I %p %n\" > \"%h/greet-%i\"'\n";
    let machine = guide().user_unit("alice", "greet@.service", text).boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user start greet@world.service greet@a-b.service");
    let units = shell.ask("systemctl --user --no-pager --plain --no-legend list-units 'greet@*'");
    assert_eq!(units.lines().count(), 2, "{units}");
    let said = machine.sh("cat /home/alice/greet-*");
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    lines.sort_unstable();
    assert!(lines.contains(&"a-b a/b greet greet@a-b.service"), "{lines:?}");
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn specifiers_are_the_users_places() {
    let text = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo \"%h|%t|%C|%E|%L|%S|%u|%U\" > %h/said'\n";
    let machine = guide().user_unit("alice", "places.service", text).boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user start places.service");
    let version =
        shell.ask("systemctl --version | head -n 1 | cut -d ' ' -f 2").parse::<u32>().expect("a version");
    // The state has had a directory of its own since systemd 254.
    let state = if version < 254 { ".config" } else { ".local/state" };
    let home = "/home/alice";
    let expected = format!(
        "{home}|/run/user/1001|{home}/.cache|{home}/.config|{home}/{state}/log|{home}/{state}|alice|1001"
    );
    assert_eq!(machine.read("/home/alice/said").trim(), expected);
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn tmux_as_a_service_outlives_the_session_that_uses_it() {
    let text = "[Service]\nType=forking\nExecStart=/usr/bin/tmux new-session -s main -d\n\
        ExecStop=/usr/bin/tmux kill-server\n\n[Install]\nWantedBy=default.target\n";
    let machine = guide()
        .config("[Login]\nUserStopDelaySec=0\nKillUserProcesses=yes\n")
        .user_unit("alice", "tmux.service", text)
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "tmux.service"]);
    let mut first = log_in(&machine, "alice");
    let second = log_in(&machine, "alice");
    wait_unit(&machine, &mut first, "tmux.service", "active");
    first.ask("tmux send-keys -t main 'cd /tmp; export KEPT=yes' Enter");
    let pid = first.ask("tmux display-message -p -t main '#{pid}'");
    first.close();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    let mut third = log_in(&machine, "alice");
    assert_eq!(third.ask("tmux display-message -p -t main '#{pid}'"), pid);
    let cgroup = machine.read(format!("/proc/{pid}/cgroup"));
    assert!(cgroup.trim().ends_with("/app.slice/tmux.service"), "{cgroup}");
    third.close();
    second.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_daemon_runs_from_the_first_login_to_the_last_logout() {
    let text = "[Service]\nType=notify\nExecStart=/usr/local/bin/daemon\nExecReload=/bin/kill -HUP $MAINPID\n\n\
        [Install]\nWantedBy=default.target\n";
    // Ready by sd_notify; counts what it is told; says when it is asked to end.
    let daemon = "#!/bin/bash\ntrap 'echo reload >> ~/log' HUP\ntrap 'echo end >> ~/log; exit 0' TERM\n\
        echo start >> ~/log\nsystemd-notify --ready\nwhile :; do sleep 1000 & wait $!; kill $! 2> /dev/null; done\n";
    let machine = guide()
        .file("/usr/local/bin/daemon", daemon, 0o755, 0)
        .user_unit("alice", "daemon.service", &text.replace("notify\n", "notify\nNotifyAccess=all\n"))
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "daemon.service"]);
    let mut first = log_in(&machine, "alice");
    wait_unit(&machine, &mut first, "daemon.service", "active");
    let second = log_in(&machine, "alice");
    first.ask("systemctl --user reload daemon.service");
    wait_text(&machine, "/home/alice/log", "start\nreload");
    first.close();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert_eq!(
        ask_manager(&machine, &ALICE, &["systemctl", "--user", "is-active", "daemon.service"]),
        "active"
    );
    second.close();
    machine.wait_gone(&ALICE);
    assert_eq!(machine.read("/home/alice/log"), "start\nreload\nend\n");
}

/// As desktops do it: the session's target binds graphical-session.target, which nobody starts by name.
#[test]
fn graphical_session_target_comes_and_goes_with_the_desktops_target() {
    let applet = "[Unit]\nPartOf=graphical-session.target\nAfter=graphical-session.target\n\n[Service]\n\
        ExecStart=/bin/sh -c 'echo $DISPLAY > %h/display; exec sleep infinity'\n\n[Install]\nWantedBy=graphical-session.target\n";
    let desktop = "[Unit]\nBindsTo=graphical-session.target\nWants=graphical-session-pre.target\nAfter=graphical-session-pre.target\n";
    let machine = guide()
        .user_unit("alice", "applet.service", applet)
        .user_unit("alice", "desktop-session.target", desktop)
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "applet.service"]);
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.try_ask("systemctl --user is-active applet.service").1, "inactive");
    // What a window manager's start file does.
    shell.ask("export DISPLAY=:3; systemctl --user import-environment DISPLAY");
    shell.ask("systemctl --user start desktop-session.target");
    for unit in ["graphical-session.target", "applet.service"] {
        wait_unit(&machine, &mut shell, unit, "active");
    }
    wait_text(&machine, "/home/alice/display", ":3");
    shell.ask("systemctl --user stop desktop-session.target");
    for unit in ["graphical-session.target", "applet.service"] {
        wait_unit(&machine, &mut shell, unit, "inactive");
    }
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn an_agent_with_a_socket_below_the_runtime_directory_is_shared_by_all_sessions() {
    let agent = "[Service]\nType=simple\nExecStart=/usr/bin/ssh-agent -D -a %t/ssh-agent.socket\n\n[Install]\nWantedBy=default.target\n";
    let machine = guide().user_unit("alice", "ssh-agent.service", agent).boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["systemctl", "--user", "--quiet", "enable", "ssh-agent.service"]);
    let mut first = log_in(&machine, "alice");
    let mut second = machine.login("alice");
    machine.wait_for("the agent's socket", || machine.exists("/run/user/1001/ssh-agent.socket"));
    let agent = "export SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/ssh-agent.socket";
    first.ask(&format!("{agent}; ssh-keygen -q -t ed25519 -N '' -C guide -f ~/key && ssh-add -q ~/key"));
    assert!(second.ask(&format!("{agent}; ssh-add -l")).contains(" guide "));
    first.close();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert!(second.ask("ssh-add -l").contains(" guide "));
    second.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn systemd_run_makes_a_unit_of_a_command_now_and_later() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    assert_eq!(shell.ask("systemd-run --user --quiet --wait --pipe id -un"), "alice");
    let (code, _) = shell.try_ask("systemd-run --user --quiet --wait sh -c 'exit 7'");
    assert_eq!(code, 7);
    shell.ask("systemd-run --user --quiet --on-active=100ms --timer-property=AccuracySec=1ms touch /home/alice/later");
    machine.wait_for("the timer to elapse", || machine.exists("/home/alice/later"));
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn daemon_reload_and_daemon_reexec_take_up_a_changed_unit() {
    let unit = "[Unit]\nDescription=one\n\n[Service]\nExecStart=/bin/sleep infinity\n";
    let machine = guide().user_unit("alice", "changed.service", unit).boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemctl --user start changed.service");
    let show = |property| format!("systemctl --user show -P {property} changed.service");
    let pid = shell.ask(&show("MainPID"));
    let manager = machine.manager(&ALICE);
    for (verb, before, after) in [("daemon-reload", "one", "two"), ("daemon-reexec", "two", "three")] {
        shell.ask(&format!("sed -i s/{before}/{after}/ ~/.config/systemd/user/changed.service"));
        shell.ask(&format!("systemctl --user {verb}"));
        assert_eq!(shell.ask(&show("Description")), after, "{verb}");
        assert_eq!(shell.ask(&show("MainPID")), pid, "{verb}");
        assert_eq!(machine.manager(&ALICE), manager, "{verb}");
    }
    shell.close();
    machine.wait_gone(&ALICE);
}
