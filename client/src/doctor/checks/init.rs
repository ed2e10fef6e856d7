//! Which init starts this machine, and whether it starts usherd at boot, and no other broker.

use rustix::fs::FileType;

use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;

const PROGRAM: &str = "init.program";
const SERVICE: &str = "init.service";
const RIVAL: &str = "init.rival";

/// Brokers that are services by these names.
const RIVALS: [&str; 2] = ["elogind", "turnstiled"];

/// An init, and how it knows what to start.
#[derive(Debug)]
struct Init {
    name: &'static str,
    /// Directories with an entry for each service; a `*` stands for any one directory.
    enabled_in: &'static [&'static str],
    /// What stands before the service's name in an entry, apart from two digits.
    prefix: &'static str,
    /// What stands behind it.
    suffixes: &'static [&'static str],
    /// How a service is enabled; `{}` is its name.
    enable: &'static str,
}

const SYSTEMD: Init = Init {
    name: "systemd",
    enabled_in: &["/etc/systemd/system/*", "/usr/lib/systemd/system/*", "/lib/systemd/system/*"],
    prefix: "",
    suffixes: &[".service"],
    enable: "systemctl enable --now usherd",
};
const OPENRC: Init = Init {
    name: "OpenRC",
    enabled_in: &["/etc/runlevels/*"],
    prefix: "",
    suffixes: &[""],
    enable: "rc-update add usherd default && rc-service usherd start",
};
const RUNIT: Init = Init {
    name: "runit",
    enabled_in: &["/etc/service", "/var/service", "/service", "/etc/runit/runsvdir/*", "/run/runit/service"],
    prefix: "",
    suffixes: &[""],
    enable: "ln -s /etc/sv/usherd /etc/service/ (on Void: /var/service/)",
};
const S6: Init = Init {
    name: "s6",
    enabled_in: &["/run/service", "/run/s6-rc/servicedirs", "/etc/s6/adminsv/default/contents.d"],
    prefix: "",
    suffixes: &["", "-srv"],
    enable: "add it to the default bundle of s6-rc, compile and update (s6-rc-update), or put it into the scan directory",
};
const DINIT: Init = Init {
    name: "dinit",
    enabled_in: &[
        "/etc/dinit.d/boot.d",
        "/usr/lib/dinit.d/boot.d",
        "/lib/dinit.d/boot.d",
        "/etc/dinit.d/waits-for.d",
    ],
    prefix: "",
    suffixes: &[""],
    enable: "dinitctl enable usherd",
};
const SYSVINIT: Init = Init {
    name: "sysvinit",
    enabled_in: &["/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d", "/etc/rc.d/*"],
    prefix: "S",
    suffixes: &[""],
    enable: "update-rc.d usherd defaults && service usherd start",
};

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let Some(init) = recognise(machine) else {
        let name = match machine.init() {
            "" => "not to be seen".to_owned(),
            name => name.to_owned(),
        };
        return vec![Finding::note(
            PROGRAM,
            format!("PID 1 is {name}, of which nothing is known here."),
            "make sure that it starts /usr/sbin/usherd at boot, as a program that stays in the foreground",
        )];
    };
    let mut findings = vec![Finding::ok(PROGRAM, format!("PID 1 is {} ({}).", init.name, machine.init()))];
    findings.push(match enabled(machine, init, "usherd") {
        Some(path) if machine.tree.has_entry(format!("{path}/down")) => Finding::warning(
            SERVICE,
            format!("usherd is a service of {}, and {path}/down keeps it from being started.", init.name),
            "remove that file, and start it (sv up usherd, s6-svc -u)",
        ),
        Some(path) if !machine.tree.exists(&path) => Finding::problem(
            SERVICE,
            format!("{} is to start usherd at boot, and {path} leads nowhere.", init.name),
            format!("install usher's service for {}, or make the link anew", init.name),
        ),
        Some(path) => Finding::ok(SERVICE, format!("{} starts usherd at boot ({path}).", init.name)),
        None => Finding::warning(
            SERVICE,
            format!("Nothing shows that {} starts usherd at boot.", init.name),
            format!("install usher's service for {} if it is not there, then: {}", init.name, init.enable),
        ),
    });
    findings.extend(RIVALS.iter().filter_map(|rival| {
        let path = enabled(machine, init, rival).filter(|path| !is_switched_off(machine, init, path))?;
        Some(Finding::warning(
            RIVAL,
            format!(
                "{} starts {rival} at boot, too ({path}): whichever is first keeps the other out.",
                init.name
            ),
            format!("disable the service {rival}, or remove its package"),
        ))
    }));
    findings
}

fn recognise(machine: &Machine) -> Option<&'static Init> {
    match machine.init() {
        "systemd" => return Some(&SYSTEMD),
        "runit" | "runit-init" => return Some(&RUNIT),
        "s6-svscan" => return Some(&S6),
        "dinit" => return Some(&DINIT),
        "openrc-init" => return Some(&OPENRC),
        // What several are called.
        "init" => {}
        _ => return None,
    }
    let marks = [
        ("/run/openrc", &OPENRC),
        // Not /run/runit: Debian's services make that with any init.
        ("/run/runit.stopit", &RUNIT),
        ("/run/dinitctl", &DINIT),
        ("/run/s6-rc", &S6),
        ("/etc/inittab", &SYSVINIT),
    ];
    marks.into_iter().find(|(mark, _)| machine.tree.exists(mark)).map(|(_, init)| init)
}

/// What has a service started at boot.
fn enabled(machine: &Machine, init: &Init, service: &str) -> Option<String> {
    let is_entry = |name: &String| {
        let name = match init.prefix {
            "" => name,
            prefix => name.strip_prefix(prefix).and_then(|rest| rest.get(2..)).unwrap_or_default(),
        };
        init.suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(service))
    };
    init.enabled_in.iter().flat_map(|pattern| directories(machine, pattern)).find_map(|directory| {
        let entry = machine.tree.list(&directory).ok()?.into_iter().find(is_entry)?;
        Some(format!("{directory}/{entry}"))
    })
}

/// Whether a link leads to a script that cannot be run: so Debian leaves it behind when it removes a package.
fn is_switched_off(machine: &Machine, init: &Init, path: &str) -> bool {
    let has_scripts = [&SYSVINIT, &OPENRC].iter().any(|other| other.name == init.name);
    let is_link = machine.tree.link(path).is_some();
    let script = machine.tree.look_through(path);
    has_scripts
        && is_link
        && script.is_ok_and(|seen| seen.kind == FileType::RegularFile && seen.mode & 0o111 == 0)
}

/// systemd's own units stand beside the directories: those of targets are what counts.
fn directories(machine: &Machine, pattern: &str) -> Vec<String> {
    let Some(parent) = pattern.strip_suffix("/*") else { return vec![pattern.to_owned()] };
    let is_systemd = pattern.contains("/systemd/");
    let names = machine.tree.list(parent).unwrap_or_default().into_iter();
    let counts = |name: &String| !is_systemd || name.ends_with(".wants") || name.ends_with(".requires");
    names.filter(counts).map(|name| format!("{parent}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    /// A machine whose PID 1 has that name, and a mark of its init where it needs one.
    fn booted(name: &'static str, mark: Option<&str>) -> Fixture {
        let fixture = Fixture::new().changed(|machine| machine.processes[0].name = name.into());
        mark.into_iter().fold(fixture, Fixture::directory)
    }

    const INITS: [(&str, Option<&str>, &str); 7] = [
        ("systemd", None, "/etc/systemd/system/multi-user.target.wants/usherd.service"),
        ("init", Some("/run/openrc"), "/etc/runlevels/default/usherd"),
        ("runit", None, "/etc/service/usherd"),
        ("runit", None, "/etc/runit/runsvdir/default/usherd"),
        ("s6-svscan", None, "/run/s6-rc/servicedirs/usherd-srv"),
        ("dinit", None, "/etc/dinit.d/boot.d/usherd"),
        ("init", Some("/etc/inittab"), "/etc/rc2.d/S03usherd"),
    ];

    #[test]
    fn every_init_with_its_link_and_without() {
        for (name, mark, link) in INITS {
            let without = booted(name, mark);
            let findings = check(&without.machine);
            assert_eq!(verdict(&findings, PROGRAM), Verdict::Ok, "{link}");
            assert_eq!(verdict(&findings, SERVICE), Verdict::Warning, "{link}");
            let findings = check(&without.file(link, "").machine);
            assert_eq!(verdict(&findings, SERVICE), Verdict::Ok, "{link}");
            assert!(words(&findings, SERVICE).contains(link));
        }
    }

    #[test]
    fn links_that_lead_nowhere_and_services_that_are_down() {
        let dangling = booted("runit", None).link("/etc/service/usherd", "nowhere");
        assert_eq!(verdict(&check(&dangling.machine), SERVICE), Verdict::Problem);
        let down = booted("runit", None).file("/etc/service/usherd/down", "");
        assert_eq!(verdict(&check(&down.machine), SERVICE), Verdict::Warning);
        let stopped = booted("init", Some("/etc/inittab")).file("/etc/rc2.d/K01usherd", "");
        assert!(words(&check(&stopped.machine), SERVICE).contains("update-rc.d usherd defaults"));
    }

    #[test]
    fn rivals_and_strangers() {
        let both = booted("init", Some("/run/openrc"))
            .file("/etc/runlevels/default/usherd", "")
            .file("/etc/runlevels/boot/elogind", "");
        assert_eq!(verdict(&check(&both.machine), RIVAL), Verdict::Warning);
        let removed = booted("init", Some("/etc/inittab"))
            .link("/etc/rc2.d/S03elogind", "../init.d/elogind")
            .file("/etc/init.d/elogind", "");
        assert!(check(&removed.machine).iter().all(|finding| finding.check != RIVAL));
        assert_eq!(verdict(&check(&booted("tini", None).machine), PROGRAM), Verdict::Note);
        assert_eq!(verdict(&check(&booted("init", None).machine), PROGRAM), Verdict::Note);
    }
}
