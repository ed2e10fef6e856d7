//! Other programs that want to manage sessions: two of them take each other's apart.

use super::AS_ROOT;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;

const RUNNING: &str = "brokers.running";
const SEATD: &str = "brokers.seatd";

/// Names of processes, of which the kernel keeps 15 characters, what to call them, and how each is stopped.
const RIVALS: [(&str, &str, &str); 5] = [
    ("systemd-logind", "systemd-logind", "systemctl enable usherd && reboot"),
    ("elogind", "elogind", "stop its service and take it out of the boot; then restart usherd"),
    ("elogind-daemon", "elogind", "stop its service and take it out of the boot; then restart usherd"),
    ("turnstiled", "turnstiled", "stop its service and take it out of the boot; then restart usherd"),
    ("console-kit-dae", "ConsoleKit", "stop its service and take it out of the boot; then restart usherd"),
];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    if machine.init().is_empty() {
        let why = "Other users' processes are hidden from this one (hidepid), brokers among them.";
        return vec![Finding::skipped(RUNNING, why, AS_ROOT)];
    }
    let mut findings = Vec::new();
    for (name, shown, advice) in RIVALS {
        findings.extend(machine.daemons(name).map(|process| {
            Finding::problem(
                RUNNING,
                format!(
                    "{shown} (process {}) runs: two session brokers fight over the same logins.",
                    process.pid
                ),
                advice,
            )
        }));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(RUNNING, "No other session broker runs."));
    }
    findings.extend(machine.daemons("seatd").next().map(|seatd| {
        Finding::note(
            SEATD,
            format!(
                "seatd (process {}) runs and hands out devices, which usherd does not do yet.",
                seatd.pid
            ),
            "keep it for Wayland compositors; the two do not get in each other's way",
        )
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn only_roots_are_rivals() {
        let fixture = Fixture::new().process(80, "elogind", 1000).process(81, "seatd", 0);
        let findings = check(&fixture.machine);
        assert_eq!(verdict(&findings, RUNNING), Verdict::Ok);
        assert_eq!(verdict(&findings, SEATD), Verdict::Note);
        let findings = check(&fixture.process(82, "elogind-daemon", 0).machine);
        assert_eq!(verdict(&findings, RUNNING), Verdict::Problem);
        assert!(words(&findings, RUNNING).contains("elogind (process 82)"));
        let findings = check(&Fixture::new().process(9, "systemd-logind", 0).machine);
        assert!(words(&findings, RUNNING).contains("systemctl enable usherd && reboot"));
        let hidden = Fixture::new().changed(|machine| machine.processes.clear());
        assert_eq!(verdict(&check(&hidden.machine), RUNNING), Verdict::Skipped);
    }
}
