//! The tables of what was measured with a bus.

use super::targets::Targets;
use super::three;
use crate::bench::bus::{Bus, Company, Cost, When};
use crate::bench::stats::Times;

const LIST_TARGET_MS: f64 = 10.0;
const LOGIN_TARGET_TIMES: f64 = 1.5;

/// Prints it all but the targets.
pub(super) fn print(bus: &Bus) {
    print_calls(bus);
    print_logins(bus);
    print_memory(bus);
    println!("\nNothing happens, the bus is connected");
    for quiet in &bus.quiet {
        println!(
            "  {} sessions held: usherd woken {} times in {:.1} s, {:.1} times a minute",
            quiet.held,
            quiet.wakes,
            quiet.seconds,
            quiet.per_minute()
        );
    }
}

fn print_calls(bus: &Bus) {
    println!("\nCalls of org.freedesktop.login1, one at a time          n          p50    p90    p99");
    for calls in &bus.calls {
        for (name, times) in &calls.times {
            let name = format!("{name}, {} sessions held", calls.held);
            println!("  {name:48} {:6}   {}", times.len(), three(times));
        }
    }
}

fn print_logins(bus: &Bus) {
    println!(
        "\nThe same logins, with a bus                  n     open p50    p90    p99   close p50    p90    p99   \
         both p50: times no bus"
    );
    for cost in &bus.logins {
        let name = format!("{}, {} sessions held", called(cost.company), cost.held);
        let ratio = ratio(Some(cost), find(bus, Company::Nobody, cost.held));
        let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        println!(
            "  {name:38} {:5}   {}   {}   {ratio}",
            cost.open.len(),
            three(&cost.open),
            three(&cost.close)
        );
    }
}

fn print_memory(bus: &Bus) {
    println!("\nMemory of usherd, with a bus             PSS KiB   of it anonymous   descriptors");
    for (when, memory) in &bus.memory {
        let when = match when {
            When::WithoutBus => "no bus",
            When::Connected => "bus connected",
            When::Called => "after the calls",
        };
        let name = format!("{} sessions held, {when}", memory.held);
        println!(
            "  {name:38} {:7}   {:15}   {:11}",
            memory.pss_kib, memory.anonymous_kib, memory.descriptors
        );
    }
}

/// What is to be reached of it.
pub(super) fn add_targets(targets: &mut Targets, bus: &Bus) {
    if let Some(calls) = bus.calls.last() {
        let p50 = calls.times.get("ListSessions").and_then(|times| times.percentile(50));
        targets.at_most(
            &format!("ListSessions p50, {} sessions held", calls.held),
            p50,
            LIST_TARGET_MS,
            "ms",
        );
    }
    for cost in bus.logins.iter().filter(|cost| cost.company != Company::Nobody) {
        let what = format!("login, logout: {}, {} held", called(cost.company), cost.held);
        targets.at_most(
            &what,
            ratio(Some(cost), find(bus, Company::Nobody, cost.held)),
            LOGIN_TARGET_TIMES,
            "x",
        );
    }
    let (first, last) = (bus.calls.first(), bus.calls.last());
    if let Some((none, many)) = first.zip(last).map(|(none, many)| (none.held, many.held)) {
        let what = format!("the same: a listener, {many} held to {none}");
        let ratio = ratio(find(bus, Company::Listener, many), find(bus, Company::Listener, none));
        targets.at_most(&what, ratio, LOGIN_TARGET_TIMES, "x");
    }
    for quiet in &bus.quiet {
        let what = format!("wake-ups a minute at rest, {} held", quiet.held);
        targets.at_most(&what, Some(quiet.per_minute()), 0.0, "");
    }
}

fn find(bus: &Bus, company: Company, held: usize) -> Option<&Cost> {
    bus.logins.iter().find(|cost| cost.company == company && cost.held == held)
}

/// How many times as long a login and its logout take, by their p50.
fn ratio(this: Option<&Cost>, other: Option<&Cost>) -> Option<f64> {
    let p50 = |cost: Option<&Cost>| cost.and_then(|cost| Times::percentile(&cost.both, 50));
    Some(p50(this)? / p50(other)?)
}

fn called(company: Company) -> &'static str {
    match company {
        Company::Nobody => "no bus",
        Company::Bus => "a bus",
        Company::Listener => "a listener",
    }
}
