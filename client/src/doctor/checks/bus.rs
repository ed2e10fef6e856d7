//! org.freedesktop.login1 on the system bus. usherd is asked how it stands to its names, so that usherctl needs no bus itself;
//! the files tell the rest.

use usher_protocol::messages::{BusNameState, BusNameView, StatusView};

use super::unanswered;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;

const SOCKET: &str = "bus.socket";
const LOGIN1: &str = "bus.login1";
const SYSTEMD1: &str = "bus.systemd1";
const POLICY: &str = "bus.policy";
const ACTIVATION: &str = "bus.activation";

const LOGIN1_NAME: &str = "org.freedesktop.login1";
const SYSTEMD1_NAME: &str = "org.freedesktop.systemd1";
const DEFAULT_SOCKET: &str = "/run/dbus/system_bus_socket";

/// Where buses look for policies (dbus-daemon(1), "Configuration file").
const POLICIES: [&str; 2] = ["/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d"];
/// And for what they start (the D-Bus specification, "Message Bus Starting Services").
const ACTIVATIONS: [&str; 3] = [
    "/usr/local/share/dbus-1/system-services",
    "/usr/share/dbus-1/system-services",
    "/lib/dbus-1/system-services",
];

const INSTALL_POLICY: &str = "install usher's policy to /usr/share/dbus-1/system.d/org.freedesktop.login1.conf \
    (packaging/dbus-1 has it), let the bus read it (kill -HUP its process), and restart usherd";

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let status = machine.asked.status.as_ref();
    let socket = status.map(|status| status.bus_socket.as_str()).filter(|path| !path.is_empty());
    let socket = socket.unwrap_or(DEFAULT_SOCKET);
    if !machine.tree.exists(socket) {
        let finding =
            format!("There is no system bus ({socket}): logins, usherctl and user managers need none.");
        let advice = "desktops and polkit need one: if this machine is to have those, start dbus";
        return vec![Finding::note(SOCKET, finding, advice)];
    }
    let mut findings = vec![Finding::ok(SOCKET, format!("There is a system bus at {socket}."))];
    match status {
        Some(status) => {
            findings.push(login1(status));
            findings.extend(systemd1(machine, status));
        }
        None => {
            findings.push(unanswered(machine, LOGIN1, "Whether usherd is org.freedesktop.login1 on the bus"))
        }
    }
    findings.push(policy(machine));
    findings.push(activation(machine));
    findings
}

fn named<'a>(status: &'a StatusView, name: &str) -> Option<&'a BusNameView> {
    status.bus_names.iter().find(|view| view.name == name)
}

fn login1(status: &StatusView) -> Finding {
    let name = LOGIN1_NAME;
    let Some(BusNameView { state, detail, .. }) = named(status, name) else {
        return Finding::problem(
            LOGIN1,
            format!("usherd is not connected to the bus, so that desktops find no {name}."),
            "see in usherd's log why; restart usherd where the bus has been restarted at another place",
        );
    };
    match state {
        BusNameState::Owned => Finding::ok(LOGIN1, format!("usherd is {name} on the bus.")),
        BusNameState::Waiting => Finding::problem(
            LOGIN1,
            format!("{detail} owns {name} on the bus, so that desktops talk to that one, not to usherd."),
            "stop and disable it; usherd has the name as soon as it is free",
        ),
        BusNameState::Refused => Finding::problem(
            LOGIN1,
            format!("The bus does not let usherd be {name}: {}.", detail.trim_end_matches('.')),
            INSTALL_POLICY,
        ),
        BusNameState::Unknown => Finding::problem(
            LOGIN1,
            format!("Who is {name} cannot be told: {}.", detail.trim_end_matches('.')),
            "look after the bus (dbus-daemon or dbus-broker): usherd works without it, desktops do not",
        ),
    }
}

/// The one method of systemd's that usherd has, where PID 1 is not systemd.
fn systemd1(machine: &Machine, status: &StatusView) -> Option<Finding> {
    let name = SYSTEMD1_NAME;
    if machine.init() == "systemd" {
        return None;
    }
    let BusNameView { state, detail, .. } = named(status, name)?;
    let effect = "systemd-run --user --scope does not work";
    Some(match state {
        BusNameState::Owned => {
            Finding::ok(SYSTEMD1, format!("usherd is {name}, too, for scopes of users' managers."))
        }
        BusNameState::Waiting => Finding::warning(
            SYSTEMD1,
            format!("{detail} owns {name} on the bus: {effect}."),
            "stop that program, or live without scopes",
        ),
        BusNameState::Refused => Finding::warning(
            SYSTEMD1,
            format!("The bus does not let usherd be {name}: {effect}."),
            "install usher's policy to /usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf, let the bus read it \
             (kill -HUP its process), and restart usherd",
        ),
        BusNameState::Unknown => Finding::warning(
            SYSTEMD1,
            format!("Who is {name} cannot be told: {}.", detail.trim_end_matches('.')),
            "look after the bus",
        ),
    })
}

/// A policy of usher's or of logind's: both let root have the name.
fn policy(machine: &Machine) -> Finding {
    let file = format!("{LOGIN1_NAME}.conf");
    let paths = POLICIES.map(|directory| format!("{directory}/{file}"));
    let permits = |path: &&String| {
        machine.tree.read(path).is_ok_and(|text| text.contains(&format!("own=\"{LOGIN1_NAME}\"")))
    };
    match paths.iter().find(permits) {
        Some(path) => {
            Finding::ok(POLICY, format!("The bus's policy for {LOGIN1_NAME} is installed: {path}."))
        }
        None => Finding::problem(
            POLICY,
            format!("No policy lets anybody be {LOGIN1_NAME} on the bus: there is no {file} that does."),
            INSTALL_POLICY,
        ),
    }
}

/// Whom the bus would start by itself when somebody calls while usherd is not there.
fn activation(machine: &Machine) -> Finding {
    let file = format!("{LOGIN1_NAME}.service");
    let found = ACTIVATIONS.iter().find_map(|directory| {
        let path = format!("{directory}/{file}");
        machine.tree.read(&path).ok().map(|text| (path, text))
    });
    let Some((path, text)) = found else {
        return Finding::note(
            ACTIVATION,
            format!(
                "There is no {file}: a call that comes before usherd is on the bus fails in another way than with logind."
            ),
            "install packaging/dbus-1/org.freedesktop.login1.service to /usr/share/dbus-1/system-services",
        );
    };
    let program = text.lines().find_map(|line| line.trim().strip_prefix("Exec=")).unwrap_or_default();
    match program.split_whitespace().next().unwrap_or_default() {
        "" | "/bin/false" | "/usr/bin/false" => {
            Finding::ok(ACTIVATION, format!("The bus starts no other broker by itself ({path})."))
        }
        other => Finding::problem(
            ACTIVATION,
            format!(
                "The bus starts {other} whenever somebody asks for {LOGIN1_NAME} and usherd is not there ({path})."
            ),
            "replace the file by packaging/dbus-1/org.freedesktop.login1.service, or remove the package that it is from",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    const GOOD_POLICY: &str = include_str!("../../../../packaging/dbus-1/org.freedesktop.login1.conf");
    const GOOD_ACTIVATION: &str = include_str!("../../../../packaging/dbus-1/org.freedesktop.login1.service");

    fn view(name: &str, state: BusNameState, detail: &str) -> BusNameView {
        BusNameView { name: name.to_owned(), state, detail: detail.to_owned() }
    }

    fn fixture(login1: BusNameState, systemd1: BusNameState) -> Fixture {
        let names = vec![
            view(LOGIN1_NAME, login1, "elogind (process 9)"),
            view(SYSTEMD1_NAME, systemd1, "org.freedesktop.DBus.Error.AccessDenied: no."),
        ];
        Fixture::new()
            .file(DEFAULT_SOCKET, "")
            .file("/usr/share/dbus-1/system.d/org.freedesktop.login1.conf", GOOD_POLICY)
            .file("/usr/share/dbus-1/system-services/org.freedesktop.login1.service", GOOD_ACTIVATION)
            .status(|status| status.bus_names = names)
    }

    #[test]
    fn without_a_bus_nothing_is_wrong() {
        let findings = check(&Fixture::new().machine);
        assert_eq!(verdict(&findings, SOCKET), Verdict::Note);
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn as_it_should_be() {
        let findings = check(&fixture(BusNameState::Owned, BusNameState::Owned).machine);
        for id in [SOCKET, LOGIN1, SYSTEMD1, POLICY, ACTIVATION] {
            assert_eq!(verdict(&findings, id), Verdict::Ok, "{id}");
        }
        let on_systemd = fixture(BusNameState::Owned, BusNameState::Waiting);
        let findings =
            check(&on_systemd.changed(|machine| machine.processes[0].name = "systemd".into()).machine);
        assert!(findings.iter().all(|finding| finding.check != SYSTEMD1));
    }

    #[test]
    fn names_that_usherd_does_not_have() {
        let findings = check(&fixture(BusNameState::Waiting, BusNameState::Refused).machine);
        assert_eq!(verdict(&findings, LOGIN1), Verdict::Problem);
        assert!(words(&findings, LOGIN1).contains("elogind (process 9) owns"));
        assert_eq!(verdict(&findings, SYSTEMD1), Verdict::Warning);
        let findings = check(&fixture(BusNameState::Refused, BusNameState::Unknown).machine);
        assert!(words(&findings, LOGIN1).contains("install usher's policy"));
        let none =
            fixture(BusNameState::Owned, BusNameState::Owned).status(|status| status.bus_names.clear());
        assert!(words(&check(&none.machine), LOGIN1).contains("not connected"));
        let findings = check(&fixture(BusNameState::Owned, BusNameState::Owned).unprivileged().machine);
        assert_eq!(verdict(&findings, LOGIN1), Verdict::Skipped);
    }

    #[test]
    fn files_that_are_missing_or_anothers() {
        let findings = check(&Fixture::new().file(DEFAULT_SOCKET, "").machine);
        assert_eq!(verdict(&findings, POLICY), Verdict::Problem);
        assert_eq!(verdict(&findings, ACTIVATION), Verdict::Note);
        let elogind =
            "[D-BUS Service]\nName=org.freedesktop.login1\nExec=/usr/libexec/elogind/elogind --daemon\n";
        let path = "/usr/share/dbus-1/system-services/org.freedesktop.login1.service";
        let findings = check(&Fixture::new().file(DEFAULT_SOCKET, "").file(path, elogind).machine);
        assert_eq!(verdict(&findings, ACTIVATION), Verdict::Problem);
        assert!(words(&findings, ACTIVATION).contains("starts /usr/libexec/elogind/elogind"));
    }
}
