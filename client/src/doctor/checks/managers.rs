//! The users' service managers: which are installed, which is chosen, and whether those that should run do.

use usher_protocol::messages::{ManagerKindView, StatusView, UserView};
use usher_protocol::session::ManagerState;

use super::{counted, unanswered};
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;
use crate::render::time;

const CHOSEN: &str = "managers.chosen";
const OTHERS: &str = "managers.others";
const LAUNCHER: &str = "managers.launcher";
const BUS: &str = "managers.bus";
const RUNNING: &str = "managers.running";

const LAUNCHER_PATH: &str = "/usr/lib/usher/usher-user-manager";
/// Where a shell finds programs.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// What the shipped definitions run from a shell, which is always there.
const FROM_SHELL: [(&str, &str); 3] = [("runit", "runsvdir"), ("s6", "s6-svscan"), ("openrc", "openrc")];
/// What gives a user's services and sessions one bus, with systemd.
const USER_BUS: [&str; 4] = [
    "/usr/lib/systemd/user/dbus.socket",
    "/lib/systemd/user/dbus.socket",
    "/etc/systemd/user/dbus.socket",
    "/usr/lib/systemd/user/sockets.target.wants/dbus.socket",
];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![launcher(machine)];
    match &machine.asked.status {
        Some(status) => {
            findings.extend(chosen(machine, status));
            findings.extend(others(machine, status));
            let uses = |name| status.managers.iter().any(|kind| is_in_use(kind) && kind.name == name);
            if uses("systemd") {
                findings.push(user_bus(machine));
            }
        }
        None => findings.push(unanswered(machine, CHOSEN, "Which user manager is chosen")),
    }
    match &machine.asked.users {
        Some(users) => findings.extend(running(machine, users)),
        None => findings.push(unanswered(machine, RUNNING, "How the users' managers are")),
    }
    findings
}

fn launcher(machine: &Machine) -> Finding {
    if machine.tree.exists(LAUNCHER_PATH) {
        return Finding::ok(LAUNCHER, format!("{LAUNCHER_PATH} is installed."));
    }
    Finding::problem(
        LAUNCHER,
        format!("There is no {LAUNCHER_PATH}: no user manager can be started."),
        "install it; it belongs to usher",
    )
}

fn is_in_use(kind: &ManagerKindView) -> bool {
    kind.is_default || kind.is_chosen
}

/// What is run from a shell, if the definition is the shipped one and does that.
fn inner(machine: &Machine, kind: &ManagerKindView) -> Option<&'static str> {
    let of_administrator = machine.tree.has_entry(format!("/etc/usher/managers/{}.conf", kind.name));
    let from_shell = !of_administrator && kind.programs.iter().any(|program| program == "/bin/sh");
    FROM_SHELL.iter().find(|(name, _)| from_shell && *name == kind.name).map(|(_, inner)| *inner)
}

/// The program that would be run, if it is installed.
fn program(machine: &Machine, kind: &ManagerKindView) -> Option<String> {
    match inner(machine, kind) {
        Some(inner) => {
            let paths = PATH.map(|directory| format!("{directory}/{inner}"));
            paths.into_iter().find(|path| machine.tree.exists(path))
        }
        None => kind.program.clone(),
    }
}

/// What a definition would run, for somebody who is to install it.
fn wanted(machine: &Machine, kind: &ManagerKindView) -> String {
    inner(machine, kind).map_or_else(|| kind.programs.join(" or "), str::to_owned)
}

fn chosen(machine: &Machine, status: &StatusView) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !status.managers.iter().any(|kind| kind.is_default) {
        findings.push(Finding::ok(CHOSEN, "No user manager is wanted (Manager=none)."));
    }
    for kind in status.managers.iter().filter(|kind| is_in_use(kind)) {
        let name = &kind.name;
        let whose = if kind.is_default { "Manager=" } else { "ManagerOf=" };
        findings.push(if !kind.error.is_empty() {
            Finding::problem(
                CHOSEN,
                format!("The user manager {name} ({whose}) cannot be used: {}.", kind.error.trim_end_matches('.')),
                format!("correct its definition, or choose another one in /etc/usher/usher.conf; then kill -HUP {}", status.pid),
            )
        } else if kind.programs.is_empty() {
            let what = if kind.external { "is run by somebody else" } else { "is none at all" };
            Finding::ok(CHOSEN, format!("The user manager {name} ({whose}) {what}."))
        } else if let Some(program) = program(machine, kind) {
            Finding::ok(CHOSEN, format!("The user manager is {name} ({whose}): {program} is installed."))
        } else {
            Finding::problem(
                CHOSEN,
                format!("The user manager is {name} ({whose}), and {} is not installed.", wanted(machine, kind)),
                format!("install it, or choose another one with Manager= in /etc/usher/usher.conf; then kill -HUP {}", status.pid),
            )
        });
    }
    findings
}

fn others(machine: &Machine, status: &StatusView) -> Option<Finding> {
    let rest = status.managers.iter().filter(|kind| !is_in_use(kind) && !kind.programs.is_empty());
    let installed: Vec<_> =
        rest.filter(|kind| program(machine, kind).is_some()).map(|kind| kind.name.as_str()).collect();
    let finding = format!("Also installed, and not chosen: {}.", installed.join(", "));
    (!installed.is_empty()).then(|| Finding::ok(OTHERS, finding))
}

fn user_bus(machine: &Machine) -> Finding {
    if USER_BUS.iter().any(|path| machine.tree.has_entry(path)) {
        return Finding::ok(BUS, "systemd --user has a socket for the users' bus.");
    }
    Finding::note(
        BUS,
        "systemd --user knows no dbus.socket: services and sessions of a user share no bus.",
        "install the package that brings it (Debian: dbus-user-session), if anything of the users' wants D-Bus",
    )
}

/// Managers that should run. Those of lingering users are told of elsewhere.
fn running(machine: &Machine, users: &[UserView]) -> Vec<Finding> {
    let here: Vec<_> = users.iter().filter(|user| !user.linger).collect();
    let failed: Vec<_> = here.iter().filter_map(|user| failing(machine, user, RUNNING)).collect();
    if !failed.is_empty() {
        return failed;
    }
    let ready = here.iter().filter(|user| user.manager == ManagerState::Ready).count();
    let text = match here.len() {
        0 => "Nobody is logged in.".to_owned(),
        all => format!(
            "{} logged in, {} ready, and none has failed.",
            counted(all, "user"),
            counted(ready, "manager")
        ),
    };
    vec![Finding::ok(RUNNING, text)]
}

/// What is wrong with a user's manager, if anything is.
pub(super) fn failing(machine: &Machine, user: &UserView, check: &'static str) -> Option<Finding> {
    let name = &user.name;
    let error = match user.manager_error.trim_end_matches('.') {
        "" => String::new(),
        error => {
            let age = time::age(user.manager_error_time, machine.now.realtime.max(user.manager_error_time));
            format!(": {error} ({age})")
        }
    };
    let advice =
        format!("usherctl user-status {name} shows its last words; it is tried again at {name}'s next login");
    match user.manager {
        ManagerState::Failed => Some(Finding::problem(
            check,
            format!("The manager of {name} has failed and is given up{error}."),
            advice,
        )),
        ManagerState::Restarting => Some(Finding::warning(
            check,
            format!("The manager of {name} has died and is about to be started again{error}."),
            format!("usherctl user-status {name} shows its last words"),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, user, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    fn kind(name: &str, program: Option<&str>) -> ManagerKindView {
        let programs = vec![program.unwrap_or("/usr/bin/missing").to_owned()];
        let program = program.map(str::to_owned);
        ManagerKindView { name: name.to_owned(), program, programs, ..ManagerKindView::default() }
    }

    fn default(kind: ManagerKindView) -> ManagerKindView {
        ManagerKindView { is_default: true, ..kind }
    }

    fn fixture(managers: Vec<ManagerKindView>) -> Fixture {
        Fixture::new().file(LAUNCHER_PATH, "").status(|status| status.managers = managers)
    }

    #[test]
    fn installed_or_not() {
        let systemd = default(kind("systemd", Some("/lib/systemd/systemd")));
        let fixture_of = fixture(vec![kind("runit", Some("/bin/sh")), kind("s6", Some("/bin/sh")), systemd]);
        let fixture_of = fixture_of.file("/usr/bin/s6-svscan", "").file(USER_BUS[0], "");
        let findings = check(&fixture_of.machine);
        for id in [LAUNCHER, CHOSEN, BUS, RUNNING] {
            assert_eq!(verdict(&findings, id), Verdict::Ok, "{id}");
        }
        assert!(words(&findings, OTHERS).contains("not chosen: s6."));
        let findings = check(&fixture(vec![default(kind("runit", Some("/bin/sh")))]).machine);
        assert_eq!(verdict(&findings, CHOSEN), Verdict::Problem);
        assert!(words(&findings, CHOSEN).contains("runsvdir is not installed"));
        let findings = check(&fixture(vec![default(kind("systemd", None))]).machine);
        assert!(words(&findings, CHOSEN).contains("/usr/bin/missing is not installed"));
        assert_eq!(verdict(&findings, BUS), Verdict::Note);
    }

    #[test]
    fn none_and_definitions_with_mistakes() {
        assert_eq!(verdict(&check(&fixture(Vec::new()).machine), CHOSEN), Verdict::Ok);
        let broken = ManagerKindView { error: "no Start=".into(), is_chosen: true, ..kind("mine", None) };
        let findings = check(&fixture(vec![default(kind("x", Some("/x"))), broken]).machine);
        assert!(words(&findings, CHOSEN).contains("mine (ManagerOf=) cannot be used: no Start=."));
        assert_eq!(verdict(&check(&Fixture::new().machine), LAUNCHER), Verdict::Problem);
        assert_eq!(verdict(&check(&Fixture::new().unprivileged().machine), CHOSEN), Verdict::Skipped);
    }

    #[test]
    fn managers_that_fail() {
        let mut alice = user("alice", 1001);
        alice.manager = ManagerState::Failed;
        alice.manager_error = "exit status 203".into();
        let fixture =
            fixture(Vec::new()).changed(|machine| machine.asked.users = Some(vec![alice, user("bob", 1002)]));
        let findings = check(&fixture.machine);
        assert_eq!(verdict(&findings, RUNNING), Verdict::Problem);
        assert!(
            words(&findings, RUNNING)
                .contains("manager of alice has failed and is given up: exit status 203")
        );
    }
}
