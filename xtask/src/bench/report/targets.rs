//! What is to be reached, and what was.

use super::bus;
use super::side::{all_cpu, find, none_held, p50, warm};
use crate::bench::broker::Name;
use crate::bench::peers::{Case, Memory, Peers};
use crate::bench::results::Results;

/// Of elogind's and logind's times.
const OPEN: [(Name, f64); 2] = [(Name::Elogind, 0.25), (Name::Logind, 1.0 / 15.0)];
const CPU: [(Name, f64); 2] = [(Name::Elogind, 1.0 / 5.0), (Name::Logind, 1.0 / 20.0)];
const CLOSE_TO_ELOGIND: f64 = 0.5;
const OPEN_TO_FLOOR: f64 = 2.0;
const PERMIT_TO_RATE: f64 = 1.0 / 0.9;
const FIRST_MS: f64 = 5.0;
/// A small manager has little to wait for.
const FIRST_DINIT_MS: f64 = 3.0;
/// With few sessions what one takes is hidden by everything else.
const MANY: usize = 1000;
const SESSION_KIB: f64 = 1.0;
const HELD_TO_NONE: f64 = 1.2;
const REVIVAL_MS: f64 = 200.0;
const MODULE_KIB: f64 = 400.0;

/// Something to be reached.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) measured: Option<f64>,
    /// At most so much; NaN if it depends on what was not measured.
    pub(crate) limit: f64,
    pub(crate) unit: &'static str,
}

impl Target {
    pub(crate) fn verdict(&self) -> &'static str {
        match self.measured {
            Some(measured) if measured <= self.limit => "reached",
            Some(_) => "NOT REACHED",
            None => "NOT MEASURED",
        }
    }
}

/// Prints them.
pub(super) fn print(results: &Results) {
    println!("\nTargets");
    for target in all(results) {
        let Target { what, measured, limit, unit } = &target;
        let measured = measured.map_or_else(|| "        -".to_owned(), |number| format!("{number:9.3}"));
        let limit = if limit.is_nan() { "        -".to_owned() } else { format!("{limit:9.3}") };
        println!("  {what:52} {measured} {unit:3}   at most {limit} {unit:3}   {}", target.verdict());
    }
}

/// All of them, with what was measured.
pub(crate) fn all(results: &Results) -> Vec<Target> {
    let mut targets = Targets::default();
    add(&mut targets, results);
    targets.0
}
/// What is to be reached, while it is gathered.
#[derive(Default)]
pub(super) struct Targets(Vec<Target>);

impl Targets {
    /// Adds one.
    pub(super) fn at_most(&mut self, what: &str, measured: Option<f64>, limit: f64, unit: &'static str) {
        self.0.push(Target { what: what.to_owned(), measured, limit, unit });
    }
}

fn add(targets: &mut Targets, results: &Results) {
    let peers = &results.peers;
    warm_logins(targets, peers);
    first_logins(targets, results);
    held(targets, peers);
    memory(targets, peers);
    for quiet in peers.quiet.iter().filter(|quiet| quiet.broker == Name::Usher) {
        let what = format!("wake-ups a minute at rest, {} held", quiet.held);
        targets.at_most(&what, Some(quiet.per_minute()), 0.0, "");
    }
    for revived in peers.revived.iter().filter(|revived| revived.broker == Name::Usher) {
        let what = format!("kill -9 to serving, {} sessions", revived.before);
        targets.at_most(&what, revived.serves_ms, REVIVAL_MS, "ms");
    }
    let kib = results.module.as_ref().map(|module| module.bytes as f64 / 1024.0);
    targets.at_most("pam_usher.so, stripped", kib, MODULE_KIB, "KiB");
    let surplus = results.module.as_ref().map(|module| module.surplus().count() as f64);
    targets.at_most("its libraries besides libpam, libc, libgcc", surplus, 0.0, "");
    bus::add_targets(targets, &results.bus);
}

fn warm_logins(targets: &mut Targets, peers: &Peers) {
    let usher = warm(peers, Name::Usher, false, 1);
    let open = |case: Option<&Case>, percent| case.and_then(|case| case.open.percentile(percent));
    for percent in [50, 99] {
        for (name, limit) in OPEN {
            let measured = divide(open(usher, percent), open(warm(peers, name, false, 1), percent));
            targets.at_most(&format!("warm open p{percent}, to {}'s", name.text()), measured, limit, "x");
        }
    }
    let floor = p50(peers.floor.get("open"));
    targets.at_most(
        "warm open p50, to the bare kernel's",
        divide(open(usher, 50), floor),
        OPEN_TO_FLOOR,
        "x",
    );
    let close = |case: Option<&Case>| p50(case.map(|case| &case.close));
    let elogind = close(warm(peers, Name::Elogind, false, 1));
    targets.at_most("warm close p50, to elogind's", divide(close(usher), elogind), CLOSE_TO_ELOGIND, "x");
    for at_once in [8, 32] {
        let rate = |permit| warm(peers, Name::Usher, permit, at_once).map(|case| case.logins_per_second);
        let permit = rate(true).unwrap_or(f64::NAN);
        let what = format!("{at_once} at once: pam_permit's {permit:.0} logins/s to usher's");
        targets.at_most(&what, divide(rate(true), rate(false)), PERMIT_TO_RATE, "x");
    }
    for (name, limit) in CPU {
        let peer = warm(peers, name, false, 1).and_then(Case::broker_cpu);
        let measured = divide(usher.and_then(Case::broker_cpu), peer);
        targets.at_most(&format!("processor time of a login, to {}'s", name.text()), measured, limit, "x");
        let measured = divide(all_cpu(peers, Name::Usher), all_cpu(peers, name));
        targets.at_most(&format!("with the module's, to {}'s", name.text()), measured, limit, "x");
    }
}

fn first_logins(targets: &mut Targets, results: &Results) {
    for first in results.alone.first.iter().filter(|first| first.readiness.is_some()) {
        let what = format!("first login p50, over bare {}", first.title);
        let limit = if first.manager == "dinit" { FIRST_DINIT_MS } else { FIRST_MS };
        targets.at_most(&what, first.added(), limit, "ms");
    }
    let open =
        |name| p50(results.peers.first.iter().find(|first| first.broker == name).map(|first| &first.open));
    targets.at_most("first login p50, to logind's", divide(open(Name::Usher), open(Name::Logind)), 1.0, "x");
}

fn held(targets: &mut Targets, peers: &Peers) {
    let most =
        peers.warm.iter().filter(|case| case.broker == Name::Usher).map(|case| case.held).max().unwrap_or(0);
    let open = |case: Option<&Case>| p50(case.map(|case| &case.open));
    let (many, none) = (find(peers, Name::Usher, false, 1, most), none_held(peers, Name::Usher, most));
    let measured = divide(open(many), open(none)).filter(|_| most > 0);
    targets.at_most(&format!("one more login, {most} held to none"), measured, HELD_TO_NONE, "x");
    let closed =
        peers.closed.iter().filter(|closed| closed.broker == Name::Usher).max_by_key(|closed| closed.open);
    let failed = closed.map(|closed| (closed.failed + closed.unfinished) as f64);
    let what = format!("errors when all {} close", closed.map_or(0, |closed| closed.open));
    targets.at_most(&what, failed, 0.0, "");
}

fn memory(targets: &mut Targets, peers: &Peers) {
    let daemons = |name| peers.memory.iter().filter(move |memory| memory.daemon && memory.broker == name);
    let none =
        |name| daemons(name).find(|daemon| daemon.held == 0).map(|daemon: &Memory| daemon.pss_kib as f64);
    let limit = none(Name::Elogind).unwrap_or(f64::NAN);
    let measured = none(Name::Usher).filter(|_| !limit.is_nan());
    targets.at_most("PSS, no session, to elogind's", measured, limit, "KiB");
    for daemon in daemons(Name::Usher).filter(|daemon| daemon.held >= MANY) {
        let more = none(Name::Usher).map(|none| (daemon.pss_kib as f64 - none) / daemon.held as f64);
        targets.at_most(&format!("PSS for each of {} sessions", daemon.held), more, SESSION_KIB, "KiB");
    }
}

fn divide(this: Option<f64>, other: Option<f64>) -> Option<f64> {
    this.zip(other).filter(|(_, other)| *other > 0.0).map(|(this, other)| this / other)
}
