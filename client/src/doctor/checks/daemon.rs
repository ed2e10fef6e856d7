//! usherd itself: does it run, does it answer, is it the version that is installed, is its configuration without mistakes.

use std::time::Duration;

use rustix::fs::FileType;
use usher_protocol::{ROOT_SOCKET_PATH, SOCKET_PATH};

use super::unanswered;
use crate::doctor::asked::{PATIENCE, QUICK, Reach};
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;
use crate::doctor::processes::Process;
use crate::doctor::tree::Seen;
use crate::render::time;

const ANSWER: &str = "daemon.answer";
const SOCKET: &str = "daemon.socket";
const ROOT_SOCKET: &str = "daemon.root-socket";
const VERSION: &str = "daemon.version";
const CONFIGURATION: &str = "daemon.configuration";

const PROGRAM: &str = "/usr/sbin/usherd";

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![answer(machine)];
    // Where there is none, that has been said.
    if machine.asked.reach != Some(Reach::Absent) {
        let seen = machine.tree.look(SOCKET_PATH).ok();
        findings.extend(seen.map(|seen| socket(SOCKET, SOCKET_PATH, seen, 0o666)));
        findings.push(root_socket(machine));
    }
    findings.extend(version(machine));
    findings.extend(configuration(machine));
    findings
}

/// usherd's process, if it can be seen. It has children of the same name at times.
fn process(machine: &Machine) -> Option<&Process> {
    machine.daemons("usherd").next()
}

fn answer(machine: &Machine) -> Finding {
    let process = process(machine);
    let asked = &machine.asked;
    // Whichever is worse: logins come by root's, questions by the other. That root's alone is missing is told elsewhere.
    let by_root = asked.root_reach.as_ref().filter(|reach| **reach != Reach::Absent);
    let reaches = [(ROOT_SOCKET_PATH, by_root), (SOCKET_PATH, asked.reach.as_ref())];
    let tried = reaches.into_iter().filter_map(|(socket, reach)| Some((socket, reach?)));
    let Some((socket, reach)) = tried.max_by_key(|(_, reach)| badness(reach)) else {
        return Finding::skipped(ANSWER, "usherd was not asked.", "try again");
    };
    match (reach, process) {
        (Reach::Answers(after), process) => answers(machine, *after, process),
        (Reach::Hangs, Some(Process { pid, state: 'T', .. })) => Finding::problem(
            ANSWER,
            format!(
                "usherd (process {pid}) has been stopped by a signal and answers nobody: logins get no session."
            ),
            format!("let it go on: kill -CONT {pid}"),
        ),
        (Reach::Hangs, process) => Finding::problem(
            ANSWER,
            format!(
                "usherd{} takes connections and has not answered within {} s: it hangs, and logins get no session.",
                of_process(process),
                PATIENCE.as_secs()
            ),
            "look at the end of its log, then restart its service: no session is lost by that",
        ),
        (Reach::Refuses, Some(process)) => Finding::problem(
            ANSWER,
            format!("usherd{} runs, and its socket {socket} is another one's.", of_process(Some(process))),
            "restart its service",
        ),
        (Reach::Refuses, None) => Finding::problem(
            ANSWER,
            "usherd is not running: it has left its socket behind, so it was killed or has crashed.",
            "start its service; its log, or running /usr/sbin/usherd as root, shows why it ended",
        ),
        (Reach::Absent, _) if !machine.tree.exists(PROGRAM) => Finding::problem(
            ANSWER,
            format!("usherd is not running, and there is no {PROGRAM}."),
            "install usher, then start the service usherd",
        ),
        (Reach::Absent, Some(process)) => Finding::problem(
            ANSWER,
            format!(
                "usherd{} runs, and there is no socket {socket}: somebody has removed it, or /run is another one.",
                of_process(Some(process))
            ),
            "restart its service",
        ),
        (Reach::Absent, None) => Finding::problem(
            ANSWER,
            "usherd is not running: logins get no session.",
            "start its service, or run /usr/sbin/usherd as root to see why it fails",
        ),
        (Reach::Fails(why), _) => Finding::problem(
            ANSWER,
            format!("usherd cannot be asked: {}.", why.trim_end_matches('.')),
            format!("look at {socket} and at usherd's log; restart its service"),
        ),
    }
}

fn badness(reach: &Reach) -> u8 {
    match reach {
        Reach::Answers(_) => 0,
        Reach::Fails(_) => 1,
        Reach::Absent => 2,
        Reach::Refuses => 3,
        Reach::Hangs => 4,
    }
}

fn answers(machine: &Machine, after: Duration, process: Option<&Process>) -> Finding {
    let status = machine.asked.status.as_ref();
    let who = match status {
        Some(status) => {
            let age = time::age(status.started, machine.now.realtime.max(status.started));
            format!("usherd (process {}) answers; started {age}", status.pid)
        }
        None => format!("usherd{} answers", of_process(process)),
    };
    if after <= QUICK {
        return Finding::ok(ANSWER, format!("{who}."));
    }
    Finding::warning(
        ANSWER,
        format!(
            "{who}, after {:.1} s: root's logins wait half a second for it, others five.",
            after.as_secs_f64()
        ),
        "see in its log what it does, and with top what else this machine does",
    )
}

fn of_process(process: Option<&Process>) -> String {
    process.map_or(String::new(), |process| format!(" (process {})", process.pid))
}

fn root_socket(machine: &Machine) -> Finding {
    if let Ok(seen) = machine.tree.look(ROOT_SOCKET_PATH) {
        return socket(ROOT_SOCKET, ROOT_SOCKET_PATH, seen, 0o600);
    }
    Finding::warning(
        ROOT_SOCKET,
        format!(
            "There is no {ROOT_SOCKET_PATH}: logins wait behind everybody else who asks usherd something."
        ),
        "restart usherd; nobody but it should remove anything in /run/usher",
    )
}

/// Whether a socket is what usherd has made.
fn socket(check: &'static str, path: &str, seen: Seen, mode: u32) -> Finding {
    let wrong = if seen.kind != FileType::Socket {
        "is not a socket".to_owned()
    } else if seen.uid != 0 {
        format!("belongs to uid {}, not to root", seen.uid)
    } else if seen.mode != mode {
        format!("has mode {:04o}, not {mode:04o}", seen.mode)
    } else {
        return Finding::ok(check, format!("{path} is root's, with mode {mode:04o}."));
    };
    Finding::problem(check, format!("{path} {wrong}."), "find out who has changed it, and restart usherd")
}

fn version(machine: &Machine) -> Option<Finding> {
    let running = machine.asked.version.as_deref()?;
    let own = env!("CARGO_PKG_VERSION");
    Some(if running == own {
        Finding::ok(VERSION, format!("usherd and usherctl are both version {own}."))
    } else {
        Finding::warning(
            VERSION,
            format!("usherd is version {running}, usherctl {own}."),
            "restart usherd after an upgrade (no session is lost by that), or install both from one package",
        )
    })
}

fn configuration(machine: &Machine) -> Vec<Finding> {
    if machine.asked.version.is_none() {
        let why = "The configuration was not read: usherd does not answer.";
        return vec![Finding::skipped(CONFIGURATION, why, "see above")];
    }
    let Some(status) = &machine.asked.status else {
        return vec![unanswered(machine, CONFIGURATION, "Whether the configuration has mistakes")];
    };
    if status.configuration_warnings.is_empty() {
        let text = match status.configuration_files.as_slice() {
            [] => "There is no configuration file: everything is at its default.".to_owned(),
            files => format!("The configuration has no mistakes: {}.", files.join(", ")),
        };
        return vec![Finding::ok(CONFIGURATION, text)];
    }
    let warning = |text: &String| {
        let text = format!("usherd says of its configuration: {}.", text.trim_end_matches('.'));
        Finding::warning(
            CONFIGURATION,
            text,
            format!("correct it, then have it read again: kill -HUP {}", status.pid),
        )
    };
    status.configuration_warnings.iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::super::AS_ROOT;
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn one_that_answers() {
        let fixture = Fixture::new().file("/run/usher/x", "");
        let findings = check(&fixture.machine);
        assert_eq!(verdict(&findings, ANSWER), Verdict::Ok);
        assert_eq!(verdict(&findings, VERSION), Verdict::Ok);
        assert_eq!(verdict(&findings, CONFIGURATION), Verdict::Ok);
        assert_eq!(verdict(&findings, ROOT_SOCKET), Verdict::Warning, "none in this tree");
    }

    #[test]
    fn absent_refused_hung_and_stopped_are_told_apart() {
        let by = |reach: Reach, fixture: Fixture| {
            let fixture = fixture.changed(|machine| machine.asked.reach = Some(reach));
            words(&check(&fixture.machine), ANSWER)
        };
        let absent = by(Reach::Absent, Fixture::new().dead());
        assert!(absent.contains("no /usr/sbin/usherd") && absent.contains("install usher"), "{absent}");
        let absent = by(Reach::Absent, Fixture::new().dead().file(PROGRAM, ""));
        assert!(absent.contains("usherd is not running: logins"), "{absent}");
        let refuses = by(Reach::Refuses, Fixture::new().dead());
        assert!(refuses.contains("left its socket behind"), "{refuses}");
        let hangs = by(Reach::Hangs, Fixture::new());
        assert!(hangs.contains("(process 71) takes connections") && hangs.contains("it hangs"), "{hangs}");
        let stopped = Fixture::new().changed(|machine| machine.processes[1].state = 'T');
        let stopped = by(Reach::Hangs, stopped);
        assert!(stopped.contains("kill -CONT 71"), "{stopped}");
        let slow = by(Reach::Answers(Duration::from_secs(2)), Fixture::new());
        assert!(slow.contains("after 2.0 s"), "{slow}");
    }

    #[test]
    fn a_hung_root_socket_counts() {
        let fixture = Fixture::new().changed(|machine| machine.asked.root_reach = Some(Reach::Hangs));
        assert_eq!(verdict(&check(&fixture.machine), ANSWER), Verdict::Problem);
    }

    #[test]
    fn a_root_socket_that_is_missing_is_no_usherd_that_is() {
        let fixture = Fixture::new().changed(|machine| machine.asked.root_reach = Some(Reach::Absent));
        assert_eq!(verdict(&check(&fixture.machine), ANSWER), Verdict::Ok);
        let fixture = Fixture::new().changed(|machine| machine.asked.root_reach = Some(Reach::Refuses));
        let said = words(&check(&fixture.machine), ANSWER);
        assert!(said.contains("its socket /run/usher/broker.root is another one's"), "{said}");
    }

    #[test]
    fn an_older_usherd_that_does_not_say() {
        let fixture = Fixture::new().changed(|machine| machine.asked.status = None);
        let findings = check(&fixture.machine);
        assert_eq!(verdict(&findings, CONFIGURATION), Verdict::Skipped);
        assert!(words(&findings, CONFIGURATION).contains("restart usherd"));
    }

    #[test]
    fn sockets_are_roots() {
        let seen = |kind, uid, mode| socket(SOCKET, SOCKET_PATH, Seen { kind, uid, mode }, 0o666);
        assert_eq!(seen(FileType::Socket, 0, 0o666).verdict, Verdict::Ok);
        assert!(seen(FileType::RegularFile, 0, 0o666).finding.contains("not a socket"));
        assert!(seen(FileType::Socket, 7, 0o666).finding.contains("uid 7"));
        assert!(seen(FileType::Socket, 0, 0o600).finding.contains("mode 0600, not 0666"));
    }

    #[test]
    fn another_version_and_mistakes() {
        let fixture = Fixture::new().changed(|machine| machine.asked.version = Some("0.0.1".into()));
        assert_eq!(verdict(&check(&fixture.machine), VERSION), Verdict::Warning);
        let fixture = Fixture::new().status(|status| {
            status.configuration_warnings =
                vec!["/etc/usher/usher.conf:3: Nope: unknown key; ignored".into()];
        });
        let findings = check(&fixture.machine);
        assert_eq!(verdict(&findings, CONFIGURATION), Verdict::Warning);
        assert!(words(&findings, CONFIGURATION).contains("usher.conf:3: Nope"));
    }

    #[test]
    fn what_only_root_is_told() {
        let findings = check(&Fixture::new().unprivileged().machine);
        assert_eq!(verdict(&findings, ANSWER), Verdict::Ok);
        assert_eq!(verdict(&findings, CONFIGURATION), Verdict::Skipped);
        assert!(words(&findings, CONFIGURATION).contains(AS_ROOT));
    }
}
