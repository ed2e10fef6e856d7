//! Asking usherctl doctor.

#![allow(dead_code)]

use serde_json::Value;
use usher_tests::{Machine, Output};

/// Users go at once, and nobody has a manager that takes its time.
pub(crate) const QUICK: &str = "[Login]\nUserStopDelaySec=0\nManager=none\n";

/// What it said.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    pub(crate) code: i32,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: String,
    pub(crate) verdict: String,
    /// What was found, and what to do.
    pub(crate) words: String,
}

/// As root.
pub(crate) fn doctor(machine: &Machine) -> Diagnosis {
    read(&machine.try_run(&["usherctl", "doctor", "--json=short"]))
}

/// The same where nothing is to be wrong. A computer that is very busy makes usherd slow, which is told, but not three times.
pub(crate) fn healthy(machine: &Machine) -> Diagnosis {
    let mut diagnosis = doctor(machine);
    for _ in 0..2 {
        if diagnosis.wrong().iter().all(|finding| finding.check == "daemon.answer") && diagnosis.code != 0 {
            diagnosis = doctor(machine);
        }
    }
    assert_eq!((diagnosis.code, diagnosis.wrong()), (0, Vec::<&Finding>::new()));
    diagnosis
}

/// As somebody else, without a session.
pub(crate) fn doctor_as(machine: &Machine, user: &str) -> Diagnosis {
    read(&machine.try_as_user(user, &["usherctl", "doctor", "--json=short"]))
}

pub(crate) fn read(output: &Output) -> Diagnosis {
    assert_eq!(output.stderr, "");
    let list: Vec<Value> =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    let text = |value: &Value, key: &str| {
        value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
    };
    let finding = |value: &Value| Finding {
        check: text(value, "check"),
        verdict: text(value, "verdict"),
        words: format!("{} {}", text(value, "finding"), text(value, "advice")),
    };
    Diagnosis { code: output.code, findings: list.iter().map(finding).collect() }
}

impl Diagnosis {
    /// The findings of one check.
    pub(crate) fn of(&self, check: &str) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.check == check).collect()
    }

    /// There is a finding of this check with this verdict and these words.
    #[track_caller]
    pub(crate) fn has(&self, check: &str, verdict: &str, words: &[&str]) {
        let fits = |finding: &&Finding| {
            finding.verdict == verdict && words.iter().all(|words| finding.words.contains(words))
        };
        assert!(
            self.of(check).iter().any(fits),
            "no {verdict} of {check} with {words:?} in {:#?}",
            self.findings
        );
    }

    /// Those that are neither as they should be nor merely worth knowing.
    pub(crate) fn wrong(&self) -> Vec<&Finding> {
        let is_wrong = |finding: &&Finding| !matches!(finding.verdict.as_str(), "ok" | "note");
        self.findings.iter().filter(is_wrong).collect()
    }
}
