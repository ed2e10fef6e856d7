//! PAM applications that do unusual things: several sessions in one process, opening without closing, closing twice.

use usher_tests::{ALICE, Machine, Person};

/// Runs after pam_usher.so in the stack, at open and at close: writes where the application is, and keeps the record.
const PROBE: &str = "\
#!/bin/sh
echo \"$PAM_TYPE $XDG_SESSION_ID $(grep ^0:: /proc/$PPID/cgroup)\" >> /tmp/probe
[ $PAM_TYPE = close_session ] || cp /run/systemd/sessions/$XDG_SESSION_ID /tmp/record
";

fn machine(lines: &str) -> Machine {
    Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\n{lines}"))
        .file("/etc/probe.sh", PROBE, 0o755, 0)
        .pam_line("probed", "session optional pam_usher.so")
        .pam_line("probed", "session optional pam_exec.so /etc/probe.sh")
        .boot()
}

/// The probe's lines, each split into what was done, the session's id, and the application's cgroup.
fn probed(machine: &Machine) -> Vec<(String, String, String)> {
    let text = machine.read("/tmp/probe");
    let lines = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    lines
        .map(|words| match &words[..] {
            [done, id, cgroup] => (done.clone(), id.clone(), cgroup.trim_start_matches("0::").to_owned()),
            _ => panic!("{text}"),
        })
        .collect()
}

fn opened(id: &str, person: &Person) -> (String, String, String) {
    ("open_session".to_owned(), id.to_owned(), person.scope(id))
}

/// The PAM environment keeps the number; the process is back where it came from.
fn closed(id: &str, origin: &str) -> (String, String, String) {
    ("close_session".to_owned(), id.to_owned(), origin.to_owned())
}

#[test]
fn two_sessions_in_one_process_one_after_the_other() {
    let machine = machine("Manager=none\n");
    let _usherd = machine.start_usherd();
    let twice = ["open_session", "close_session", "open_session", "close_session"];
    machine.run(&[&["pamtester", "probed", "alice"], &twice[..]].concat());
    let origin = "/init.scope";
    assert_eq!(
        probed(&machine),
        [opened("1", &ALICE), closed("1", origin), opened("2", &ALICE), closed("2", origin)]
    );
    machine.wait_gone(&ALICE);
}

#[test]
fn the_process_goes_back_to_wherever_it_came_from() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let script = "mkdir -p /sys/fs/cgroup/system.slice/dm.service && \
                  echo $$ > /sys/fs/cgroup/system.slice/dm.service/cgroup.procs && \
                  pamtester probed alice open_session close_session";
    machine.sh(script);
    let lines = probed(&machine);
    assert_eq!(lines, [opened("1", &ALICE), closed("1", "/system.slice/dm.service")]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_second_open_in_one_handle_is_the_same_session() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    // The second close has nothing left to close.
    let words = ["open_session", "open_session", "close_session", "close_session"];
    machine.run(&[&["pamtester", "probed", "alice"], &words[..]].concat());
    let ids: Vec<String> = probed(&machine).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["1", "1", "1", "1"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn an_application_that_never_closes() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    machine.run(&["pamtester", "probed", "alice", "open_session"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn closing_without_having_opened_closes_nobodys_session() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    let ssh = machine.ssh_session("alice");
    let id = machine.sessions(&ALICE)[0].clone();
    let set = format!("XDG_SESSION_ID={id}");
    machine.run(&["pamtester", "-E", &set, "probed", "alice", "close_session"]);
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), "active");
    ssh.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn an_unknown_class_is_refused_and_leaves_nothing() {
    let machine = machine("");
    let _usherd = machine.start_usherd();
    for set in ["XDG_SESSION_CLASS=nonsense", "XDG_SESSION_TYPE=nonsense", "XDG_SESSION_CLASS=none"] {
        let refused = machine.try_run(&["pamtester", "-E", set, "usher-test", "alice", "open_session"]);
        assert!(!refused.ok(), "{set}: {refused}");
    }
    assert!(machine.sessions(&ALICE).is_empty());
    assert!(!machine.exists("/run/systemd/users/1001"));
    // What a user may well say of himself.
    let words = ["-E", "XDG_SESSION_DESKTOP=Sway", "-E", "XDG_SESSION_TYPE=wayland", "probed", "alice"];
    machine.run(&[&["pamtester"], &words[..], &["open_session", "close_session"]].concat());
    let record = machine.read("/tmp/record");
    assert!(record.contains("\nDESKTOP=Sway\n") && record.contains("\nTYPE=wayland\n"), "{record}");
    machine.wait_gone(&ALICE);
}
