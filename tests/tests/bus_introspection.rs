//! What unmodified clients find when they look around: the tree of objects, what each has, and the values of all of it.

use usher_tests::Machine;

const LOGIN1: &str = "org.freedesktop.login1";

/// What logind 257 says of each kind of object.
const LOGIND: [(&str, &str); 5] = [
    ("", include_str!("../../broker/src/dbus/interfaces/testdata/login1-manager.xml")),
    ("/session/_31", include_str!("../../broker/src/dbus/interfaces/testdata/login1-session.xml")),
    ("/user/_1001", include_str!("../../broker/src/dbus/interfaces/testdata/login1-user.xml")),
    ("/seat/seat0", include_str!("../../broker/src/dbus/interfaces/testdata/login1-seat.xml")),
    ("LogControl1", include_str!("../../broker/src/dbus/interfaces/testdata/login1-logcontrol.xml")),
];

fn path(of: &str) -> String {
    match of {
        "LogControl1" => "/org/freedesktop/LogControl1".to_owned(),
        _ => format!("/org/freedesktop/login1{of}"),
    }
}

/// Every member of logind's own interfaces in an object's introspection: what busctl shows as `name kind`.
fn members(xml: &str) -> Vec<String> {
    let members = xml.lines().filter_map(|line| {
        let (kind, rest) = line.trim().strip_prefix('<')?.split_once(" name=\"")?;
        let (name, _) = rest.split_once('"')?;
        matches!(kind, "interface" | "method" | "property" | "signal").then(|| format!("{name} {kind}"))
    });
    let mut members: Vec<_> = members.collect();
    members.sort();
    members
}

#[test]
fn objects_members_and_values() {
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", LOGIN1]).ok());
    let shell = machine.ssh_session("alice");

    let tree = machine.run(&["busctl", "tree", "--list", LOGIN1]);
    for (object, _) in LOGIND {
        assert!(tree.text().lines().any(|line| line == path(object)), "{object}: {}", tree.text());
    }

    for (object, logind) in LOGIND {
        let path = path(object);
        let shown = machine.run(&["busctl", "introspect", "--no-legend", "--no-pager", LOGIN1, &path]);
        let mut ours: Vec<_> = shown
            .text()
            .lines()
            .map(|line| {
                let mut words = line.split_whitespace();
                let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                format!("{} {kind}", name.trim_start_matches('.'))
            })
            .collect();
        ours.sort();
        assert_eq!(ours, members(logind), "{path}: {}", shown.text());
        // busctl does not show values of compound types there; nobody misses one here.
        let interface =
            logind.rsplit("<interface name=\"").next().and_then(|rest| rest.split_once('"')).unwrap().0;
        let all = ["org.freedesktop.DBus.Properties", "GetAll", "s", interface];
        let all = machine.run(&[&["busctl", "call", LOGIN1, &path][..], &all].concat());
        let count = ours.iter().filter(|member| member.ends_with(" property")).count();
        assert!(all.text().starts_with(&format!("a{{sv}} {count} ")), "{path}: {count}, {}", all.text());
    }

    // Not to be seen, and there.
    for (object, interface, property, value) in [
        ("", "Manager", "UserTasksMax", "t 18446744073709551615"),
        ("/seat/seat0", "Seat", "CanMultiSession", "b true"),
    ] {
        let interface = format!("{LOGIN1}.{interface}");
        let found = machine.run(&["busctl", "get-property", LOGIN1, &path(object), &interface, property]);
        assert_eq!(found.text(), value);
    }
    shell.close();
}
