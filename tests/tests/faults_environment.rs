//! What a PAM application passes on from strangers: environment, terminal, host. None of it becomes a line of a file, a
//! seat, or a reason to keep anybody out.

mod faults_common;

use std::io::Write;
use std::process::Stdio;

use faults_common::*;
use usher_tests::Machine;

/// Keeps the session's file as it is while the session is open: pamtester's sessions are short.
const SNAP: &str = "#!/bin/sh
[ \"$PAM_TYPE\" = open_session ] || exit 0
cat /run/systemd/sessions/* > /tmp/session
cat /run/systemd/users/* > /tmp/user
exit 0
";

fn machine() -> Machine {
    Machine::builder()
        .config(QUICK)
        .file("/usr/local/bin/snap", SNAP, 0o755, 0)
        .pam_line("usher-test", "session optional pam_exec.so quiet /usr/local/bin/snap")
        .boot()
}

/// Opens and closes a session with these items and variables of PAM; returns the session's file. The file must be of
/// alice's session and hold each key once, and no other than usherd writes.
fn open(machine: &Machine, options: &[&str], environment: &[(&str, &str)]) -> String {
    machine.sh("rm -f /tmp/session /tmp/user");
    let mut words = vec!["pamtester"];
    words.extend(options);
    words.extend(["usher-test", "alice", "open_session", "close_session"]);
    let mut command = machine.command(&words);
    command.envs(environment.iter().copied());
    let output = machine.output(command, &words);
    assert!(output.ok(), "{options:?} {environment:?}: {output}");
    let file = machine.read("/tmp/session");
    is_sound(&file);
    is_sound(&machine.read("/tmp/user"));
    wait_nothing_left(machine);
    file
}

fn is_sound(file: &str) {
    let mut keys = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("a line without a key in {file}"));
        assert!(key.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit()), "{file}");
        assert!(!keys.contains(&key), "{key} twice in {file}");
        assert!(value.len() < 5000 && !value.contains(char::is_control), "{file}");
        keys.push(key);
    }
    assert!(!file.is_empty() && !keys.contains(&"EVIL"), "{file}");
}

fn value<'f>(file: &'f str, key: &str) -> Option<&'f str> {
    file.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

const INJECTED: &str = "x\nUID=0\nACTIVE=1\nEVIL=1";

#[test]
fn variables_of_pam_and_of_the_process() {
    let machine = machine();
    let _broker = machine.start_usherd();
    let long = "x".repeat(100_000);
    let garbage = [
        INJECTED,
        &long,
        "",
        " ",
        "../../seat0",
        "seat0\0",
        "-1",
        "4294967296",
        "\u{1b}[31m",
        "é\u{85}",
        "'\"\\$(reboot)`",
    ];
    for name in ["XDG_SEAT", "XDG_VTNR", "XDG_SESSION_DESKTOP", "XDG_SESSION_INCOMPLETE"] {
        for text in garbage.iter().map(|text| text.trim_end_matches('\0')) {
            // What is of no use is as good as unset: the login has its session.
            let of_pam = open(&machine, &["-E", &format!("{name}={text}")], &[]);
            let of_process = open(&machine, &[], &[(name, text)]);
            for file in [of_pam, of_process] {
                assert_eq!(value(&file, "UID"), Some("1001"), "{name}={text:.100}: {file}");
                assert_eq!((value(&file, "SEAT"), value(&file, "VTNR")), (None, None), "{file}");
                assert_eq!(value(&file, "SERVICE"), Some("usher-test"), "{file}");
            }
        }
    }
}

/// A class or type that does not exist is an error of whoever configured it (contract/pam.md section 5): no session, one
/// line; the module is optional, so the login goes on.
#[test]
fn classes_and_types_that_do_not_exist() {
    let machine = machine();
    let broker = machine.start_usherd();
    let long = "x".repeat(100_000);
    for name in ["XDG_SESSION_CLASS", "XDG_SESSION_TYPE"] {
        for text in [INJECTED, &long, "none", "USER", "user ", "../user", "\u{1b}[31m"] {
            let before = module_lines(&machine).len();
            let words = [
                "pamtester",
                "-E",
                &format!("{name}={text}"),
                "usher-test",
                "alice",
                "open_session",
                "close_session",
            ];
            let output = machine.run(&words);
            assert!(output.stdout.contains("successfully opened"), "{output}");
            let lines = module_lines(&machine);
            assert_eq!(lines.len(), before + 1, "{:?}", &lines[before..]);
            assert!(lines[before].len() < 1000 && !lines[before].contains("EVIL=1 "), "{}", lines[before]);
        }
    }
    assert!(!broker.log().contains("new session"), "{}", broker.log());
    assert_eq!(left(&machine), Vec::<String>::new());
}

#[test]
fn terminals_hosts_and_users_of_elsewhere() {
    let machine = machine();
    let _broker = machine.start_usherd();
    for item in ["tty", "rhost", "ruser"] {
        for text in [
            INJECTED,
            &"x".repeat(2000),
            "../../../etc/passwd",
            "/dev/../tmp/x",
            "\u{1b}[31m",
            "=",
            "é",
            "tty1",
            "cron",
            "ssh",
            ":0",
            "a b\tc",
        ] {
            let file = open(&machine, &["-I", &format!("{item}={text}")], &[]);
            assert_eq!(value(&file, "UID"), Some("1001"), "{item}={text:.100}: {file}");
            assert_eq!(
                (value(&file, "SEAT"), value(&file, "VTNR")),
                (None, None),
                "{item}={text:.100}: {file}"
            );
            // Whoever comes from elsewhere does so, however he writes it.
            if item == "rhost" {
                assert_eq!(value(&file, "REMOTE"), Some("1"), "{text:.100}: {file}");
            }
        }
    }
}

/// Nobody gets a seat by asking for one (CVE-2019-3842, CVE-2025-6018).
#[test]
fn a_seat_is_not_had_for_the_asking() {
    let machine = machine();
    let _broker = machine.start_usherd();
    let wishes = [
        ("XDG_SEAT", "seat0"),
        ("XDG_VTNR", "1"),
        ("XDG_SESSION_TYPE", "wayland"),
        ("XDG_SESSION_CLASS", "greeter"),
    ];
    let options: Vec<String> = wishes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut words: Vec<&str> = options.iter().flat_map(|option| ["-E", option]).collect();
    for host in [None, Some("rhost=example.org"), Some("tty=tty1")] {
        words.extend(host.iter().flat_map(|host| ["-I", host]));
        let file = open(&machine, &words, &wishes);
        assert_eq!((value(&file, "SEAT"), value(&file, "VTNR")), (None, None), "{file}");
    }
}

/// su is set-user-ID: its environment is the caller's, and not heeded.
#[test]
fn the_environment_of_whoever_calls_su() {
    let machine = machine();
    let _broker = machine.start_usherd();
    let mut command = machine.command_as("alice", &["su", "bob", "-c", "cat /run/systemd/sessions/*; env"]);
    for (name, value) in [
        ("XDG_SEAT", "seat0"),
        ("XDG_VTNR", "1"),
        ("XDG_SESSION_CLASS", "greeter"),
        ("XDG_SESSION_TYPE", "x11"),
        ("XDG_SESSION_DESKTOP", "evil"),
        ("XDG_RUNTIME_DIR", "/tmp/evil"),
    ] {
        command.env(name, value);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"usher\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "UID=1002",
        "CLASS=background",
        "TYPE=unspecified",
        "XDG_RUNTIME_DIR=/run/user/1002",
        "XDG_SESSION_CLASS=background",
    ] {
        assert!(text.lines().any(|have| have == line), "no {line} in {text}");
    }
    for word in ["SEAT=seat0\nTYPE", "\nVTNR=", "DESKTOP=evil\nVTNR", "greeter\nSCOPE"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    wait_nothing_left(&machine);
}

/// sshd lets clients set XDG_* here (AcceptEnv).
#[test]
fn the_environment_of_whoever_comes_over_ssh() {
    let machine = machine();
    let _broker = machine.start_usherd();
    machine.start_sshd();
    let words =
        ["ssh", "-o", "SendEnv=XDG_*", "alice@localhost", "cat /run/systemd/sessions/$XDG_SESSION_ID"];
    let mut command = machine.command(&words);
    command.envs([
        ("XDG_SEAT", "seat0"),
        ("XDG_VTNR", "1"),
        ("XDG_SESSION_CLASS", "greeter"),
        ("XDG_SESSION_TYPE", "x11"),
    ]);
    let output = machine.output(command, &words);
    assert!(output.ok(), "{output}");
    is_sound(&output.stdout);
    let values = ["SEAT", "VTNR", "CLASS", "TYPE", "REMOTE"].map(|key| value(&output.stdout, key));
    assert_eq!(values, [None, None, Some("user"), Some("tty"), Some("1")], "{output}");
    wait_nothing_left(&machine);
}
