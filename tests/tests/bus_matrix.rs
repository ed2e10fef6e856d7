//! Who may call what: every method of org.freedesktop.login1, as root, as the owner of a session and as somebody else, with
//! polkit and without. The table is the contract's (contract/dbus.md sections 2 to 8); nothing of it comes from usherd.

use std::collections::{BTreeMap, BTreeSet};

use usher_tests::{ALICE, BOB, Machine, PamLogin, Person, ROOT};

/// Calls its first argument with what its second says, one call a line as `PATH INTERFACE METHOD SIGNATURE [ARGUMENTS]`, all
/// by the same connection, and says how each went. An argument `fd` is a descriptor of /dev/null.
const CLIENT: &str = r#"
import dbus, json, os, sys
bus = dbus.SystemBus()
null = os.open('/dev/null', os.O_RDWR)
for line in sys.argv[2].splitlines():
    path, interface, method, signature, arguments = line.split(' ', 4)
    signature, arguments = signature.strip('-'), json.loads(arguments)
    for i, kind in enumerate(dbus.Signature(signature)):
        if kind == 'h':
            arguments[i] = dbus.types.UnixFd(null)
        if kind == 'v':
            arguments[i] = dbus.Boolean(arguments[i], variant_level=1)
    try:
        bus.call_blocking(sys.argv[1], path, interface, method, signature, arguments, timeout=20)
        print('yes')
    except dbus.DBusException as error:
        print(error.get_dbus_name(), error.get_dbus_message())
"#;

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is done.
    Yes,
    /// The bus lets nobody but root call that.
    Wall,
    /// AccessDenied, from the broker.
    Denied,
    /// InteractiveAuthorizationRequired: with a password.
    Password,
    /// Permitted, but this cannot be done here; or what comes before permission is wrong. An error of this name, with login1's
    /// or D-Bus's prefix or as it is.
    Error(&'static str),
}
use Outcome::{Denied, Error, Password, Wall, Yes};

const LOGIN1: &str = "org.freedesktop.login1";
const SYSTEMD1: &str = "org.freedesktop.systemd1";

const NOT_SUPPORTED: Outcome = Error("NotSupported");
const NO_DEVICE: Outcome = Error("System.Error.ENODEV");
const NO_SLEEP: Outcome = Error("SleepVerbNotSupported");
const INVALID: Outcome = Error("InvalidArgs");
const NOBODY: Outcome = Error("NoSessionForPID");

/// What root, the owner at the seat, and somebody else get.
type Row = [Outcome; 3];

/// The rules of the contract, each as two rows: without polkit and with it.
#[derive(Debug, Clone, Copy)]
struct Rule {
    without: Row,
    with: Row,
}

const fn same(row: Row) -> Rule {
    Rule { without: row, with: row }
}

/// Whoever likes.
const ANYBODY: Rule = same([Yes; 3]);
/// Root and the owner; nobody asks polkit.
const OWN: Rule = same([Yes, Yes, Denied]);
/// Root and the owner; others with an administrator's password.
const OWN_OR_PASSWORD: Rule = Rule { without: [Yes, Yes, Denied], with: [Yes, Yes, Password] };
/// Root; others with an administrator's password.
const PASSWORD: Rule = Rule { without: [Yes, Denied, Denied], with: [Yes, Password, Password] };
/// Who sits there; others with an administrator's password.
const SEATED: Rule = Rule { without: [Yes, Yes, Denied], with: [Yes, Yes, Password] };
/// The same; but there is no other session to switch to.
const SEATED_ALONE: Rule = Rule { without: [INVALID, INVALID, Denied], with: [INVALID, INVALID, Password] };

/// What is called, on which object, with what, and how that goes. `$S`, `$L`, `$U`: the id of the owner's session, the process
/// that leads it, the caller's user number; `$O`: the number of another user than the caller.
type Call = (&'static str, &'static str, &'static str, &'static str, Rule);

const MANAGER: &str = "/org/freedesktop/login1 org.freedesktop.login1.Manager";
const SESSION: &str = "/org/freedesktop/login1/session/_3$S org.freedesktop.login1.Session";
const USER: &str = "/org/freedesktop/login1/user/_1001 org.freedesktop.login1.User";
const SEAT: &str = "/org/freedesktop/login1/seat/seat0 org.freedesktop.login1.Seat";
const PROPERTIES: &str = "/org/freedesktop/login1 org.freedesktop.DBus.Properties";

/// In this order, by one connection.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    (MANAGER, "GetSession", "s", r#"["$S"]"#, ANYBODY),
    (MANAGER, "GetSessionByPID", "u", "[$L]", ANYBODY),
    (MANAGER, "GetUser", "u", "[1001]", ANYBODY),
    (MANAGER, "GetUserByPID", "u", "[$L]", ANYBODY),
    (MANAGER, "GetSeat", "s", r#"["seat0"]"#, ANYBODY),
    (MANAGER, "ListSessions", "-", "[]", ANYBODY),
    (MANAGER, "ListSessionsEx", "-", "[]", ANYBODY),
    (MANAGER, "ListUsers", "-", "[]", ANYBODY),
    (MANAGER, "ListSeats", "-", "[]", ANYBODY),
    (MANAGER, "ListInhibitors", "-", "[]", ANYBODY),
    (MANAGER, "CreateSession", "uusssssussbssa(sv)",
     r#"[4294967295, 0, "", "", "", "", "", 0, "", "", false, "", "", []]"#, same([INVALID, Wall, Wall])),
    (MANAGER, "CreateSessionWithPIDFD", "uhsssssussbssta(sv)",
     r#"[4294967295, "fd", "", "", "", "", "", 0, "", "", false, "", "", 0, []]"#, same([INVALID, Wall, Wall])),
    (MANAGER, "ActivateSession", "s", r#"["$S"]"#, SEATED),
    (MANAGER, "ActivateSessionOnSeat", "ss", r#"["$S", "seat0"]"#, SEATED),
    (MANAGER, "LockSession", "s", r#"["$S"]"#, OWN_OR_PASSWORD),
    (MANAGER, "UnlockSession", "s", r#"["$S"]"#, OWN_OR_PASSWORD),
    (MANAGER, "LockSessions", "-", "[]", PASSWORD),
    (MANAGER, "UnlockSessions", "-", "[]", PASSWORD),
    // SIGCONT, which does nothing to who runs. What is wrong with the arguments is said to anybody.
    (MANAGER, "KillSession", "ssi", r#"["$S", "all", 18]"#, OWN_OR_PASSWORD),
    (MANAGER, "KillSession", "ssi", r#"["$S", "leader", 18]"#, OWN_OR_PASSWORD),
    (MANAGER, "KillSession", "ssi", r#"["$S", "all", 0]"#, same([INVALID; 3])),
    (MANAGER, "KillUser", "ui", "[1001, 18]", OWN_OR_PASSWORD),
    // Of users that is said to those who may only.
    (MANAGER, "KillUser", "ui", "[1001, 65]", Rule { without: [INVALID, INVALID, Denied], with: [INVALID, INVALID, Password] }),
    // One's own linger flag is permitted by polkit, too, and everybody else's to nobody without a password.
    (MANAGER, "SetUserLinger", "ubb", "[$U, false, false]", ANYBODY),
    (MANAGER, "SetUserLinger", "ubb", "[$O, false, false]", PASSWORD),
    // To come: devices of seats, power, inhibitors. Until then what is said on a machine that has none.
    (MANAGER, "AttachDevice", "ssb", r#"["seat0", "/sys/class/tty/tty0", false]"#, same([NOT_SUPPORTED; 3])),
    (MANAGER, "FlushDevices", "b", "[false]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "PowerOff", "b", "[false]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "PowerOffWithFlags", "t", "[0]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "Reboot", "b", "[false]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "RebootWithFlags", "t", "[0]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "Halt", "b", "[false]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "HaltWithFlags", "t", "[0]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "Suspend", "b", "[false]", same([NO_SLEEP; 3])),
    (MANAGER, "SuspendWithFlags", "t", "[0]", same([NO_SLEEP; 3])),
    (MANAGER, "Hibernate", "b", "[false]", same([NO_SLEEP; 3])),
    (MANAGER, "HibernateWithFlags", "t", "[0]", same([NO_SLEEP; 3])),
    (MANAGER, "HybridSleep", "b", "[false]", same([NO_SLEEP; 3])),
    (MANAGER, "HybridSleepWithFlags", "t", "[0]", same([NO_SLEEP; 3])),
    (MANAGER, "SuspendThenHibernate", "b", "[false]", same([NO_SLEEP; 3])),
    (MANAGER, "SuspendThenHibernateWithFlags", "t", "[0]", same([NO_SLEEP; 3])),
    (MANAGER, "Sleep", "t", "[0]", same([NO_SLEEP; 3])),
    (MANAGER, "CanPowerOff", "-", "[]", ANYBODY),
    (MANAGER, "CanReboot", "-", "[]", ANYBODY),
    (MANAGER, "CanHalt", "-", "[]", ANYBODY),
    (MANAGER, "CanSuspend", "-", "[]", ANYBODY),
    (MANAGER, "CanHibernate", "-", "[]", ANYBODY),
    (MANAGER, "CanHybridSleep", "-", "[]", ANYBODY),
    (MANAGER, "CanSuspendThenHibernate", "-", "[]", ANYBODY),
    (MANAGER, "CanSleep", "-", "[]", ANYBODY),
    (MANAGER, "ScheduleShutdown", "st", r#"["poweroff", 0]"#, same([NOT_SUPPORTED; 3])),
    (MANAGER, "CancelScheduledShutdown", "-", "[]", ANYBODY),
    (MANAGER, "Inhibit", "ssss", r#"["sleep", "a", "b", "delay"]"#, same([NOT_SUPPORTED; 3])),
    (MANAGER, "CanRebootParameter", "-", "[]", ANYBODY),
    (MANAGER, "SetRebootParameter", "s", r#"["x"]"#, same([NOT_SUPPORTED; 3])),
    (MANAGER, "CanRebootToFirmwareSetup", "-", "[]", ANYBODY),
    (MANAGER, "SetRebootToFirmwareSetup", "b", "[true]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "CanRebootToBootLoaderMenu", "-", "[]", ANYBODY),
    (MANAGER, "SetRebootToBootLoaderMenu", "t", "[0]", same([NOT_SUPPORTED; 3])),
    (MANAGER, "CanRebootToBootLoaderEntry", "-", "[]", ANYBODY),
    (MANAGER, "SetRebootToBootLoaderEntry", "s", r#"["x"]"#, same([NOT_SUPPORTED; 3])),
    (MANAGER, "SetWallMessage", "sb", r#"["x", true]"#, same([NOT_SUPPORTED; 3])),
    (PROPERTIES, "Get", "ss", r#"["org.freedesktop.login1.Manager", "NCurrentSessions"]"#, ANYBODY),
    (PROPERTIES, "GetAll", "s", r#"["org.freedesktop.login1.Manager"]"#, ANYBODY),
    (PROPERTIES, "Set", "ssv", r#"["org.freedesktop.login1.Manager", "NCurrentSessions", true]"#,
     same([Error("PropertyReadOnly"), Wall, Wall])),
    (SESSION, "Activate", "-", "[]", SEATED),
    (SESSION, "Lock", "-", "[]", OWN_OR_PASSWORD),
    (SESSION, "Unlock", "-", "[]", OWN_OR_PASSWORD),
    (SESSION, "SetIdleHint", "b", "[true]", OWN),
    (SESSION, "SetLockedHint", "b", "[true]", OWN),
    (SESSION, "Kill", "si", r#"["all", 18]"#, OWN_OR_PASSWORD),
    (SESSION, "SetClass", "s", r#"["user"]"#, OWN),
    (SESSION, "SetBrightness", "ssu", r#"["backlight", "x", 1]"#, same([NO_DEVICE, NO_DEVICE, Denied])),
    // By force only root; then whoever has control, which is a matter of this connection.
    (SESSION, "TakeControl", "b", "[true]", same([Yes, Denied, Denied])),
    (SESSION, "TakeControl", "b", "[false]", OWN),
    (SESSION, "SetType", "s", r#"["x11"]"#, same([Yes, Yes, Error("NotInControl")])),
    (SESSION, "SetDisplay", "s", r#"[":7"]"#, same([Yes, Yes, Error("NotInControl")])),
    (SESSION, "TakeDevice", "uu", "[226, 0]",
     same([Error("System.Error.ENODEV"), Error("System.Error.ENODEV"), Error("NotInControl")])),
    (SESSION, "ReleaseDevice", "uu", "[226, 0]",
     same([Error("DeviceNotTaken"), Error("DeviceNotTaken"), Error("NotInControl")])),
    (SESSION, "PauseDeviceComplete", "uu", "[226, 0]",
     same([Error("DeviceNotTaken"), Error("DeviceNotTaken"), Error("NotInControl")])),
    (SESSION, "SetTTY", "h", r#"["fd"]"#, same([Denied, Denied, Error("NotInControl")])),
    (SESSION, "ReleaseControl", "-", "[]", same([Yes, Yes, Error("NotInControl")])),
    (SESSION, "ReleaseControl", "-", "[]", same([Error("NotInControl"); 3])),
    (USER, "Kill", "i", "[18]", OWN_OR_PASSWORD),
    (SEAT, "ActivateSession", "s", r#"["$S"]"#, SEATED),
    (SEAT, "SwitchTo", "u", "[1]", SEATED),
    (SEAT, "SwitchTo", "u", "[0]", same([INVALID; 3])),
    (SEAT, "SwitchToNext", "-", "[]", SEATED_ALONE),
    (SEAT, "SwitchToPrevious", "-", "[]", SEATED_ALONE),
];

/// Each for a login of its own, because after it that one is over.
#[rustfmt::skip]
const LAST_CALLS: &[Call] = &[
    // Whoever is in that session: neither root's client nor the other one is in any.
    (MANAGER, "ReleaseSession", "s", r#"["$S"]"#, same([NOBODY, Yes, NOBODY])),
    (MANAGER, "TerminateSession", "s", r#"["$S"]"#, OWN_OR_PASSWORD),
    (MANAGER, "TerminateUser", "u", "[1001]", OWN_OR_PASSWORD),
    (MANAGER, "TerminateSeat", "s", r#"["seat0"]"#, PASSWORD),
    (SESSION, "Terminate", "-", "[]", OWN_OR_PASSWORD),
    (USER, "Terminate", "-", "[]", OWN_OR_PASSWORD),
    (SEAT, "Terminate", "-", "[]", PASSWORD),
];

/// A machine without virtual terminals, on whose screen is who came last, and a display manager.
fn machine() -> Machine {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .boot();
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

/// The owner at the computer, and the calls of one caller.
struct Scene<'m> {
    machine: &'m Machine,
    login: PamLogin<'m>,
    session: String,
    leader: i32,
}

impl<'m> Scene<'m> {
    fn new(machine: &'m Machine) -> Self {
        machine.wait_gone(&ALICE);
        let mut login = machine.pam_login_by("lightdm", "alice");
        let (session, leader) = (login.session(), login.entered().pid);
        assert_eq!(machine.state_of("seats/seat0", "ACTIVE"), session);
        Self { machine, login, session, leader }
    }

    /// The owner's client is in the session, where it is not to end with it; the others' are in none.
    fn outcomes(&self, caller: &Person, calls: &[Call]) -> Vec<Outcome> {
        let other = if caller.uid == BOB.uid { ALICE.uid } else { BOB.uid };
        let lines: Vec<String> = calls
            .iter()
            .map(|(object, method, signature, arguments, _)| {
                format!("{object} {method} {signature} {arguments}")
                    .replace("$S", &self.session)
                    .replace("$L", &self.leader.to_string())
                    .replace("$U", &caller.uid.to_string())
                    .replace("$O", &other.to_string())
            })
            .collect();
        let ends = calls.iter().any(|(_, method, ..)| method.starts_with("Terminate"));
        let inside = caller.uid == ALICE.uid && !ends;
        let scope = if inside { ALICE.scope(&self.session) } else { "/init.scope".to_owned() };
        outcomes(self.machine, caller, &scope, LOGIN1, &lines)
    }

    fn end(mut self) {
        self.login.kill9();
    }
}

/// As a client in this cgroup.
fn outcomes(machine: &Machine, caller: &Person, scope: &str, name: &str, calls: &[String]) -> Vec<Outcome> {
    let uid = caller.uid;
    let script = format!(
        "echo $$ > /sys/fs/cgroup{scope}/cgroup.procs && \
         exec setpriv --reuid={uid} --regid={uid} --clear-groups python3 -c \"$@\""
    );
    let output = machine.run(&["sh", "-c", &script, "sh", CLIENT, name, &calls.join("\n")]).stdout;
    let outcomes: Vec<_> = output.lines().map(outcome).collect();
    assert_eq!(outcomes.len(), calls.len(), "{output}");
    outcomes
}

fn outcome(line: &str) -> Outcome {
    if line == "yes" {
        return Yes;
    }
    let (name, message) = line.split_once(' ').unwrap_or((line, ""));
    let standard = name.strip_prefix("org.freedesktop.DBus.Error.");
    match standard.or(name.strip_prefix("org.freedesktop.login1.")).unwrap_or(name) {
        "AccessDenied" if message.starts_with("Rejected send message") => Wall,
        "AccessDenied" => Denied,
        "InteractiveAuthorizationRequired" => Password,
        other => Error(other.to_owned().leak()),
    }
}

/// Every caller, every method; what differs from the table, all of it.
fn check(machine: &Machine, row: fn(&Rule) -> &Row) {
    let _usherd = machine.start_usherd();
    let on_bus = ["busctl", "status", "org.freedesktop.login1"];
    machine.wait_for("usherd on the bus", || machine.try_run(&on_bus).ok());
    let mut differences = Vec::new();
    for (column, caller) in [ROOT, ALICE, BOB].iter().enumerate() {
        let scene = Scene::new(machine);
        let outcomes = scene.outcomes(caller, CALLS);
        assert!(machine.exists(format!("/run/systemd/sessions/{}", scene.session)), "{}", machine.dump());
        scene.end();
        let mut seen: Vec<_> = CALLS.iter().zip(outcomes).collect();
        for call in LAST_CALLS {
            let scene = Scene::new(machine);
            let outcome = scene.outcomes(caller, std::slice::from_ref(call))[0];
            let over = matches!(outcome, Yes);
            let file = format!("/run/systemd/sessions/{}", scene.session);
            if over && call.1 != "ReleaseSession" {
                machine.wait_for("the session to be over", || !machine.exists(&file));
            } else {
                assert!(machine.exists(&file), "{} has ended what it may not", call.1);
            }
            scene.end();
            seen.push((call, outcome));
        }
        for ((object, method, _, arguments, rule), outcome) in seen {
            let expected = row(rule)[column];
            if outcome != expected {
                let interface = object.rsplit('.').next().unwrap_or(object);
                differences.push(format!(
                    "{interface}.{method} {arguments} as {}: {outcome:?}, not {expected:?}",
                    caller.name
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), machine.dump());
}

#[test]
fn without_polkit() {
    let machine = machine();
    let _bus = machine.start_dbus();
    check(&machine, |rule| &rule.without);
}

#[test]
fn with_polkit() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    check(&machine, |rule| &rule.with);
}

/// The bus judges a call by all names of the connection that it is for, and by the policy of each. Systemd's own for its name
/// is there on many machines whose PID 1 is another, and usher's on the others: neither may be in the way of login1's.
#[test]
fn both_names_are_open_by_whichever_policy() {
    const PATH: &str = "/usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf";
    let ushers = include_str!("../../packaging/dbus-1/org.freedesktop.systemd1.conf");
    let packaged = Machine::builder().boot();
    let own = Machine::builder().file(PATH, ushers, 0o644, 0).boot();
    for machine in [packaged, own] {
        let _bus = machine.start_dbus();
        let _usherd = machine.start_usherd();
        let on_bus = |name| machine.try_run(&["busctl", "status", name]).ok();
        machine.wait_for("usherd on the bus", || on_bus(LOGIN1) && on_bus(SYSTEMD1));
        let call = |name, line: &str| outcomes(&machine, &BOB, "/init.scope", name, &[line.to_owned()])[0];
        let manager = "/org/freedesktop/systemd1 org.freedesktop.systemd1.Manager";
        let attach = format!(r#"{manager} AttachProcessesToUnit ssau ["no.service", "/", []]"#);
        assert_eq!(call(LOGIN1, &format!("{MANAGER} ListSessions - []")), Yes);
        assert_ne!(call(SYSTEMD1, &attach), Wall);
        // Nobody gets past the one wall by way of the other name.
        assert_eq!(call(SYSTEMD1, &format!("{MANAGER} TerminateUser u [1001]")), Wall);
        assert_eq!(call(LOGIN1, &attach), Wall);
        assert_eq!(call(LOGIN1, &format!("{MANAGER} CreateSession - []")), Wall);
    }
}

/// Or a method that is forgotten here would be permitted to anybody, and nobody would notice.
#[test]
fn the_table_is_complete() {
    const INTROSPECTION: [&str; 4] = [
        include_str!("../../broker/src/dbus/interfaces/testdata/login1-manager.xml"),
        include_str!("../../broker/src/dbus/interfaces/testdata/login1-session.xml"),
        include_str!("../../broker/src/dbus/interfaces/testdata/login1-user.xml"),
        include_str!("../../broker/src/dbus/interfaces/testdata/login1-seat.xml"),
    ];
    let value = |line: &str, key: &str| {
        let (_, rest) = line.split_once(&format!("{key}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let (mut methods, mut interface, mut open) = (BTreeMap::new(), String::new(), None);
    for line in INTROSPECTION.iter().flat_map(|text| text.lines()).map(str::trim) {
        if line.starts_with("<interface ") {
            interface = value(line, "name").unwrap();
        } else if line.starts_with("<method ") {
            let name = format!("{interface}.{}", value(line, "name").unwrap());
            methods.insert(name.clone(), String::new());
            open = Some(name);
        } else if line.starts_with("</method") {
            open = None;
        } else if let (true, Some(name)) = (line.contains("direction=\"in\""), &open) {
            methods.get_mut(name).unwrap().push_str(&value(line, "type").unwrap());
        }
    }
    methods.retain(|name, _| name.starts_with("org.freedesktop.login1."));
    assert!(methods.len() > 80, "{methods:?}");
    let called: BTreeSet<_> = CALLS
        .iter()
        .chain(LAST_CALLS)
        .filter(|call| call.0 != PROPERTIES)
        .map(|(object, method, signature, ..)| {
            let (_, interface) = object.split_once(' ').unwrap();
            (format!("{interface}.{method}"), signature.trim_matches('-').to_owned())
        })
        .collect();
    assert_eq!(called, methods.into_iter().collect());
}
