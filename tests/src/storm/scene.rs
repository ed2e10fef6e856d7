//! What every storm does to usherd, and what it looks at afterwards.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::{Plan, Survived};
use crate::load::{self, Logins, Outcome};
use crate::{DEADLINE, Machine, Size, Usherd};

/// Growth that is no growth: caches that fill, pages that are touched for the first time. In KiB.
const SLACK: u64 = 2048;

/// A machine in a storm.
pub(super) struct Storm<'m> {
    pub(super) machine: &'m Machine,
    pub(super) usherd: Usherd<'m>,
    pub(super) chance: Rng,
    pub(super) survived: Survived,
}

impl<'m> Storm<'m> {
    /// Starts usherd, and takes its size when it has had a few logins.
    pub(super) fn begin(machine: &'m Machine, plan: &Plan) -> Result<Self> {
        let usherd = machine.start_usherd_quietly();
        let warm =
            load::cycles(machine, Logins { users: "alice,bob", count: 20, at_once: 4, ..Logins::default() })?;
        ensure!(warm.failures.is_empty(), "not even before the storm: {:?}", warm.failures);
        machine.wait_no_leftovers(DEADLINE);
        let survived = Survived { before: machine.size_of(usherd.pid()), ..Survived::default() };
        Ok(Self { machine, usherd, chance: Rng::with_seed(plan.seed), survived })
    }

    /// Waves of logins, until there were as many as planned or the time is over. Each is told how many it is, at most `size`, and
    /// says how they went.
    pub(super) fn waves(
        &mut self,
        plan: &Plan,
        size: usize,
        mut wave: impl FnMut(&mut Self, usize) -> Result<Outcome>,
    ) -> Result<()> {
        let mut made = 0;
        while made < plan.logins && plan.has_time() {
            let count = size.min(plan.logins - made);
            let outcome = wave(self, count)?;
            ensure!(outcome.failures.is_empty(), "logins did not go as they should: {:?}", outcome.failures);
            made += count;
            self.survived.count(&outcome);
        }
        Ok(())
    }

    /// Those logins, and what happens to usherd while not all of them are over: it is called again and again.
    pub(super) fn amid(&mut self, logins: Logins<'_>, mut act: impl FnMut(&mut Self)) -> Result<Outcome> {
        let machine = self.machine;
        std::thread::scope(|scope| {
            let wave = scope.spawn(|| load::cycles(machine, logins));
            while !wave.is_finished() {
                act(self);
            }
            wave.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// For up to so many milliseconds the storm goes on. Not a wait for anything: the moment of what comes next is what is
    /// varied.
    pub(super) fn pause(&mut self, at_most: u64) {
        std::thread::sleep(Duration::from_millis(self.chance.u64(..=at_most)));
    }

    /// Kills usherd and starts it again, as a service manager would.
    pub(super) fn crash(&mut self) {
        self.usherd.kill9();
        let start = Instant::now();
        self.usherd.start();
        self.survived.back_after = self.survived.back_after.max(start.elapsed());
        self.survived.crashes += 1;
    }

    /// Stops usherd for up to so many milliseconds.
    pub(super) fn stall(&mut self, at_most: u64) {
        self.usherd.sigstop();
        self.pause(at_most);
        self.usherd.sigcont();
        self.survived.stalls += 1;
    }

    /// Nobody has two user managers, whatever has happened.
    pub(super) fn no_second_manager(&self) -> Result<()> {
        for slice in self.machine.cgroup_children("/user.slice") {
            let Some(uid) = slice.strip_prefix("user-").and_then(|name| name.strip_suffix(".slice")) else {
                continue;
            };
            let service = format!("/user.slice/{slice}/user@{uid}.service/init.scope");
            let processes = self.machine.cgroup_procs(&service).unwrap_or_default();
            // A manager, and before it its launcher, which keeps the manager's PAM session.
            ensure!(processes.len() <= 2, "user {uid} has {} managers: {processes:?}", processes.len());
        }
        Ok(())
    }

    /// After the storm: everybody is gone, nothing is left, and usherd is as large as it was.
    pub(super) fn end(mut self, limit: Duration) -> Result<Survived> {
        self.machine.wait_no_leftovers(limit);
        ensure!(self.usherd.is_running(), "usherd has ended: {}", self.usherd.log());
        let known = self.machine.run(&["usherctl", "list-sessions", "--no-legend"]).stdout;
        ensure!(known.trim().is_empty(), "usherd knows of sessions: {known}");
        let (machine, pid, before) = (self.machine, self.usherd.pid(), self.survived.before);
        machine.wait_for("usherd's descriptors to be closed", || {
            machine.size_of(pid).descriptors <= before.descriptors
        });
        self.survived.after = self.same_size();
        Ok(self.survived)
    }

    /// Waits until usherd takes as much memory as before the storm: it gives back what a rush has needed, soon.
    pub(super) fn same_size(&self) -> Size {
        let (machine, pid) = (self.machine, self.usherd.pid());
        let most = self.survived.before.anonymous_kib + SLACK;
        machine.wait_for(&format!("usherd to take no more than {most} KiB"), || {
            machine.size_of(pid).anonymous_kib <= most
        });
        machine.size_of(pid)
    }
}
