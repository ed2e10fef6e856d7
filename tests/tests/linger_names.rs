//! Names that are none: in the directory of flags, on a command line, in the user database, from a PAM application.

mod names_common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use names_common::*;
use usher_tests::{ALICE, BOB, Machine, ROOT};

const POKE: &str = include_str!("faults_common/poke.py");

/// Names that no flag has. `\\x2f` is how systemd's unit names spell a slash; here it is no spelling of anything.
const STRANGE: [&[u8]; 18] = [
    b"a\\x2fb",
    b"..\\057x",
    b"\\056\\056",
    b"0",
    b"1000",
    b"0x10",
    b"-",
    b"-x",
    b" ",
    b"alice ",
    b"ali\nce",
    b"ali\x1bce",
    b"ali\xff\xfe",
    b"b\xc3\xb6rn",
    b"ali\\ce",
    b"\\141lice",
    b"alice:x",
    &[b'x'; 255],
];

#[test]
fn what_is_no_flag_is_ignored_with_one_line_each_and_stays() {
    let machine = with_late_names(LIGHT, "notfound", "");
    flags(&machine, &["alice", "carol"]);
    let directory = machine.file(FLAGS);
    for name in STRANGE {
        fs::write(directory.join(OsStr::from_bytes(name)), "").unwrap();
    }
    symlink("/etc/passwd", directory.join("bob")).unwrap();
    symlink("alice", directory.join("mallory")).unwrap();
    fs::create_dir(directory.join("directory")).unwrap();
    nix::unistd::mkfifo(&directory.join("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let before = flagged(&machine);
    let mut usherd = machine.start_usherd();
    machine.wait_for("alice to linger", || is_up(&machine, ALICE.uid));
    machine.wait_for("carol to be looked up", || usherd.log().contains("user carol lingers but"));
    let strangers = STRANGE.len() - 1 + 4;
    let log = usherd.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("ignoring the linger flag ")).collect();
    // 255 letters are a user name, though one of nobody.
    assert_eq!(told.len(), strangers, "{log}");
    assert!(told.iter().all(|line| !line.contains(char::is_control)), "{told:?}");
    for (name, why) in [
        ("a\\\\x2fb", "not the usual spelling"),
        ("1000", "not a user name"),
        ("0x10", "not a user name"),
        ("\\\\056\\\\056", "not the usual spelling"),
        ("ali\\nce", ""),
        ("bob", "not a regular file"),
        ("mallory", "not a regular file"),
        ("directory", "not a regular file"),
        ("fifo", "not a regular file"),
    ] {
        let line = format!("ignoring the linger flag {name}: {why}");
        assert!(told.iter().any(|told| told.contains(&line)), "no '{line}' in {told:#?}");
    }
    // Asked for were those that are names, and nobody else.
    let mut asked: Vec<String> = machine.read("/run/late").lines().map(str::to_owned).collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked, ["carol".to_owned(), "x".repeat(255)]);
    assert_eq!(flagged(&machine), before);
    for person in [&BOB, &ROOT] {
        assert!(machine.state(&format!("users/{}", person.uid)).is_empty());
    }
    // A flag that can be cleared is cleared: what a link points to stays.
    machine.run(&["usherctl", "disable-linger", "bob", "alice"]);
    assert!(machine.read("/etc/passwd").contains("alice") && !machine.exists(format!("{FLAGS}/bob")));
    machine.wait_gone(&ALICE);
    assert!(usherd.is_running());
}

/// As loginctl does it: a number is a uid, everything else a name that the user database has to know.
#[test]
fn on_a_command_line() {
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot();
    let _usherd = machine.start_usherd();
    let long = "x".repeat(100_000);
    for word in [
        "..",
        ".",
        "a/b",
        "../../../etc/passwd",
        "0x10",
        "00",
        "010",
        "-1",
        "+0",
        " 0",
        "4294967295",
        "65535",
        "al\nice",
        &long,
    ] {
        for verb in ["enable-linger", "disable-linger"] {
            let output = machine.try_run(&["usherctl", verb, "--", word]);
            assert_eq!(output.code, 1, "{word:.20}: {output}");
            assert!(output.stderr.contains("Failed to look up user"), "{word:.20}: {output:.500}");
            assert!(
                output.stderr.len() < 1000 && output.stderr.trim_end().lines().count() == 1,
                "{}",
                output.stderr.len()
            );
        }
    }
    assert_eq!(flagged(&machine), Vec::<String>::new());
    for (word, person) in [("0", &ROOT), ("1001", &ALICE)] {
        machine.run(&["usherctl", "enable-linger", word]);
        assert_eq!(flagged(&machine), [person.name]);
        machine.run(&["usherctl", "disable-linger", word]);
        machine.wait_gone(person);
    }
    let nobody = machine.try_run(&["usherctl", "enable-linger", "4242"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("4242"), "{nobody}");
    assert!(nobody.stderr.contains("the user database does not know it"), "{nobody}");
    assert_eq!(flagged(&machine), Vec::<String>::new());
}

/// A user database may say what it likes.
#[test]
fn in_the_user_database() {
    let evil = "../../etc/x:*:2001:2001::/tmp:/bin/sh\n..:*:2002:2002::/tmp:/bin/sh\n-x:*:2003:2003::/tmp:/bin/sh\n2005:*:2004:2004::/tmp:/bin/sh\n";
    let machine = with_late_names(LIGHT, "answer", evil);
    let _usherd = machine.start_usherd();
    for uid in 2001..=2004 {
        let output = machine.try_run(&["usherctl", "enable-linger", &uid.to_string()]);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("its uid or name is none that usher accepts"), "{output}");
    }
    assert_eq!(flagged(&machine), Vec::<String>::new());
    assert!(!machine.exists("/etc/x"));
}

/// Users whom a file of passwd(5) may have and usher does not take: their logins go on without a session.
#[test]
fn from_a_login() {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .user("0x10", 1016)
        .user("-dash", 1017)
        .user("2001", 1018)
        .boot();
    let _usherd = machine.start_usherd();
    for name in ["0x10", "2001"] {
        let before = machine.syslog().lines().filter(|line| line.contains("pam_usher")).count();
        let output = machine.run(&["su", "-", name, "-c", "echo in ${XDG_SESSION_ID-none}"]);
        assert_eq!(output.text(), "in none");
        let lines = || {
            let syslog = machine.syslog();
            let lines: Vec<_> =
                syslog.lines().filter(|line| line.contains("pam_usher")).map(str::to_owned).collect();
            lines[before..].to_vec()
        };
        machine.wait_for("one line in the auth log", || !lines().is_empty());
        let told = lines();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("user name"), "{told:?}");
    }
    let script = r#"
for name in ['..', '.', 'a/b', '0x10', '0', '1000', '', '-x', ' ', 'a\nb', 'a:b', 'a\x00b', 'x' * 256, 'ö' * 128]:
    answer = refused(message('OpenSession', login(user=name)), INVALID)
"#;
    machine.run(&["python3", "-c", &format!("{POKE}\n{script}")]);
    for (verb, none) in [("list-sessions", "No sessions."), ("list-users", "No users.")] {
        assert!(machine.run(&["usherctl", verb]).text().ends_with(none));
    }
}
