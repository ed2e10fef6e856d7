//! The PAM stacks: which logins are registered with usherd, and what stands in its module's way. `usher_pam_setup` reads them as
//! libpam does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use usher_pam_setup::{Broker, ConfigError, Group, Layout, MODULE, Module, PamConfig, Severity, check};

use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;
use crate::doctor::tree::Tree;

const FILES: &str = "pam.files";
const INSTALLED: &str = "pam.module";
const LOGINS: &str = "pam.logins";
const OTHERS: &str = "pam.others";
const LINES: &str = "pam.lines";
const MANAGER: &str = "pam.systemd-user";

/// Who is logged in through one of these wants a session: terminals, ssh, and display managers, those of usherd's built-in list
/// by the beginning of their names.
const LOGIN_SERVICES: [&str; 3] = ["login", "sshd", "remote"];
const DISPLAY_MANAGERS: [&str; 11] =
    ["gdm", "greetd", "lemurs", "lightdm", "lxdm", "ly", "plasmalogin", "sddm", "slim", "xdm", "entrance"];
/// These run something as somebody; without a session of their own they work as one expects.
const OTHER_SERVICES: [&str; 8] = ["su", "su-l", "sudo", "sudo-i", "doas", "cron", "crond", "atd"];

/// The service of users' managers.
const MANAGER_SERVICE: &str = "systemd-user";

/// Which broker's module a service has first, if any.
type Registers = Result<Option<(Broker, Module)>, ConfigError>;

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let config = PamConfig::at(machine.tree.path("/"));
    let services = match services(&config) {
        Ok(services) => services,
        Err(error) => {
            let advice = "install PAM, and a service file for each program that logs people in";
            return vec![Finding::problem(FILES, format!("No login can be registered: {error}."), advice)];
        }
    };
    let logins: Vec<_> = services.iter().filter(|name| is_login(name)).map(String::as_str).collect();
    let others: Vec<_> =
        services.iter().map(String::as_str).filter(|name| OTHER_SERVICES.contains(name)).collect();
    let mut findings = vec![module(machine, &config)];
    findings.extend(registered(&config, &logins));
    findings.extend(unregistered(&config, &others));
    findings.extend(lines(&config, &services));
    findings.push(manager(&config));
    findings
}

/// What programs ask for. Files that others include are left out, unless their names are those of programs: su-l includes su.
fn services(config: &PamConfig) -> Result<BTreeSet<String>, ConfigError> {
    let is_known = |name: &String| is_login(name) || OTHER_SERVICES.contains(&name.as_str());
    let known = config.names()?.into_iter().filter(is_known);
    Ok(config.services()?.into_iter().chain(known).collect())
}

fn is_login(service: &str) -> bool {
    let is_of = |manager: &&str| {
        let rest = service.strip_prefix(*manager);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    LOGIN_SERVICES.contains(&service) || DISPLAY_MANAGERS.iter().any(is_of)
}

fn module(machine: &Machine, config: &PamConfig) -> Finding {
    let install = "install it beside pam_unix.so: the directory is that of the programs' architecture";
    let Some(path) = config.module(MODULE) else {
        let finding = format!("{MODULE} is in none of the directories of PAM's modules.");
        return Finding::problem(INSTALLED, finding, install);
    };
    let architecture =
        |tree: &Tree, path: &str| tree.head(path, 20).ok().and_then(|head| architecture(&head));
    let (own, its) = (architecture(&Tree::at("/"), "/proc/self/exe"), architecture(&machine.tree, &path));
    if own.is_some() && its.is_some() && own != its {
        let finding =
            format!("{path} is for another architecture than usherctl and the programs that log people in.");
        return Finding::problem(INSTALLED, finding, install);
    }
    let beside = Path::new(&path).with_file_name("pam_unix.so");
    if !machine.tree.exists(&beside) {
        let finding = format!("{path} is in a directory without pam_unix.so, where PAM may not look.");
        return Finding::warning(INSTALLED, finding, install);
    }
    Finding::ok(INSTALLED, format!("{path} is installed."))
}

/// Of the head of an ELF file (elf(5)): the class, the order of bytes, and e_machine.
fn architecture(head: &[u8]) -> Option<[u8; 4]> {
    let rest = head.strip_prefix(b"\x7fELF")?;
    Some([*rest.first()?, *rest.get(1)?, *rest.get(14)?, *rest.get(15)?])
}

/// The broker that the service registers its sessions with: usher, if it is there beside others, of which `lines` tells.
fn registers(config: &PamConfig, service: &str) -> Registers {
    let stack = config.stack(service, Group::Session)?;
    let mut brokers: Vec<_> = stack.brokers().map(|(broker, module)| (broker, module.clone())).collect();
    brokers.sort_by_key(|(broker, _)| *broker != Broker::Usher);
    Ok(brokers.into_iter().next())
}

/// How to put the module into the stacks of this machine.
fn how(config: &PamConfig, replace: bool) -> String {
    let option = if replace { " --replace" } else { "" };
    let by_hand = match Layout::recognise(config) {
        Ok(Layout::PamAuthUpdate) => "or pam-auth-update, and choose usher".to_owned(),
        Ok(layout) => match layout.file() {
            Some(file) => {
                format!("or add 'session optional {MODULE}' to /etc/pam.d/{file}, behind pam_unix.so")
            }
            None => layout.explain().to_owned(),
        },
        Err(_) => format!("or add 'session optional {MODULE}' to their files, behind pam_unix.so"),
    };
    format!("run usher-pam-setup install{option} as root, {by_hand}")
}

/// Logins: each without the module is one without a session.
fn registered(config: &PamConfig, logins: &[&str]) -> Vec<Finding> {
    let found: Vec<_> = logins.iter().map(|service| (*service, registers(config, service))).collect();
    let nobody = |registers: &Registers| matches!(registers, Ok(None));
    if !found.is_empty() && found.iter().all(|(_, registers)| nobody(registers)) {
        let names = logins.join(", ");
        let finding =
            format!("{MODULE} is in no login's PAM stack, so that no login gets a session: {names}.");
        return vec![Finding::problem(LOGINS, finding, how(config, false))];
    }
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut findings = Vec::new();
    for (service, registers) in &found {
        match registers {
            Ok(Some((Broker::Usher, module))) => {
                let place = format!("{}:{}, {}", module.file, module.line, module.control);
                places.entry(place).or_default().push(service);
            }
            Ok(Some((broker, module))) => findings.push(anothers(config, service, *broker, module)),
            Ok(None) => findings.push(Finding::problem(
                LOGINS,
                format!("Logins of {service} get no session: its PAM stack has no {MODULE}."),
                how(config, false),
            )),
            Err(error) => findings.push(unreadable(service, error)),
        }
    }
    let with = places.iter().map(|(place, services)| {
        Finding::ok(
            LOGINS,
            format!("Logins of {} are registered with usherd ({place}).", services.join(", ")),
        )
    });
    with.chain(findings).collect()
}

/// A login that is registered by another broker's module.
fn anothers(config: &PamConfig, service: &str, broker: Broker, module: &Module) -> Finding {
    let (name, place) = (broker.module(), format!("{}:{}", module.file, module.line));
    match broker {
        Broker::Systemd => Finding::note(
            LOGINS,
            format!(
                "Logins of {service} are registered by {name} ({place}), which usherd answers like logind."
            ),
            format!("nothing; {MODULE} in its place is quicker and needs no bus"),
        ),
        _ => Finding::problem(
            LOGINS,
            format!("Logins of {service} are registered by {name} ({place}), not by {MODULE}."),
            how(config, true),
        ),
    }
}

fn unreadable(service: &str, error: &ConfigError) -> Finding {
    Finding::skipped(
        LOGINS,
        format!("The PAM stack of {service} was not read: {error}."),
        "make it readable for root; run this as root",
    )
}

/// Services whose sessions would only be a nicety.
fn unregistered(config: &PamConfig, others: &[&str]) -> Option<Finding> {
    let has_usher = |service: &&str| matches!(registers(config, service), Ok(Some((Broker::Usher, _))));
    let (with, without): (Vec<&str>, Vec<&str>) = others.iter().copied().partition(has_usher);
    let list = |services: &[&str]| services.join(", ");
    match (with.as_slice(), without.as_slice()) {
        ([], []) => None,
        (with, []) => Some(Finding::ok(OTHERS, format!("{MODULE} is there for {}, too.", list(with)))),
        (_, without) => Some(Finding::ok(
            OTHERS,
            format!("Nothing has a session of its own through {}, and needs none.", list(without)),
        )),
    }
}

/// What is wrong in the lines of all services that register somebody or log somebody in. The same line is in many stacks.
fn lines(config: &PamConfig, services: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let manager = MANAGER_SERVICE.to_owned();
    for service in services.iter().chain((!services.contains(&manager)).then_some(&manager)) {
        let counts =
            is_login(service) || config.stack(service, Group::Session).is_ok_and(|stack| stack.has_usher());
        // What cannot be read has been told of.
        let problems = if counts { check::service(config, service).unwrap_or_default() } else { Vec::new() };
        for problem in problems {
            let place = match problem.line {
                0 => problem.file.clone(),
                line => format!("{}:{line}", problem.file),
            };
            let text = format!("{place}: {}.", problem.text);
            let finding = match problem.severity {
                Severity::Error => Finding::problem(LINES, text, problem.advice),
                Severity::Warning if problem.text.contains(MODULE) => {
                    Finding::warning(LINES, text, problem.advice)
                }
                // Nothing of usher's.
                Severity::Warning => Finding::note(LINES, text, problem.advice),
            };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(LINES, "The lines of these PAM stacks have no mistakes."));
    }
    findings
}

/// The PAM session of users' managers.
fn manager(config: &PamConfig) -> Finding {
    match registers(config, MANAGER_SERVICE) {
        Ok(Some((broker, module))) => Finding::ok(
            MANAGER,
            format!(
                "User managers have a PAM session ({MANAGER_SERVICE}), with {} ({}:{}).",
                broker.module(),
                module.file,
                module.line
            ),
        ),
        Ok(None) => Finding::note(
            MANAGER,
            format!("User managers have a PAM session ({MANAGER_SERVICE}), and {MODULE} is not in it."),
            "nothing; with it, the manager itself is listed as a session of class manager",
        ),
        Err(ConfigError::Missing(_)) => Finding::note(
            MANAGER,
            format!(
                "There is no PAM service {MANAGER_SERVICE}: user managers run without a PAM session, so without pam_limits and the like."
            ),
            "install packaging/pam.d/systemd-user to /etc/pam.d, if services of users need that",
        ),
        Err(error) => Finding::warning(
            MANAGER,
            format!("The PAM service {MANAGER_SERVICE} of user managers cannot be read: {error}."),
            "make it a regular file that root can read",
        ),
    }
}

#[cfg(test)]
mod tests;
