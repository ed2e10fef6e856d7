//! The usherd that is measured, and what it takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use usher_tests::load::processes;
use usher_tests::{Background, Machine, Size, spec};

/// A usherd as an init would start it; the harness's own way of starting it turns on debugging messages.
pub(super) struct Usherd<'m> {
    machine: &'m Machine,
    process: Background<'m>,
}

/// What usherd takes with so many sessions held.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) held: usize,
    pub(crate) pss_kib: u64,
    pub(crate) anonymous_kib: u64,
    pub(crate) descriptors: usize,
}

impl<'m> Usherd<'m> {
    pub(super) fn start(machine: &'m Machine) -> Result<Self> {
        let environment = [("NOTIFY_SOCKET", spec::NOTIFY_SOCKET)];
        let process = machine.spawn_with(&["/usr/sbin/usherd"], None, &environment);
        let ready = format!("{} READY=1", process.pid());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !machine.read(spec::NOTIFICATIONS).lines().any(|line| line == ready) {
            anyhow::ensure!(Instant::now() < deadline, "usherd does not start: {}", process.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        processes::apply_nice_to_session(&machine.file(format!("/proc/{}", process.pid())));
        Ok(Self { machine, process })
    }

    pub(super) fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub(super) fn log(&self) -> String {
        self.process.log()
    }

    pub(super) fn memory(&self, held: usize) -> Memory {
        Memory::of(self.machine, self.pid(), held)
    }
}

/// Why a login failed: what the PAM module and usherd have said of it last, at least as warnings (syslog(3), severities).
pub(super) fn complaints(machine: &Machine) -> Vec<String> {
    const WARNING: u32 = 4;
    let syslog = machine.syslog();
    let is_complaint = |line: &&str| {
        let priority = line.strip_prefix('<').and_then(|rest| rest.split_once('>')?.0.parse::<u32>().ok());
        line.contains("usher") && priority.is_some_and(|priority| priority % 8 <= WARNING)
    };
    let last: Vec<&str> = syslog.lines().rev().filter(is_complaint).take(3).collect();
    last.into_iter().rev().map(|line| format!("syslog: {line}")).collect()
}

impl Memory {
    pub(super) fn of(machine: &Machine, pid: i32, held: usize) -> Self {
        let Size { pss_kib, anonymous_kib, descriptors, .. } = machine.size_of(pid);
        Self { held, pss_kib, anonymous_kib, descriptors }
    }
}
