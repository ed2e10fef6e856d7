//! What whoever listens on the bus hears of a login and a logout, and in which order (contract/dbus.md section 10).

use usher_tests::Machine;

/// Every signal of usherd's in dbus-monitor's output: its member and the path it is about.
fn heard(log: &str) -> Vec<(&str, &str)> {
    let signals = log.lines().filter(|line| line.starts_with("signal "));
    let ours = signals.filter(|line| !line.contains(" sender=org.freedesktop.DBus "));
    ours.filter_map(|line| Some((word(line, " member=")?, word(line, " path=")?))).collect()
}

fn word<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(key)?.1.split(';').next()
}

#[test]
fn a_login_and_a_logout() {
    const MANAGER: &str = "/org/freedesktop/login1";
    const ALICE: &str = "/org/freedesktop/login1/user/_1001";
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot();
    let _bus = machine.start_dbus();
    let rule = "type='signal',sender='org.freedesktop.login1'";
    let listener = machine.spawn(&["dbus-monitor", "--system", rule]);
    // The bus tells a monitor that its name is no more when it has begun to listen.
    machine.wait_for("the listener", || listener.log().contains("NameLost"));
    let _usherd = machine.start_usherd();
    machine.wait_for("usherd on the bus", || listener.log().contains("SeatNew"));

    machine.ssh_session("alice").close();
    machine.wait_for("alice's end", || listener.log().contains("UserRemoved"));
    let log = listener.log();
    let expected = [
        ("SeatNew", MANAGER),
        ("UserNew", MANAGER),
        ("SessionNew", MANAGER),
        ("PropertiesChanged", ALICE),
        ("SessionRemoved", MANAGER),
        ("PropertiesChanged", ALICE),
        ("UserRemoved", MANAGER),
    ];
    assert_eq!(heard(&log), expected, "{log}");
    for words in [
        "uint32 1001\n   object path \"/org/freedesktop/login1/user/_1001\"",
        "string \"1\"\n   object path \"/org/freedesktop/login1/session/_31\"",
        "string \"org.freedesktop.login1.User\"",
        "string \"Display\"",
    ] {
        assert!(log.contains(words), "no {words:?}: {log}");
    }
}
