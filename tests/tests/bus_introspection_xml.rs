//! What each object says of itself, compared to the letter of meaning with what the real logind 257 says; and that all of it
//! is so: every property has a value of that type, in that order.

use usher_tests::{ALICE, Machine};

const LOGIN1: &str = "org.freedesktop.login1";
const ROOT_PATH: &str = "/org/freedesktop/login1";

/// As captured from logind.
const MANAGER: &str = include_str!("../../broker/src/dbus/interfaces/testdata/login1-manager.xml");
const SESSION: &str = include_str!("../../broker/src/dbus/interfaces/testdata/login1-session.xml");
const USER: &str = include_str!("../../broker/src/dbus/interfaces/testdata/login1-user.xml");
const SEAT: &str = include_str!("../../broker/src/dbus/interfaces/testdata/login1-seat.xml");
const LOG_CONTROL: &str = include_str!("../../broker/src/dbus/interfaces/testdata/login1-logcontrol.xml");

/// Opening and closing tags in order, each with its attributes sorted: what documents that mean the same have in common.
fn tags(xml: &str) -> Vec<Vec<String>> {
    let mut tags = Vec::new();
    for piece in xml.split('<').skip(1).filter(|piece| !piece.starts_with(['!', '?'])) {
        let (tag, _) = piece.split_once('>').unwrap();
        let mut quoted = false;
        let words = tag.trim_end_matches('/').split(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        let mut words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words[1..].sort();
        let closing = tag.ends_with('/').then(|| vec![format!("/{}", words[0])]);
        tags.push(words);
        tags.extend(closing);
    }
    tags
}

fn attribute<'a>(tag: &'a [String], name: &str) -> Option<&'a str> {
    tag.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
}

/// An interface's properties with their types, in order; the interface is the last one, logind's own.
fn properties(xml: &str) -> (String, Vec<(String, String)>) {
    let (mut interface, mut found) = (String::new(), Vec::new());
    for tag in tags(xml) {
        match (tag[0].as_str(), attribute(&tag, "name"), attribute(&tag, "type")) {
            ("interface", Some(name), _) => (interface, found) = (name.to_owned(), Vec::new()),
            ("property", Some(name), Some(kind)) => found.push((name.to_owned(), kind.to_owned())),
            _ => {}
        }
    }
    (interface, found)
}

fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .boot()
}

/// What there is with that session: path and logind's words.
fn objects(session: &str) -> [(String, &'static str); 5] {
    [
        (ROOT_PATH.to_owned(), MANAGER),
        (format!("{ROOT_PATH}/session/_3{session}"), SESSION),
        (format!("{ROOT_PATH}/user/_{}", ALICE.uid), USER),
        (format!("{ROOT_PATH}/seat/seat0"), SEAT),
        ("/org/freedesktop/LogControl1".to_owned(), LOG_CONTROL),
    ]
}

fn wait_on_bus(machine: &Machine) {
    machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", LOGIN1]).ok());
}

#[test]
fn every_object_says_what_logind_says() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut login = machine.pam_login("alice");
    for (path, logind) in objects(&login.session()) {
        let expected = tags(logind);
        assert!(expected.len() > 20, "{logind}");
        let shown = machine.run(&["busctl", "introspect", "--xml-interface", LOGIN1, &path]).stdout;
        assert_eq!(tags(&shown), expected, "{path}: {shown}");
        // To everybody, and through another library.
        let gdbus = ["gdbus", "introspect", "--system", "--xml", "--dest", LOGIN1, "--object-path", &path];
        let shown = machine.as_user("bob", &gdbus).stdout;
        assert_eq!(tags(&shown), expected, "{path}: {shown}");
    }
    login.log_out();
}

#[test]
fn every_property_has_a_value_of_its_type() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut login = machine.pam_login("alice");
    for (path, logind) in objects(&login.session()) {
        let (interface, properties) = properties(logind);
        assert!(properties.len() >= 3, "{interface}");
        let names: Vec<&str> = properties.iter().map(|(name, _)| name.as_str()).collect();
        // One line each.
        let words = ["busctl", "get-property", LOGIN1, &path, &interface];
        let values = machine.as_user("bob", &[&words[..], &names].concat()).stdout;
        assert_eq!(values.lines().count(), properties.len(), "{interface}: {values}");
        for ((name, kind), value) in properties.iter().zip(values.lines()) {
            let found = value.split_once(' ').map_or(value, |(kind, _)| kind);
            assert_eq!(found, kind, "{interface}.{name} is {value}");
        }
        // All at once: the same ones in the same order.
        let words = ["busctl", "--json=short", "call", LOGIN1, &path, "org.freedesktop.DBus.Properties"];
        let all = machine.as_user("bob", &[&words[..], &["GetAll", "s", &interface]].concat()).stdout;
        let mut rest = all.as_str();
        for (name, kind) in &properties {
            let start = format!("\"{name}\":{{\"type\":\"{kind}\",\"data\":");
            let Some((_, after)) = rest.split_once(&start) else {
                panic!("{name} ({kind}) is not where it has to be in {all}");
            };
            rest = after;
        }
        let values: serde_json::Value = serde_json::from_str(&all).unwrap();
        assert_eq!(values["data"][0].as_object().map(serde_json::Map::len), Some(properties.len()), "{all}");
        // And through another library.
        let words = ["gdbus", "call", "--system", "--dest", LOGIN1, "--object-path", &path];
        let method = ["--method", "org.freedesktop.DBus.Properties.GetAll", &interface];
        let all = machine.as_user("bob", &[&words[..], &method].concat()).stdout;
        for name in names {
            assert!(all.contains(&format!("'{name}': <")), "{name} in {all}");
        }
    }
    login.log_out();
}

#[test]
fn the_tree_has_every_node_and_those_of_whoever_asks() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let fixed = ["/", "/org", "/org/freedesktop", "/org/freedesktop/LogControl1", ROOT_PATH];
    let below = |nodes: &[&str]| nodes.iter().map(|node| format!("{ROOT_PATH}/{node}")).collect::<Vec<_>>();
    let expect = |tree: &str, nodes: &[&str]| {
        let mut expected: Vec<String> =
            fixed.iter().map(|&path| path.to_owned()).chain(below(nodes)).collect();
        expected.sort();
        let mut shown: Vec<_> = tree.lines().map(str::to_owned).collect();
        shown.retain(|path| !path.starts_with("/org/freedesktop/systemd1"));
        shown.sort();
        assert_eq!(shown, expected);
    };
    let tree = ["busctl", "tree", "--list", LOGIN1];
    expect(machine.run(&tree).text(), &["seat", "seat/seat0", "session", "user"]);
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    let session = format!("session/_3{id}");
    let there = ["seat", "seat/seat0", "session", &session, "user", "user/_1001"];
    expect(machine.run(&tree).text(), &there);
    // Her own session and user are there for her twice or three times; she is on no seat.
    let own = ["session/self", "session/auto", "user/self"];
    expect(&ssh.ask(&tree.join(" ")), &[&there[..], &own].concat());
    // At the computer there is a seat of one's own, too.
    let mut login = machine.pam_login_by("lightdm", "bob");
    if machine.state_of(&format!("sessions/{}", login.session()), "SEAT") == "seat0" {
        let listing = "busctl tree --list org.freedesktop.login1";
        let script = format!("echo $$ > $0/cgroup.procs; exec {listing}");
        let scope = format!("/sys/fs/cgroup/user.slice/user-1002.slice/session-{}.scope", login.session());
        let bob = machine.run(&["sh", "-c", &script, &scope]);
        for node in ["seat/self", "seat/auto", "session/self", "user/self"] {
            assert!(bob.text().lines().any(|line| line == format!("{ROOT_PATH}/{node}")), "{node}: {bob}");
        }
    }
    ssh.close();
}
