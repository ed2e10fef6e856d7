//! What usherctl shows of a login, held against the kernel.

use std::collections::BTreeMap;

use usher_tests::{ALICE, Machine, Person, ROOT};

fn properties(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn assert_properties(text: &str, expected: &[(&str, &str)]) {
    let properties = properties(text);
    for (key, value) in expected {
        assert_eq!(properties.get(*key).map(String::as_str), Some(*value), "{key} in {text}");
    }
}

fn ask(machine: &Machine, caller: &Person, words: &[&str]) -> String {
    machine.as_user(caller.name, &[&["usherctl"][..], words].concat()).stdout
}

/// Every process of a cgroup stands in the tree, by number and command line.
fn assert_tree(machine: &Machine, text: &str, cgroup: &str) {
    let pids = machine.cgroup_procs(cgroup).unwrap_or_default();
    assert!(!pids.is_empty(), "{cgroup}");
    for pid in pids {
        let command = machine.read(format!("/proc/{pid}/cmdline")).replace('\0', " ");
        let line = format!("─{pid:>2} {}", command.trim_end());
        let shown = text.lines().any(|shown| shown.replace("─ ", "─").ends_with(&line.replace("─ ", "─")));
        assert!(shown, "`{line}` is not in\n{text}");
    }
}

#[test]
fn a_login_as_root_and_its_owner_see_it() {
    let machine = Machine::boot();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    ssh.ask("systemd-run --user --quiet --unit=stays sleep 1000");
    ssh.ask("(sleep 2000 &)");
    let leader = machine.state_of(&format!("sessions/{id}"), "LEADER");
    let manager = machine.manager(&ALICE).unwrap().to_string();
    assert!(machine.read(format!("/proc/{leader}/cmdline")).starts_with("sshd: alice"));
    for caller in [&ALICE, &ROOT] {
        let session = ask(&machine, caller, &["show-session", &id]);
        let scope = format!("session-{id}.scope");
        assert_properties(
            &session,
            &[
                ("Id", &id),
                ("User", "1001"),
                ("Name", "alice"),
                ("Remote", "yes"),
                ("RemoteHost", "127.0.0.1"),
                ("Service", "sshd"),
                ("Scope", &scope),
                ("Leader", &leader),
                ("Type", "tty"),
                ("Class", "user"),
                ("Active", "yes"),
                ("State", "active"),
                ("VTNr", "0"),
            ],
        );
        assert!(!properties(&session).contains_key("Seat"), "{session}");
        let user = ask(&machine, caller, &["show-user", "alice", "-a", "-p", "Manager,ManagerPID,UID,Slice"]);
        assert_properties(
            &user,
            &[("Slice", "user-1001.slice"), ("Manager", "ready"), ("ManagerPID", &manager)],
        );
        let user = ask(&machine, caller, &["show-user", "alice"]);
        let expected = [
            ("UID", "1001"),
            ("GID", "1001"),
            ("RuntimePath", "/run/user/1001"),
            ("Service", "user@1001.service"),
            ("Display", &id),
            ("State", "active"),
            ("Linger", "no"),
        ];
        assert_properties(&user, &expected);

        let status = ask(&machine, caller, &["session-status", "--full", &id]);
        assert!(status.starts_with(&format!("{id} - alice (1001)\n")), "{status}");
        for line in [&*format!(" Leader: {leader} (sshd)\n"), " Remote: 127.0.0.1\n", "   Unit: session-"] {
            assert!(status.contains(line), "`{line}` in {status}");
        }
        assert!(!status.contains("Seat:"), "{status}");
        assert_tree(&machine, &status, &ALICE.scope(&id));
        let status = ask(&machine, caller, &["user-status", "--full", "alice"]);
        assert!(status.starts_with("alice (1001)\n") && status.contains(&format!("*{id}")), "{status}");
        for cgroup in [
            ALICE.scope(&id),
            format!("{}/init.scope", ALICE.service()),
            format!("{}/app.slice/stays.service", ALICE.service()),
        ] {
            assert_tree(&machine, &status, &cgroup);
        }
    }
}

#[test]
fn tables_and_json() {
    let machine = Machine::boot();
    let _usherd = machine.start_usherd();
    let mut login = machine.login("alice");
    let id = login.ask("echo $XDG_SESSION_ID");
    let tty = login.ask("tty").trim_start_matches("/dev/").to_owned();
    let leader: u32 = machine.state_of(&format!("sessions/{id}"), "LEADER").parse().unwrap();
    let text = ask(&machine, &ALICE, &["list-sessions"]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines();
    assert_eq!(
        words(lines.next().unwrap()),
        ["SESSION", "UID", "USER", "SEAT", "LEADER", "CLASS", "TTY", "IDLE", "SINCE"]
    );
    let row = words(lines.next().unwrap());
    assert_eq!(row, [&id, "1001", "alice", "-", &leader.to_string(), "user", &tty, "no", "-"]);
    assert!(text.ends_with("\n\n2 sessions listed.\n"), "{text}");

    let json: serde_json::Value =
        serde_json::from_str(&ask(&machine, &ALICE, &["list-sessions", "-j"])).unwrap();
    let expected = serde_json::json!({
        "session": id, "uid": 1001, "user": "alice", "seat": null, "leader": leader, "class": "user", "tty": tty,
        "idle": false, "since": null
    });
    assert_eq!(json[0], expected);
    let json = ask(&machine, &ALICE, &["list-users", "--json=short"]);
    assert_eq!(json.trim(), r#"[{"uid":1001,"user":"alice","linger":false,"state":"active"}]"#);
}

#[test]
fn by_its_other_name_it_is_loginctl() {
    let machine = Machine::boot();
    let _usherd = machine.start_usherd();
    machine.run(&["ln", "-sf", "usherctl", "/usr/bin/loginctl"]);
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    // What people's scripts do.
    assert_eq!(ssh.ask("loginctl show-session $XDG_SESSION_ID -p Type --value"), "tty");
    assert_eq!(ssh.ask("loginctl show-user $USER -p Linger"), "Linger=no");
    assert_eq!(
        ssh.ask("loginctl --no-legend list-sessions | awk '$3 == \"alice\" && $6 == \"user\" { print $1 }'"),
        id
    );
    assert_eq!(ssh.ask("loginctl show-session -P Id self auto"), format!("{id}\n\n{id}"));
    assert!(ssh.ask("loginctl").starts_with("SESSION"));
    let (code, text) = ssh.try_ask("loginctl show-session nope");
    assert_eq!((code, text.as_str()), (1, "Failed to get path for session 'nope': No session 'nope' known"));
    // Outside of any session there is no own one; `auto` finds the one that stands for the user.
    let outside = machine.try_as_user("alice", &["loginctl", "show-session", "self", "-P", "Id"]);
    assert_eq!(outside.code, 1, "{outside}");
    assert_eq!(ask(&machine, &ALICE, &["show-session", "auto", "-P", "Id"]).trim(), id);
}
