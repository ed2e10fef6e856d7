//! The tables of brokers side by side: latency, load, processor time.

use super::{ratio, three};
use crate::bench::broker::Name;
use crate::bench::peers::{Case, Peers};
use crate::bench::plan::AT_ONCE;
use crate::bench::quoted::TURNSTILE;
use crate::bench::stats::Times;

pub(super) fn print(peers: &Peers) {
    println!();
    for present in &peers.present {
        println!("  {:8} {}", present.broker.text(), present.version);
    }
    for absent in &peers.absent {
        println!("  {:8} NOT MEASURED: {}", absent.broker.text(), absent.reason);
    }
    println!("  {:8} not in Debian; quoted below", "turnstile");
    print_warm(peers);
    print_floor(peers);
    print_load(peers);
    print_processor(peers);
    print_first(peers);
    print_quoted(peers);
}

/// The case with no sessions held.
pub(super) fn warm(peers: &Peers, broker: Name, permit: bool, at_once: usize) -> Option<&Case> {
    find(peers, broker, permit, at_once, 0)
}

/// The case with these properties.
pub(crate) fn find(peers: &Peers, broker: Name, permit: bool, at_once: usize, held: usize) -> Option<&Case> {
    peers
        .warm
        .iter()
        .find(|case| (case.broker, case.permit, case.at_once, case.held) == (broker, permit, at_once, held))
}

/// What to compare logins with so many sessions held with: the case with none, as close by as there is one.
pub(crate) fn none_held(peers: &Peers, broker: Name, held: usize) -> Option<&Case> {
    let before = peers.before.iter().find(|before| (before.held, before.case.broker) == (held, broker));
    before.map(|before| &before.case).or_else(|| warm(peers, broker, false, 1))
}

pub(super) fn p50(times: Option<&Times>) -> Option<f64> {
    times.and_then(|times| times.percentile(50))
}

fn print_warm(peers: &Peers) {
    println!(
        "\nManager running, one login at a time           n      open p50     p90     p99  close p50     p90     p99   \
         to usher: open p50     p99  close p50"
    );
    let usher = warm(peers, Name::Usher, false, 1);
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && case.held == 0 && !case.permit) {
        print_case(case, usher, case.broker.text());
    }
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && case.permit) {
        print_case(case, usher, &format!("pam_permit alone, where {} is", case.broker.text()));
    }
}

/// One line, with what it is to usher's.
pub(super) fn print_case(case: &Case, usher: Option<&Case>, name: &str) {
    let (open, close) = (three(&case.open), three(&case.close));
    let part = |times: fn(&Case) -> &Times, percent: usize| {
        ratio(times(case).percentile(percent), usher.and_then(|usher| times(usher).percentile(percent)))
    };
    let open_time: fn(&Case) -> &Times = |case| &case.open;
    println!(
        "  {name:40} {:5}   {open}   {close}     {}          {}  {}{}",
        case.open.len(),
        part(open_time, 50),
        part(open_time, 99),
        part(|case| &case.close, 50),
        failed(case)
    );
}

fn failed(case: &Case) -> String {
    match (case.failed, case.failures.first()) {
        (0, _) => String::new(),
        (failed, why) => format!("   {failed} FAILED: {}", why.map_or("", String::as_str)),
    }
}

fn print_floor(peers: &Peers) {
    let times = |name| peers.floor.get(name).cloned().unwrap_or_default();
    let (open, close) = (times("open"), times("close"));
    println!("  {:40} {:5}   {}   {}", "the kernel's share, bare", open.len(), three(&open), three(&close));
    for (name, what) in [
        ("round trip", "socket: connect, request, reply"),
        ("enter cgroup", "mkdir, cgroup.procs"),
        ("two files", "two files replaced by rename"),
        ("leave cgroup", "logout: cgroup.procs, rmdir"),
        ("tmpfs", "first login: tmpfs mounted and gone"),
    ] {
        if let Some(times) = peers.floor.get(name) {
            println!("    {what:38} {:5}   {}", times.len(), three(times));
        }
    }
}

fn print_load(peers: &Peers) {
    println!(
        "\nSeveral at once                          logins/s    open p50     p90     p99  close p50     p90     p99   \
         logins/s to pam_permit's"
    );
    for at_once in AT_ONCE {
        for case in peers.warm.iter().filter(|case| case.held == 0 && case.at_once == at_once) {
            let permit = warm(peers, case.broker, true, at_once).map(|case| case.logins_per_second);
            let what = if case.permit { ", pam_permit" } else { "" };
            let name = format!("{at_once} at once, {}{what}", case.broker.text());
            let (open, close) = (three(&case.open), three(&case.close));
            let part = ratio(Some(case.logins_per_second), permit);
            println!(
                "  {name:36} {:10.0}   {open}   {close}   {part}{}",
                case.logins_per_second,
                failed(case)
            );
        }
    }
}

fn print_processor(peers: &Peers) {
    println!("\nProcessor time of one login and its logout, in ms, one at a time");
    let usher = warm(peers, Name::Usher, false, 1);
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && case.held == 0 && !case.permit) {
        let logins = case.close.len().max(1) as f64;
        let parts: Vec<String> =
            case.broker_cpu_ms.iter().map(|(name, ms)| format!("{name} {:.3}", ms / logins)).collect();
        println!(
            "  {:8} broker's side {:7.3} {} ({})   with its module in the client {:7.3} {}",
            case.broker.text(),
            case.broker_cpu().unwrap_or(f64::NAN),
            ratio(case.broker_cpu(), usher.and_then(Case::broker_cpu)),
            parts.join(", "),
            all_cpu(peers, case.broker).unwrap_or(f64::NAN),
            ratio(all_cpu(peers, case.broker), all_cpu(peers, Name::Usher)),
        );
    }
}

/// Processor time of one login and its logout, one at a time: the broker's side, and what its module takes in the client.
pub(crate) fn all_cpu(peers: &Peers, broker: Name) -> Option<f64> {
    let case = warm(peers, broker, false, 1)?;
    let permit = warm(peers, broker, true, 1).and_then(Case::client_cpu)?;
    Some(case.broker_cpu()? + (case.client_cpu()? - permit).max(0.0))
}

fn print_first(peers: &Peers) {
    println!(
        "\nFirst login of a user, and the last logout     n      open p50     p90     p99   gone p50     p90     p99   \
         to usher: open p50  gone p50"
    );
    let usher = peers.first.iter().find(|first| first.broker == Name::Usher);
    for first in &peers.first {
        let name = match first.broker {
            Name::Elogind => "elogind (starts no manager)",
            broker => broker.text(),
        };
        let left = if first.left > 0 {
            format!("   of {} users something stayed", first.left)
        } else {
            String::new()
        };
        let why = first.failures.first().map_or(String::new(), |why| format!("   FAILED: {why}"));
        println!(
            "  {name:40} {:5}   {}   {}     {}   {}{left}{why}",
            first.open.len(),
            three(&first.open),
            three(&first.gone),
            ratio(first.open.percentile(50), p50(usher.map(|usher| &usher.open))),
            ratio(first.gone.percentile(50), p50(usher.map(|usher| &usher.gone))),
        );
    }
}

fn print_quoted(peers: &Peers) {
    println!("\nturnstile, quoted: its median as a part of elogind's, measured by hand in November 2026");
    for quoted in &TURNSTILE {
        println!("  {:40} {:6.2}x of elogind's", quoted.what, quoted.turnstile_to_elogind);
    }
    let usher = p50(warm(peers, Name::Usher, false, 1).map(|case| &case.open));
    let elogind = p50(warm(peers, Name::Elogind, false, 1).map(|case| &case.open));
    println!("  {:40} {} of elogind's", "usher's open, 1 at once, in this run", ratio(usher, elogind));
}
