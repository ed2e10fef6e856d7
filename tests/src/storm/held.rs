//! Thousands of sessions of several users with a manager each: a crash of usherd forgets none of them, and all of them
//! can end at once. logind keeps the descriptors of its sessions with PID 1, which holds 768; usherd opens them anew.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::picture::Picture;
use super::{Plan, Storm, Survived, explained, town};
use crate::load::{self, Ending, Held, Logins, Outcome};
use crate::{DEADLINE, Machine, Size};

/// As many users share the sessions.
const USERS: usize = 10;
/// So many are opened between two looks at the clock; after the first, logins are measured beside them.
const CHUNK: usize = 1000;
/// Logins that are measured.
const SAMPLE: usize = 100;
/// A stop delay that a restart fits into.
const CONFIG: &str =
    "[Login]\nUserStopDelaySec=2\nManager=/usr/bin/usher-pam-load manager\nManagerReadyWaitSec=30\n";

/// Opens them, kills usherd, starts it, ends all of them at once (`ending`), and restarts usherd within the stop delay.
///
/// # Errors
/// Whatever did not hold.
///
/// # Panics
/// The same, with the machine's dump.
pub fn held(plan: &Plan, ending: Ending) -> Result<Survived> {
    let (machine, users) = town(USERS, CONFIG)?;
    explained(&machine, rage(&machine, &users, plan, ending))
}

fn rage(machine: &Machine, users: &str, plan: &Plan, ending: Ending) -> Result<Survived> {
    let mut storm = Storm::begin(machine, plan)?;
    let mut held = Vec::new();
    sample(machine, &mut storm.survived)?;
    // What follows takes as long as this.
    let half = plan.until.saturating_duration_since(Instant::now()) / 2;
    while storm.survived.peak < plan.logins && Instant::now() + half < plan.until {
        let count = CHUNK.min(plan.logins - storm.survived.peak);
        let some = Held::open(machine, Logins { users, count, at_once: 32, ending, ..Logins::default() })?;
        no_failures("logins", &some.opened)?;
        storm.survived.count(&some.opened);
        storm.survived.peak += some.opened.sessions.len();
        held.push(some);
        if held.len() == 1 {
            sample(machine, &mut storm.survived)?;
        }
    }
    sample(machine, &mut storm.survived)?;
    let peak = storm.survived.peak;
    let opening: u64 = held.iter().map(|some| some.opened.wall_ns).sum();
    storm.survived.note(format!("{peak} opened, 32 at a time, in {:.1?}", Duration::from_nanos(opening)));
    let Size { pss_kib, descriptors, .. } = machine.size_of(storm.usherd.pid());
    storm.survived.note(format!("usherd with all of them: {pss_kib} KiB, {descriptors} descriptors"));

    crash(machine, &mut storm)?;
    end(machine, held, ending, &mut storm)?;
    // Everybody's stop delay runs now. The next usherd goes on where this one was.
    storm.crash();
    storm.end(DEADLINE * 2)
}

/// What a login takes beside the others.
fn sample(machine: &Machine, survived: &mut Survived) -> Result<()> {
    let held = survived.peak;
    let outcome = load::cycles(machine, Logins { users: "bob", count: SAMPLE, ..Logins::default() })?;
    no_failures("logins", &outcome)?;
    survived.count(&outcome);
    let (open, close) = (p50(&outcome.open_ns), p50(&outcome.close_ns));
    survived.note(format!("{held} held: a login takes {open:.2?}, a logout {close:.2?} (p50 of {SAMPLE})"));
    Ok(())
}

fn no_failures(what: &str, outcome: &Outcome) -> Result<()> {
    let failures = &outcome.failures;
    ensure!(failures.is_empty(), "{} {what} have failed: {:?}", failures.len(), failures.first());
    Ok(())
}

/// Nobody is forgotten, and everything is still the same one.
fn crash(machine: &Machine, storm: &mut Storm<'_>) -> Result<()> {
    // The one who was measured with is gone after the stop delay.
    machine.wait_for("bob to be gone", || !machine.exists("/run/systemd/users/1002"));
    let before = Picture::of(machine);
    let managed = before.users.values().filter(|(_, _, manager)| !manager.is_empty()).count();
    ensure!(
        before.users.len() == USERS && managed == USERS,
        "not {USERS} users with managers: {:?}",
        before.users
    );
    let (logins, peak) = (before.logins(), storm.survived.peak);
    ensure!(logins == peak, "{logins} sessions are on file, not {peak}");
    storm.crash();
    let (back, size) = (storm.survived.back_after, machine.size_of(storm.usherd.pid()));
    let processor = size.processor;
    storm.survived.note(format!(
        "served again {back:.2?} after a start with all of them, {processor:.2?} of processor time"
    ));
    let known = machine.run(&["usherctl", "list-sessions", "--no-legend"]).stdout.lines().count();
    ensure!(known == before.sessions.len(), "usherd knows {known} sessions of {}", before.sessions.len());
    let changes = before.difference(&Picture::of(machine));
    ensure!(changes.is_empty(), "the crash has changed something: {changes:#?}");
    Ok(())
}

/// Everybody at once.
fn end(machine: &Machine, held: Vec<Held>, ending: Ending, storm: &mut Storm<'_>) -> Result<()> {
    let pid = storm.usherd.pid();
    let (start, processor) = (Instant::now(), machine.size_of(pid).processor);
    let ends: Vec<Result<Outcome>> = std::thread::scope(|scope| {
        let ends: Vec<_> = held.into_iter().map(|some| scope.spawn(|| some.close())).collect();
        ends.into_iter()
            .map(|end| end.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all = Outcome::default();
    for outcome in ends {
        all.add(outcome?);
    }
    let ended = start.elapsed();
    no_failures("logouts", &all)?;
    machine.wait_for("the sessions to be gone", || Picture::of(machine).logins() == 0);
    let (gone, processor) = (start.elapsed(), machine.size_of(pid).processor - processor);
    storm.survived.count(&all);
    let how = if ending == Ending::Die { "died" } else { "logged out" };
    let line = format!(
        "{} {how} at once in {ended:.1?}, gone after {gone:.1?}, {processor:.1?} of it usherd's processor time",
        storm.survived.peak
    );
    storm.survived.note(line);
    // Before its successor takes over: what it held for them it has given back.
    let size = storm.same_size();
    let survived = &mut storm.survived;
    survived.note(format!("usherd then: {} KiB, {} descriptors", size.pss_kib, size.descriptors));
    let syslog = machine.syslog();
    let given_up =
        syslog.lines().filter(|line| line.contains("pam_usher") && line.contains("closing")).count();
    if given_up > 0 {
        survived.note(format!("{given_up} logouts did not wait for usherd until it was done"));
    }
    Ok(())
}

fn p50(times: &[u64]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().saturating_sub(1) / 2;
    Duration::from_nanos(sorted.get(middle).copied().unwrap_or(0))
}
