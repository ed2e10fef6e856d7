//! The table that people read: numbers, what they are compared with, and whether a target was reached.

use super::bus_report;
use super::plan::{Case, Results};
use super::stats::Times;

const WARM_TARGET_MS: f64 = 0.5;
const FIRST_TARGET_MS: f64 = 5.0;
/// More than the build before a measurement leaves behind on a machine that does nothing else.
const BUSY_LOAD: f64 = 1.5;
const REVIVAL_TARGET_MS: f64 = 200.0;

/// Prints it all.
pub(crate) fn print(results: &Results) {
    let system = &results.system;
    println!(
        "\nusher's logins on {} processors. Times in ms, through PAM, one process per session.",
        system.processors
    );
    if system.load > BUSY_LOAD {
        println!(
            "Other programs have kept {} processors busy (load average): times are longer and differ from run to run.",
            system.load
        );
    }
    print_latency(results);
    print_floor(results);
    print_isolated(results);
    print_first(results);
    print_load(results);
    print_memory(results);
    print_rest(results);
    bus_report::print(&results.bus);
    print_targets(results);
    for failure in results.failures().iter().take(10) {
        println!("FAILED: {failure}");
    }
}

fn print_latency(results: &Results) {
    println!(
        "\nManager running, one login at a time         n     open p50    p90    p99   close p50    p90    p99"
    );
    for case in results.warm.iter().filter(|case| case.at_once == 1) {
        let name = format!("{}, {} sessions held", called(case), case.held);
        println!("  {name:38} {:5}   {}   {}", case.open.len(), three(&case.open), three(&case.close));
    }
    let times = |name| results.floor.get(name).cloned().unwrap_or_default();
    let (open, close) = (times("open"), times("close"));
    let name = "the kernel's share, bare";
    println!("  {name:38} {:5}   {}   {}", open.len(), three(&open), three(&close));
}

fn print_isolated(results: &Results) {
    println!("\nThe same, after 100 ms without a login");
    let isolated = &results.isolated;
    for (name, open, close) in [
        ("usher, 0 sessions held", &isolated.open, &isolated.close),
        ("the kernel's share, bare", &isolated.bare_open, &isolated.bare_close),
    ] {
        println!("  {name:38} {:5}   {}   {}", open.len(), three(open), three(close));
    }
}

fn print_floor(results: &Results) {
    for (name, what) in [
        ("round trip", "socket: connect, request, reply"),
        ("enter cgroup", "mkdir, cgroup.procs"),
        ("two files", "two files replaced by rename"),
        ("leave cgroup", "logout: cgroup.procs, rmdir"),
        ("tmpfs", "first login: tmpfs mounted and gone"),
    ] {
        if let Some(times) = results.floor.get(name) {
            println!("    {what:36} {:5}   {}", times.len(), three(times));
        }
    }
}

fn print_first(results: &Results) {
    println!("\nFirst login of a user                        n          p50    p90    p99");
    for first in &results.first {
        let Some(readiness) = first.readiness else {
            println!("  {:38}     -   not installed", first.title);
            continue;
        };
        let until = match readiness {
            "notify" => "READY=1",
            "fd" => "its newline",
            _ => "exec",
        };
        for (what, times) in [
            (format!("pam_open_session, {}", first.title), &first.open),
            (format!("bare `{}` until {until}", first.title), &first.bare),
        ] {
            println!("  {what:38} {:5}   {}", times.len(), three(times));
        }
    }
}

fn print_load(results: &Results) {
    println!(
        "\nSeveral at once                          logins/s     open p50    p90    p99   close p50    p90    p99"
    );
    for case in results.warm.iter() {
        let name = format!("{}, {} held, {} at once", called(case), case.held, case.at_once);
        let (open, close) = (three(&case.open), three(&case.close));
        println!("  {name:38} {:7.0}   {open}   {close}", case.logins_per_second);
    }
}

fn print_memory(results: &Results) {
    println!("\nMemory of usherd                       PSS KiB   of it anonymous   descriptors");
    let last = results.memory.len().saturating_sub(1);
    for (number, memory) in results.memory.iter().enumerate() {
        let what = if number == last && number > 0 { "all closed, after kill -9" } else { "" };
        let name = format!("{} sessions held {what}", memory.held);
        println!(
            "  {name:36} {:7}   {:15}   {:11}",
            memory.pss_kib, memory.anonymous_kib, memory.descriptors
        );
    }
}

fn print_rest(results: &Results) {
    let holding = &results.holding;
    println!("\n{} sessions of 10 users", holding.count);
    println!("  opened, 32 at a time: {:.0} ms", holding.open_wall_ms);
    let closed = holding.close.len();
    println!("  closed all at once: {closed} in {:.0} ms, without an error: {}", holding.close_wall_ms, {
        if holding.failures.is_empty() { "yes" } else { "NO" }
    });
    let revival = &results.revival;
    println!(
        "  kill -9 of usherd until its successor answers: {:.0} ms ({:.0} ms of it the kernel's, to end the old one); \
         {} of {} sessions known",
        revival.serving_ms, revival.gone_ms, revival.known, revival.expected
    );
}

fn print_targets(results: &Results) {
    println!("\nTargets");
    let warm = results.warm.iter().find(|case| is_usher(case) && case.at_once == 1 && case.held == 0);
    let p50 = |times: Option<&Times>| times.and_then(|times| times.percentile(50));
    target("pam_open_session p50, manager running", p50(warm.map(|case| &case.open)), WARM_TARGET_MS, "ms");
    target("pam_close_session p50", p50(warm.map(|case| &case.close)), WARM_TARGET_MS, "ms");
    for first in results.first.iter().filter(|first| first.readiness.is_some()) {
        let what = format!("first login p50, over bare {}", first.title);
        target(&what, first.added(), FIRST_TARGET_MS, "ms");
    }
    let what = format!("kill -9 to serving, {} sessions", results.revival.expected);
    target(&what, Some(results.revival.serving_ms), REVIVAL_TARGET_MS, "ms");
    bus_report::print_targets(&results.bus);
}

pub(super) fn target(what: &str, measured: Option<f64>, limit: f64, unit: &str) {
    let (text, verdict) = match measured {
        Some(measured) if measured <= limit => (format!("{measured:8.3}"), "reached"),
        Some(measured) => (format!("{measured:8.3}"), "NOT REACHED"),
        None => ("       -".to_owned(), "NOT MEASURED"),
    };
    println!("  {what:42} {text} {unit}   at most {limit:7.3} {unit}   {verdict}");
}

fn is_usher(case: &Case) -> bool {
    case.service == "usher-bench"
}

fn called(case: &Case) -> &'static str {
    if is_usher(case) { "usher" } else { "pam_permit" }
}

pub(super) fn three(times: &Times) -> String {
    [50, 90, 99]
        .map(|percent| times.percentile(percent).map_or("     -".to_owned(), |ms| format!("{ms:6.3}")))
        .join(" ")
}
