//! The built usherctl against a broker that says what the test wants.

#[allow(dead_code)]
mod support;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::world::{broker, id};
use support::{Answer, FakeBroker, Ran, run, session};
use usher_protocol::messages::{
    Call, KillSessionRequest, KillUserRequest, LingerRequest, Refusal, SessionSelector,
};
use usher_protocol::session::KillWhom;

#[test]
fn without_a_verb_the_sessions_are_listed() {
    let table = "\
SESSION  UID USER SEAT LEADER CLASS TTY IDLE SINCE
     c4 1002 u2   -    108    user  -   no   -

1 sessions listed.
";
    let broker = broker();
    broker.run(&[]).prints(table);
    broker.run(&["list-sessions", "--no-pager", "--full"]).prints(table);
    broker.run(&["--no-legend"]).prints("c4 1002 u2 - 108 user - no -\n");
}

#[test]
fn lists_are_json_where_asked() {
    let broker = broker();
    let line = "[{\"uid\":1002,\"user\":\"u2\",\"linger\":false,\"state\":\"active\"}]\n";
    broker.run(&["list-users", "--json=short"]).prints(line);
    // Standard output is a pipe here.
    broker.run(&["-j", "list-users"]).prints(line);
    broker.run(&["list-users", "--json=pretty"]).prints(
        "[\n\t{\n\t\t\"uid\" : 1002,\n\t\t\"user\" : \"u2\",\n\t\t\"linger\" : false,\n\t\t\"state\" : \"active\"\n\t}\n]\n",
    );
    assert!(broker.run(&["list-users", "-j", "--json=off"]).stdout.contains("LINGER"));

    let empty = FakeBroker::start(|call| match call {
        Call::ListUsers => Answer::Reply(json!({"users": []})),
        _ => Answer::Reply(json!({"sessions": []})),
    });
    empty.run(&["-j"]).prints("null\n");
    empty.run(&["list-users", "-j"]).prints("null\n");
    empty.run(&["list-users"]).prints("UID USER LINGER STATE\nNo users.\n");
}

#[test]
fn properties_are_shown() {
    let broker = broker();
    broker.run(&["show-session", "c4", "-p", "Name", "--property=Id"]).prints("Id=c4\nName=u2\n");
    // Before and after the verb, both count.
    broker.run(&["-p", "Name", "show-session", "-p", "Id", "c4", "--value"]).prints("c4\nu2\n");
    broker.run(&["show-session", "c4", "self", "-P", "State"]).prints("active\n\nactive\n");
    broker.run(&["show-user", "1002", "-p", "UID,Sessions"]).prints("UID=1002\nSessions=c6 c5 c4\n");
    broker.run(&["show-user", "1002", "-P", "Timestamp"]).prints("Sat 2026-11-21 01:23:04 UTC\n");
    for verb in ["show-session", "show-user"] {
        // Without an object it is usherd itself that is shown.
        broker.run(&[verb, "-p", "NCurrentSessions"]).prints("NCurrentSessions=1\n");
    }
    broker.run(&["show-session", "--prop", "KillExcludeUsers"]).prints("KillExcludeUsers=root\n");
    broker.run(&["show-session", "c4", "-p", "NoSuch"]).prints("");
    broker
        .run(&["show-session", "c4", "--json=short", "-p", "Id,Seat"])
        .prints("{\"Id\":\"c4\",\"Seat\":null}\n");
    let both = broker.run(&["user-status", "1002", "1002", "-j"]);
    let objects: Vec<Value> = both.stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(objects.iter().map(|o| o["UID"].clone()).collect::<Vec<_>>(), [1002, 1002]);
}

#[test]
fn what_was_shown_before_a_failure_stays() {
    let ran = broker().run(&["show-session", "c4", "nope", "-p", "Id"]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), "Id=c4\n"));
    assert_eq!(ran.stderr, "Failed to get path for session 'nope': No session 'nope' known\n");
}

#[test]
fn status_is_for_people() {
    let own = std::process::id();
    let broker = FakeBroker::start(move |_| {
        Answer::Reply(json!({"session": session(json!({"leader": own, "control_group": "/no/such/group"}))}))
    });
    let ran = broker.run(&["session-status", "-n0", "-l"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"c4 - u2 (1002)"));
    assert!(lines[1].starts_with("  Since: Sat 2026-11-21 01:23:04 UTC; "), "{ran:?}");
    let comm = std::fs::read_to_string("/proc/self/comm").expect("our name");
    assert!(ran.stdout.contains(&format!("\n Leader: {own} ({})\n", comm.trim_end())), "{ran:?}");
    assert_eq!(lines.last(), Some(&"   Unit: session-c4.scope"));
    assert_eq!(broker.calls(), [Call::GetSession(SessionSelector { session: Some("auto".into()) })]);
}

#[test]
fn the_processes_hang_below_the_unit() {
    let Some(mount) = usher_client::cgroup::mount() else { return };
    let groups = std::fs::read_to_string("/proc/self/cgroup").expect("our cgroup");
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).expect("a cgroup2 path").to_owned();
    // Outside our cgroup namespace's root there is nothing to see.
    if group.contains("..") || !mount.join(group.trim_start_matches('/')).join("cgroup.procs").exists() {
        return;
    }
    let own = std::process::id();
    let broker = FakeBroker::start(move |_| {
        Answer::Reply(json!({"session": session(json!({"leader": own, "control_group": group}))}))
    });
    let ran = broker.run(&["session-status", "c4"]);
    // Right-aligned among others, so that a shorter number has blanks before it.
    let pid = |line: &str| {
        line.trim_start_matches(|c: char| !c.is_ascii_digit()).split(' ').next().map(str::to_owned)
    };
    let line = ran.stdout.lines().find(|line| line.contains('─') && pid(line) == Some(own.to_string()));
    assert!(line.is_some_and(|line| line.contains("usherctl")), "{ran:?}");
}

#[test]
fn several_status_blocks_have_a_line_between_them() {
    let ran = broker().run(&["user-status", "1002", "1002"]);
    let [first, second] = ran.stdout.split("\n\n").collect::<Vec<_>>()[..] else { panic!("{ran:?}") };
    assert!(first.starts_with("u2 (1002)\n") && second.starts_with("u2 (1002)\n"), "{ran:?}");
    assert_eq!(ran.code, Some(0));
}

#[test]
fn linger_is_set_for_the_named_or_the_caller() {
    let broker = broker();
    broker.run(&["enable-linger"]).prints("");
    broker.run(&["disable-linger", "root", "1002", "--no-ask-password"]).prints("");
    let linger = |uid: Option<u32>, linger| {
        let uid = uid.map(|uid| uid.try_into().expect("a uid"));
        Call::SetLinger(LingerRequest { uid, linger })
    };
    assert_eq!(broker.calls(), [linger(None, true), linger(Some(0), false), linger(Some(1002), false)]);
}

#[test]
fn signals_go_to_whom_they_are_meant_for() {
    let broker = broker();
    broker.run(&["kill-session", "c4"]).prints("");
    broker.run(&["kill-session", "c4", "--kill-whom=leader", "-s", "kill"]).prints("");
    broker.run(&["kill-session", "self", "--kill-who=all", "--signal=SIGHUP"]).prints("");
    // Of an option given twice the last one counts.
    broker.run(&["-sTERM", "kill-user", "1002", "-s9", "--no-pager", "--no-pager"]).prints("");
    let kill = |whom, signal| Call::KillSession(KillSessionRequest { session: id("c4"), whom, signal });
    let kill_user = KillUserRequest { uid: 1002.try_into().expect("a uid"), signal: 9 };
    assert_eq!(
        broker.calls(),
        [
            kill(KillWhom::All, 15),
            kill(KillWhom::Leader, 9),
            Call::GetSession(SessionSelector { session: Some("self".into()) }),
            kill(KillWhom::All, 1),
            Call::KillUser(kill_user),
        ]
    );
}

#[test]
fn refusals_have_loginctls_words() {
    let broker = broker();
    for (args, message) in [
        (&["show-session", "nope"][..], "Failed to get path for session 'nope': No session 'nope' known"),
        (&["session-status", "no-pe"], "Failed to get path for session 'no-pe': No session 'no-pe' known"),
        (&["show-user", "1044"], "Failed to get user: User ID 1044 is not logged in or lingering"),
        (&["show-user", "nosuch"], "Failed to look up user nosuch: No such process"),
        (&["enable-linger", "nosuch"], "Failed to look up user nosuch: No such process"),
        (&["user-status", "self"], "Failed to look up user self: No such process"),
        (&["terminate-session", "nope"], "Failed to issue method call: No session 'nope' known"),
        (&["terminate-session", "../x"], "Failed to issue method call: No session '../x' known"),
        (&["kill-session", "a.b"], "Could not kill session: No session 'a.b' known"),
        (&["kill-session", "c5"], "Could not kill session: Session 'c5' has no associated scope"),
        (&["bogus"], "Unknown command verb 'bogus', did you mean 'help'?"),
        (&["show-sesion", "c4"], "Unknown command verb 'show-sesion', did you mean 'show-session'?"),
        (&["--", "-x"], "Unknown command verb '-x', did you mean 'help'?"),
        (&["rm-rf-everything"], "Unknown command verb 'rm-rf-everything'. See 'usherctl --help'."),
        (&["kill-session"], "Too few arguments."),
        (&["list-sessions", "c4"], "Too many arguments."),
        (&["kill-session", "c4", "-s", "FOO"], "Failed to parse signal string \"FOO\"."),
        (&["activate", "nope"], "Failed to issue method call: No session 'nope' known"),
        (&["activate", "../x"], "Failed to issue method call: No session '../x' known"),
        (&["lock-session", "nope"], "Failed to issue method call: No session 'nope' known"),
        (&["lock-sessions"], "Could not lock sessions: Only root may do that"),
        (&["unlock-sessions"], "Could not lock sessions: Only root may do that"),
        (&["show-seat", "x"], "Failed to get path for seat 'x': No seat 'x' known"),
        (&["show-seat", "seat9"], "Failed to get path for seat 'seat9': No seat 'seat9' known"),
        (&["seat-status", "../seat0"], "Failed to get path for seat '../seat0': No seat '../seat0' known"),
        (&["terminate-seat", "seat9"], "Could not terminate seat: No seat 'seat9' known"),
        (&["terminate-seat", "9"], "Could not terminate seat: No seat '9' known"),
        (&["terminate-seat"], "Too few arguments."),
        (
            &["attach", "seat0", "/sys/class/drm/card0"],
            "The command 'attach' is not supported: usherd has one seat, seat0, and all devices belong to it.",
        ),
        (
            &["flush-devices"],
            "The command 'flush-devices' is not supported: usherd has one seat, seat0, and all devices belong to it.",
        ),
        (
            &["show-session", "\u{1b}[2J"],
            "Failed to get path for session '\\u{1b}[2J': No session '\\u{1b}[2J' known",
        ),
        (
            &["-H", "there"],
            "-H, --host is not supported: run usherctl on the other machine, for example through ssh",
        ),
        (&["-Mbox", "list-users"], "-M, --machine is not supported: run usherctl inside the container"),
    ] {
        broker.run(args).fails(message);
    }
    for args in
        [&["--bogus"][..], &["-s"], &["--json=xml"], &["-n", "x"], &["--kill-whom=nobody", "kill-user", "0"]]
    {
        let ran = broker.run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{args:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    }
}

#[test]
fn an_argument_after_two_dashes_is_no_option() {
    let ran = run_before_socket(&["show-session", "--", "-p"]);
    assert_eq!(ran, "Failed to get path for session '-p': No session '-p' known\n");
}

/// Runs with the socket's option first, so that the arguments may end the options.
fn run_before_socket(args: &[&str]) -> String {
    let broker = broker();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usherctl"));
    let output = command.arg("--socket").arg(broker.socket()).args(args).output().expect("usherctl runs");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn refusals_from_the_broker_are_escaped() {
    let broker = FakeBroker::start(|_| {
        Answer::Refuse(Refusal::AccessDenied { message: "only root\u{1b}]0;x\u{7} may\nreally".into() })
    });
    broker
        .run(&["terminate-user", "0"])
        .fails("Could not terminate user: only root\\u{1b}]0;x\\u{7} may\nreally");
}

#[test]
fn an_absent_broker_is_reported_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("broker");
    let program = Path::new(env!("CARGO_BIN_EXE_usherctl"));
    let advice = "Is usherd running? Start its service, or run /usr/sbin/usherd as root to see why it fails.";
    run(program, &socket, &["list-users"]).fails(&format!(
        "Failed to connect to usherd at {}: No such file or directory (os error 2). {advice}",
        socket.display()
    ));
    // A socket that a killed broker left behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    run(program, &socket, &[]).fails(&format!(
        "Failed to connect to usherd at {}: Connection refused (os error 111). {advice}",
        socket.display()
    ));
}

#[test]
fn a_broken_answer_is_an_error_and_no_crash() {
    for (bytes, message) in [
        (&b""[..], "connection to usherd lost: unexpected end of file"),
        (b"{\"parameters\":{\"sess", "connection to usherd lost: unexpected end of file"),
        (b"[]\0", "usherd answered nonsense: malformed message: not a JSON object"),
        (b"\0", "usherd answered nonsense: malformed message: not a JSON object"),
    ] {
        let broker = FakeBroker::start(move |_| Answer::Bytes(bytes));
        broker
            .run(&["list-sessions"])
            .fails(&format!("Failed to list sessions: {message}; see usherd's log"));
    }
    for bytes in [&b"{}\0"[..], b"{\"parameters\":{\"sessions\":[{\"id\":\"../x\"}]}}\0", b"\xff\xfe\0"] {
        let ran = FakeBroker::start(move |_| Answer::Bytes(bytes)).run(&[]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""));
        assert!(ran.stderr.starts_with("Failed to list sessions: usherd answered nonsense: "), "{ran:?}");
    }
}

#[test]
fn it_answers_to_the_name_loginctl() {
    let broker = broker();
    let loginctl = broker.directory().join("loginctl");
    symlink(env!("CARGO_BIN_EXE_usherctl"), &loginctl).expect("a link");
    run(&loginctl, &broker.socket(), &["show-session", "c4", "-P", "Id"]).prints("c4\n");
    let version = run(&loginctl, &broker.socket(), &["--version"]);
    version.prints(concat!("loginctl (usher) ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(run(&loginctl, &broker.socket(), &["--help"]).stdout.contains("Usage: loginctl "));
}

#[test]
fn help_needs_no_broker() {
    let nowhere = Path::new("/nonexistent/broker");
    let program = Path::new(env!("CARGO_BIN_EXE_usherctl"));
    let help = run(program, nowhere, &["--help"]);
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    for word in ["list-sessions", "terminate-user", "--kill-whom", "Usage: usherctl "] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    for args in [&["help"][..], &["-h"], &["kill-user", "--help"]] {
        assert_eq!(run(program, nowhere, args), help);
    }
    run(program, nowhere, &["--version"]).prints(concat!("usherctl ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let many: Vec<Value> = (0..5000).map(|n| json!(session(json!({"id": n.to_string()})))).collect();
    let broker = FakeBroker::start(move |_| Answer::Reply(json!({"sessions": many})));
    let mut child = Command::new(env!("CARGO_BIN_EXE_usherctl"))
        .arg("--socket")
        .arg(broker.socket())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("usherctl runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
}

#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let broker = broker();
    let output = Command::new(env!("CARGO_BIN_EXE_usherctl"))
        .arg("--socket")
        .arg(broker.socket())
        .stdout(full)
        .output()
        .expect("usherctl runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("Failed to write to standard output: No space left"), "{stderr}");
}

#[test]
fn the_command_is_consistent() {
    usher_client::cli::command().debug_assert();
}

/// The findings, whatever this machine is like.
fn diagnosis(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.stderr, "");
    serde_json::from_str(&ran.stdout).expect("a list")
}

#[test]
fn doctor_is_a_verb_of_its_own_under_either_name() {
    let broker = FakeBroker::start(|call| match call {
        Call::GetInfo => Answer::Reply(json!({
            "vendor": "", "product": "usherd", "version": "0.0.7", "url": "", "interfaces": [],
        })),
        _ => Answer::Refuse(Refusal::AccessDenied { message: "Only root".into() }),
    });
    let loginctl = broker.directory().join("loginctl");
    symlink(env!("CARGO_BIN_EXE_usherctl"), &loginctl).expect("a link");
    for program in [Path::new(env!("CARGO_BIN_EXE_usherctl")), &loginctl] {
        let ran = run(program, &broker.socket(), &["doctor", "-j"]);
        let findings = diagnosis(&ran);
        let version =
            findings.iter().find(|finding| finding["check"] == "daemon.version").expect("a version");
        assert_eq!((&version["verdict"], ran.code), (&json!("warning"), Some(1)));
        assert!(
            version["finding"].as_str().is_some_and(|text| text.contains("usherd is version 0.0.7")),
            "{version}"
        );
        for finding in &findings {
            let keys: Vec<_> = finding.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["advice", "check", "finding", "verdict"]);
        }
    }
    assert!(broker.calls().contains(&Call::GetStatus));
    broker.run(&["doctor", "alice"]).fails("Too many arguments.");
}

#[test]
fn doctor_needs_no_broker_and_bears_nonsense() {
    let nonsense = FakeBroker::start(|_| Answer::Bytes(b"nonsense\0"));
    let nowhere = Path::new("/nonexistent/broker");
    let program = Path::new(env!("CARGO_BIN_EXE_usherctl"));
    for (socket, words) in [(&*nonsense.socket(), "cannot be asked"), (nowhere, "usherd")] {
        let ran = run(program, socket, &["doctor", "--json=pretty"]);
        let findings = diagnosis(&ran);
        assert_eq!(
            (&findings[0]["check"], &findings[0]["verdict"]),
            (&json!("daemon.answer"), &json!("problem"))
        );
        assert!(findings[0]["finding"].as_str().is_some_and(|text| text.contains(words)), "{}", findings[0]);
        assert_eq!(ran.code, Some(1));
    }
}
