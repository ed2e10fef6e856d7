//! A machine made of a directory, for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use usher_protocol::messages::{StatusView, UserView};

use crate::clock::Now;
use crate::doctor::asked::{Asked, Reach};
use crate::doctor::finding::{Finding, Verdict};
use crate::doctor::machine::{Caller, Machine};
use crate::doctor::processes::Process;
use crate::doctor::tree::Tree;

/// The directory goes with it.
pub(super) struct Fixture {
    pub(super) directory: TempDir,
    pub(super) machine: Machine,
}

impl Fixture {
    /// Nothing but usherd, which answers root.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let asked = Asked {
            reach: Some(Reach::Answers(std::time::Duration::ZERO)),
            root_reach: Some(Reach::Answers(std::time::Duration::ZERO)),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            status: Some(StatusView::default()),
            users: Some(Vec::new()),
            sessions: Some(Vec::new()),
            own_session: Some(None),
        };
        let machine = Machine {
            tree: Tree::at(directory.path()),
            runtime_names: Vec::new(),
            asked,
            processes: Vec::new(),
            mounts: Vec::new(),
            caller: Caller { uid: 0, runtime_dir: None, session: None },
            now: Now::read(),
        };
        Self { directory, machine }.process(1, "init", 0).process(71, "usherd", 0)
    }

    pub(super) fn process(mut self, pid: u32, name: &str, uid: u32) -> Self {
        self.machine.processes.push(Process { pid, name: name.to_owned(), uid, state: 'S' });
        self
    }

    pub(super) fn file(self, path: &str, text: &str) -> Self {
        let target = self.made(path);
        fs::write(target, text).expect("a file");
        self
    }

    pub(super) fn link(self, path: &str, to: &str) -> Self {
        let target = self.made(path);
        symlink(Path::new(to), target).expect("a link");
        self
    }

    pub(super) fn directory(self, path: &str) -> Self {
        fs::create_dir_all(self.made(path)).expect("a directory");
        self
    }

    pub(super) fn status(mut self, change: impl FnOnce(&mut StatusView)) -> Self {
        change(self.machine.asked.status.get_or_insert_default());
        self
    }

    pub(super) fn changed(mut self, change: impl FnOnce(&mut Machine)) -> Self {
        change(&mut self.machine);
        self
    }

    /// As anybody else than root sees it.
    pub(super) fn unprivileged(self) -> Self {
        self.changed(|machine| {
            machine.caller.uid = 1001;
            machine.asked.status = None;
            machine.asked.root_reach = None;
        })
    }

    /// Without usherd.
    pub(super) fn dead(mut self) -> Self {
        self.machine.asked =
            Asked { reach: Some(Reach::Absent), root_reach: Some(Reach::Absent), ..Asked::default() };
        self.machine.processes.retain(|process| process.name != "usherd");
        self
    }

    fn made(&self, path: &str) -> std::path::PathBuf {
        let target = self.directory.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
        target
    }
}

/// The verdicts on a check, with what was found.
#[track_caller]
pub(super) fn verdict(findings: &[Finding], check: &str) -> Verdict {
    let mut of_check = findings.iter().filter(|finding| finding.check == check);
    let finding = of_check.next().unwrap_or_else(|| panic!("nothing about {check} in {findings:#?}"));
    assert_eq!(of_check.next(), None, "more than one about {check}");
    if matches!(finding.verdict, Verdict::Warning | Verdict::Problem | Verdict::Skipped) {
        assert!(!finding.advice.is_empty(), "no advice: {finding:?}");
    }
    finding.verdict
}

/// The words on a check.
#[track_caller]
pub(super) fn words(findings: &[Finding], check: &str) -> String {
    let of_check = findings.iter().filter(|finding| finding.check == check);
    of_check.map(|finding| format!("{} {}\n", finding.finding, finding.advice)).collect()
}

/// Somebody who is logged in, whose manager is ready.
pub(super) fn user(name: &str, uid: u32) -> UserView {
    let view = serde_json::json!({
        "uid": uid, "gid": uid, "name": name, "timestamp": 1, "timestamp_monotonic": 1,
        "runtime_path": format!("/run/user/{uid}"), "service": format!("user@{uid}.service"),
        "slice": format!("user-{uid}.slice"), "display": null, "state": "active", "sessions": [],
        "idle_hint": false, "idle_since": 0, "idle_since_monotonic": 0, "linger": false, "manager": "ready",
        "manager_pid": 111, "notice": "", "control_group": null,
    });
    serde_json::from_value(view).expect("a user")
}
