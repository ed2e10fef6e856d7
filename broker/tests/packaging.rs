//! The files of packaging/dbus-1 and packaging/polkit-1: well formed, and saying what clients and administrators rely on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

const LOGIN1: &str = "org.freedesktop.login1";
const SYSTEMD1: &str = "org.freedesktop.systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

const LOGIN1_CONF: &str = include_str!("../../packaging/dbus-1/org.freedesktop.login1.conf");
const SYSTEMD1_CONF: &str = include_str!("../../packaging/dbus-1/org.freedesktop.systemd1.conf");
const ACTIVATION: &str = include_str!("../../packaging/dbus-1/org.freedesktop.login1.service");
const ACTIONS: &str = include_str!("../../packaging/polkit-1/org.freedesktop.login1.policy");

/// What the real logind shows of itself.
const INTROSPECTION: [&str; 5] = [
    include_str!("../src/dbus/interfaces/testdata/login1-manager.xml"),
    include_str!("../src/dbus/interfaces/testdata/login1-session.xml"),
    include_str!("../src/dbus/interfaces/testdata/login1-user.xml"),
    include_str!("../src/dbus/interfaces/testdata/login1-seat.xml"),
    include_str!("../src/dbus/interfaces/testdata/login1-logcontrol.xml"),
];

/// For PAM modules, which are root; anybody else's call ends at the bus.
const ROOT_ONLY: [&str; 2] = ["CreateSession", "CreateSessionWithPIDFD"];

const AAK: &str = "auth_admin_keep";

/// Every action with its defaults (any, inactive, active) and the actions that it implies; logind 257's.
const DEFAULTS: [(&str, [&str; 3], &[&str]); 37] = [
    (
        "inhibit-block-shutdown",
        [AAK, "yes", "yes"],
        &["inhibit-delay-shutdown", "inhibit-block-sleep", "inhibit-delay-sleep", "inhibit-block-idle"],
    ),
    ("inhibit-delay-shutdown", ["yes", "yes", "yes"], &["inhibit-delay-sleep"]),
    ("inhibit-block-sleep", [AAK, "yes", "yes"], &["inhibit-delay-sleep", "inhibit-block-idle"]),
    ("inhibit-delay-sleep", ["yes", "yes", "yes"], &[]),
    ("inhibit-block-idle", ["yes", "yes", "yes"], &[]),
    (
        "inhibit-handle-power-key",
        ["no", "yes", "yes"],
        &["inhibit-handle-suspend-key", "inhibit-handle-hibernate-key", "inhibit-handle-lid-switch"],
    ),
    (
        "inhibit-handle-suspend-key",
        ["no", "yes", "yes"],
        &["inhibit-handle-hibernate-key", "inhibit-handle-lid-switch"],
    ),
    ("inhibit-handle-hibernate-key", ["no", "yes", "yes"], &[]),
    ("inhibit-handle-lid-switch", ["no", "yes", "yes"], &[]),
    (
        "inhibit-handle-reboot-key",
        ["no", "yes", "yes"],
        &["inhibit-handle-suspend-key", "inhibit-handle-hibernate-key", "inhibit-handle-lid-switch"],
    ),
    ("set-self-linger", ["yes", "yes", "yes"], &[]),
    ("set-user-linger", [AAK, AAK, AAK], &[]),
    ("manage", [AAK, AAK, AAK], &[]),
    ("lock-sessions", [AAK, AAK, AAK], &[]),
    ("chvt", [AAK, "yes", "yes"], &[]),
    ("attach-device", [AAK, AAK, AAK], &["flush-devices"]),
    ("flush-devices", [AAK, AAK, AAK], &[]),
    ("power-off", [AAK, AAK, "yes"], &["set-wall-message"]),
    ("power-off-multiple-sessions", [AAK, AAK, "yes"], &["power-off"]),
    ("power-off-ignore-inhibit", [AAK, AAK, AAK], &["power-off"]),
    ("reboot", [AAK, AAK, "yes"], &["set-wall-message"]),
    ("reboot-multiple-sessions", [AAK, AAK, "yes"], &["reboot"]),
    ("reboot-ignore-inhibit", [AAK, AAK, AAK], &["reboot"]),
    ("halt", [AAK, AAK, AAK], &["set-wall-message"]),
    ("halt-multiple-sessions", [AAK, AAK, AAK], &["halt"]),
    ("halt-ignore-inhibit", [AAK, AAK, AAK], &["halt"]),
    ("suspend", [AAK, AAK, "yes"], &[]),
    ("suspend-multiple-sessions", [AAK, AAK, "yes"], &["suspend"]),
    ("suspend-ignore-inhibit", [AAK, AAK, AAK], &["suspend"]),
    ("hibernate", [AAK, AAK, "yes"], &[]),
    ("hibernate-multiple-sessions", [AAK, AAK, "yes"], &["hibernate"]),
    ("hibernate-ignore-inhibit", [AAK, AAK, AAK], &["hibernate"]),
    ("set-reboot-parameter", [AAK, AAK, "yes"], &["reboot"]),
    ("set-reboot-to-firmware-setup", [AAK, AAK, "yes"], &["reboot"]),
    ("set-reboot-to-boot-loader-menu", [AAK, AAK, "yes"], &["reboot"]),
    ("set-reboot-to-boot-loader-entry", [AAK, AAK, "yes"], &["reboot"]),
    ("set-wall-message", [AAK, AAK, AAK], &[]),
];

fn parse(text: &str) -> Document<'_> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..Default::default() }).unwrap()
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// Interface and method of everything that logind offers.
fn methods() -> Vec<(String, String)> {
    let mut methods = Vec::new();
    for text in INTROSPECTION {
        let document = parse(text);
        for interface in children(document.root_element(), "interface") {
            let name = interface.attribute("name").unwrap();
            for method in children(interface, "method") {
                methods.push((name.to_owned(), method.attribute("name").unwrap().to_owned()));
            }
        }
    }
    methods
}

/// Who sends or owns something, in dbus-daemon(1)'s terms.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Root,
    Anybody,
}

/// Whether a bus with this file permits something that the usual system.conf denies: the last rule that matches decides,
/// and rules for a user come after those of the default context (dbus-daemon(1)).
fn permits(document: &Document<'_>, who: Who, asked: &[(&str, &str)]) -> bool {
    let policies = || children(document.root_element(), "policy");
    let default = policies().filter(|policy| policy.attribute("context") == Some("default"));
    let user = policies().filter(|policy| policy.attribute("user") == Some("root") && who == Who::Root);
    let mut permitted = false;
    for rule in default.chain(user).flat_map(|policy| policy.children()).filter(Node::is_element) {
        let matches = rule.attributes().all(|attribute| {
            asked.iter().any(|(name, value)| *name == attribute.name() && *value == attribute.value())
        });
        // A rule about owning has no say in sending, and the other way round: it names what was not asked.
        if matches {
            permitted = match rule.tag_name().name() {
                "allow" => true,
                "deny" => false,
                other => panic!("<{other}> in a policy"),
            };
        }
    }
    permitted
}

fn may_send(document: &Document<'_>, who: Who, destination: &str, interface: &str, member: &str) -> bool {
    let asked = [("send_destination", destination), ("send_interface", interface), ("send_member", member)];
    permits(document, who, &asked)
}

#[test]
fn the_bus_lets_everybody_call_all_but_what_is_roots() {
    let policy = parse(LOGIN1_CONF);
    let methods = methods();
    assert!(methods.len() > 90, "{methods:?}");
    for (interface, member) in &methods {
        assert!(may_send(&policy, Who::Root, LOGIN1, interface, member), "root: {interface}.{member}");
        let roots = ROOT_ONLY.contains(&member.as_str()) || interface == PROPERTIES && member == "Set";
        assert_eq!(
            may_send(&policy, Who::Anybody, LOGIN1, interface, member),
            !roots,
            "anybody: {interface}.{member}"
        );
    }
    assert!(!may_send(&policy, Who::Anybody, LOGIN1, "org.freedesktop.login1.Manager", "NoSuchMethod"));
}

#[test]
fn the_bus_lets_no_rule_be_about_nothing() {
    let methods = methods();
    let document = parse(LOGIN1_CONF);
    for rule in document.descendants().filter(|node| node.has_attribute("send_member")) {
        let named = (rule.attribute("send_interface"), rule.attribute("send_member"));
        let known = methods.iter().any(|(interface, member)| named == (Some(interface), Some(member)));
        assert!(known, "{named:?}");
    }
}

#[test]
fn the_names_are_roots_and_everybody_hears_them() {
    for (text, name) in [(LOGIN1_CONF, LOGIN1), (SYSTEMD1_CONF, SYSTEMD1)] {
        let policy = parse(text);
        assert!(permits(&policy, Who::Root, &[("own", name)]), "{name}");
        assert!(!permits(&policy, Who::Anybody, &[("own", name)]), "{name}");
        for who in [Who::Root, Who::Anybody] {
            assert!(permits(&policy, who, &[("receive_sender", name)]), "{name}");
        }
    }
}

#[test]
fn of_systemd_only_scopes_are_for_everybody() {
    let policy = parse(SYSTEMD1_CONF);
    let manager = "org.freedesktop.systemd1.Manager";
    for (interface, member, anybody) in [
        (manager, "AttachProcessesToUnit", true),
        (manager, "StartTransientUnit", false),
        (manager, "Reload", false),
        ("org.freedesktop.systemd1.Unit", "AttachProcessesToUnit", false),
        ("org.freedesktop.DBus.Introspectable", "Introspect", true),
        ("org.freedesktop.DBus.Peer", "Ping", true),
        (PROPERTIES, "Get", true),
        (PROPERTIES, "GetAll", true),
        (PROPERTIES, "Set", false),
    ] {
        assert_eq!(
            may_send(&policy, Who::Anybody, SYSTEMD1, interface, member),
            anybody,
            "{interface}.{member}"
        );
        assert!(may_send(&policy, Who::Root, SYSTEMD1, interface, member), "{interface}.{member}");
    }
}

#[test]
fn activation_waits_for_the_unit_and_starts_nothing() {
    let lines: Vec<_> =
        ACTIVATION.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "[D-BUS Service]",
            "Name=org.freedesktop.login1",
            "User=root",
            "Exec=/bin/false",
            "SystemdService=dbus-org.freedesktop.login1.service",
        ]
    );
}

#[test]
fn polkit_has_every_action_with_its_defaults() {
    let document = parse(ACTIONS);
    let mut actions = BTreeMap::new();
    for action in children(document.root_element(), "action") {
        let id = action.attribute("id").unwrap();
        let text = |node: Node<'_, '_>, name| {
            let mut found = children(node, name);
            let text = found.next().and_then(|node| node.text()).unwrap_or_default().to_owned();
            assert!(!text.is_empty() && found.next().is_none(), "{id}: one <{name}>, with text");
            text
        };
        assert!(!text(action, "description").ends_with('.'), "{id}: a title, not a sentence");
        assert!(text(action, "message").ends_with('.'), "{id}: a sentence");
        let defaults = children(action, "defaults").next().unwrap();
        let defaults = ["allow_any", "allow_inactive", "allow_active"].map(|name| text(defaults, name));
        let implied = children(action, "annotate")
            .find(|node| node.attribute("key") == Some("org.freedesktop.policykit.imply"));
        let implied = implied.and_then(|node| node.text()).unwrap_or_default();
        let implied: Vec<_> = implied.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        assert!(actions.insert(id.to_owned(), (defaults, implied)).is_none(), "{id} twice");
    }
    let id = |name: &&str| format!("{LOGIN1}.{name}");
    let expected: BTreeMap<_, _> = DEFAULTS
        .iter()
        .map(|(name, defaults, implied)| {
            (id(name), (defaults.map(str::to_owned), implied.iter().map(id).collect()))
        })
        .collect();
    assert_eq!(actions, expected);
}

/// polkit knows no action that nobody has described, and permits none.
#[test]
fn every_action_that_usherd_asks_about_is_described() {
    let mut used = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), &mut used);
    assert!(used.contains(&format!("{LOGIN1}.chvt")), "{used:?}");
    let document = parse(ACTIONS);
    for id in used {
        assert!(document.descendants().any(|node| node.attribute("id") == Some(&*id)), "{id}");
    }
}

/// Everything in the sources of usherd that looks like an action: what comes after the name is in small letters, while
/// interfaces and errors have capitals.
fn collect(directory: &Path, used: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            collect(&path, used);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            used.extend(text.split('"').filter(|literal| is_action(literal)).map(str::to_owned));
        }
    }
}

fn is_action(literal: &str) -> bool {
    let name = literal.strip_prefix(LOGIN1).and_then(|rest| rest.strip_prefix('.'));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}
