//! What usherd logs can be changed over the bus, as of every daemon of systemd's: org.freedesktop.LogControl1(5).

use nix::sys::signal::Signal;
use usher_tests::{Machine, Usherd};

const OBJECT: [&str; 3] =
    ["org.freedesktop.login1", "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"];

fn get(machine: &Machine, property: &str) -> String {
    let words = [&["busctl", "get-property"][..], &OBJECT, &[property]].concat();
    machine.run(&words).text().to_owned()
}

/// Sets a property as somebody; what the bus says if that fails.
fn set(machine: &Machine, user: &str, property: &str, value: &str) -> Result<(), String> {
    let words = [&["busctl", "set-property"][..], &OBJECT, &[property, "s", value]].concat();
    let output = machine.try_as_user(user, &words);
    if output.ok() { Ok(()) } else { Err(output.stderr) }
}

/// Has usherd read its configuration, in which there is something to say of at three levels; what it logs of that.
fn reading(machine: &Machine, usherd: &mut Usherd<'_>, round: usize) -> [bool; 3] {
    let text = format!("[Login]\nManager=none\nUserStopDelaySec={round}\nNAutoVTs=6\nNonsense=1\n");
    machine.sh(&format!("printf '{text}' > /etc/usher/usher.conf"));
    let before = usherd.log().len();
    usherd.signal(Signal::SIGHUP);
    let manager = [OBJECT[0], "/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
    let read = [&["busctl", "get-property"][..], &manager, &["UserStopDelayUSec"]].concat();
    let expected = format!("t {}", round * 1_000_000);
    machine.wait_for("the configuration to be read", || machine.run(&read).text() == expected);
    let log = usherd.log();
    ["WARN ", "INFO ", "DEBUG "].map(|level| log[before..].contains(level))
}

#[test]
fn the_level_that_is_set_is_what_is_logged() {
    let machine = Machine::builder().config("[Login]\nManager=none\n").boot();
    let _bus = machine.start_dbus();
    let mut usherd = machine.start_usherd_quietly();
    machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", OBJECT[0]]).ok());
    assert_eq!(get(&machine, "LogLevel"), "s \"info\"");
    assert_eq!(get(&machine, "SyslogIdentifier"), "s \"usherd\"");
    assert_eq!(reading(&machine, &mut usherd, 1), [true, true, false]);
    let levels = [
        ("debug", [true; 3]),
        ("crit", [false; 3]),
        ("warning", [true, false, false]),
        ("notice", [true, true, false]),
        ("debug", [true; 3]),
    ];
    for (number, (level, expected)) in levels.into_iter().enumerate() {
        assert_eq!(set(&machine, "root", "LogLevel", level), Ok(()));
        assert_eq!(get(&machine, "LogLevel"), format!("s \"{level}\""));
        assert_eq!(reading(&machine, &mut usherd, number + 2), expected, "{level}: {}", usherd.log());
    }
}

#[test]
fn who_and_what_is_refused() {
    let machine = Machine::builder().config("[Login]\nManager=none\n").boot();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd_quietly();
    machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", OBJECT[0]]).ok());

    let denied = set(&machine, "bob", "LogLevel", "debug").unwrap_err();
    assert!(denied.contains("Access denied"), "{denied}");
    let bad = set(&machine, "root", "LogLevel", "loud").unwrap_err();
    assert!(bad.contains("'loud' is none of emerg"), "{bad}");
    let target = get(&machine, "LogTarget");
    assert_eq!(target, "s \"console\"");
    assert_eq!(set(&machine, "root", "LogTarget", "console"), Ok(()));
    let other = set(&machine, "root", "LogTarget", "kmsg").unwrap_err();
    assert!(other.contains("the log goes to 'console'"), "{other}");
    let read_only = set(&machine, "root", "SyslogIdentifier", "x").unwrap_err();
    assert!(read_only.contains("not writable"), "{read_only}");
    assert_eq!(get(&machine, "LogLevel"), "s \"info\"");
    assert_eq!(get(&machine, "LogTarget"), target);
}
