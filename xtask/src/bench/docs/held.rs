//! The part of docs/bench.md with sessions held.

use super::charts::Picture;
use super::page::picture;
use super::table::{Table, cell, digits, three, to};
use crate::bench::broker::Name;
use crate::bench::peers::Peers;
use crate::bench::report::{find, none_held};

/// All of it.
pub(super) fn text(peers: &Peers, pictures: &[Picture]) -> String {
    let sections = [
        one_more(peers),
        picture(pictures, "held.svg"),
        opened(peers),
        closed(peers),
        memory(peers),
        picture(pictures, "memory.svg"),
        quiet(peers),
        lists(peers),
        revived(peers),
        notes(peers),
    ];
    sections.concat()
}

fn one_more(peers: &Peers) -> String {
    let mut table = Table::new(&[
        "one more login",
        "open p50",
        "p90",
        "p99",
        "×",
        "to none held",
        "close p50",
        "p99",
        "failed",
    ]);
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && !case.permit) {
        let p50 = case.open.percentile(50);
        let usher = find(peers, Name::Usher, false, 1, case.held).and_then(|usher| usher.open.percentile(50));
        let [open50, open90, open99] = three(&case.open);
        let [close50, _, close99] = three(&case.close);
        table.row([
            format!("{}, {} held", case.broker.text(), case.held),
            open50,
            open90,
            open99,
            to(p50, usher),
            to(p50, none_held(peers, case.broker, case.held).and_then(|none| none.open.percentile(50))),
            close50,
            close99,
            case.failed.to_string(),
        ]);
    }
    format!("## Sessions held\n\nBy 10 users who are there anyway.\n\n{}", table.text())
}

fn opened(peers: &Peers) -> String {
    let mut table = Table::new(&["opening them, 32 at once", "opened", "failed", "not in time", "seconds"]);
    for opened in &peers.opened {
        table.row([
            format!("{}, from {} to {}", opened.broker.text(), opened.from, opened.to),
            opened.opened.to_string(),
            opened.failed.to_string(),
            opened.unfinished.to_string(),
            digits(opened.wall_ms / 1e3),
        ]);
    }
    table.text()
}

fn closed(peers: &Peers) -> String {
    let mut table = Table::new(&[
        "closing all at once",
        "closed",
        "failed",
        "not in time",
        "seconds",
        "p50",
        "p90",
        "p99",
    ]);
    for closed in &peers.closed {
        let counts = [closed.closed, closed.failed, closed.unfinished].map(|count| count.to_string());
        let name = format!("{}, {} open", closed.broker.text(), closed.open);
        let seconds = digits(closed.wall_ms / 1e3);
        table.row([name].into_iter().chain(counts).chain([seconds]).chain(three(&closed.times)));
    }
    let reasons = peers.closed.iter().filter(|closed| closed.failed > 0);
    let reasons =
        reasons.filter_map(|closed| Some((closed.broker.text(), closed.open, closed.reason.as_ref()?)));
    let reasons: String = reasons
        .map(|(name, open, why)| format!("{name}, {open} open, the first error: \"{}\".\n", why.trim()))
        .collect();
    table.text() + &reasons + "\n"
}

fn memory(peers: &Peers) -> String {
    let mut table =
        Table::new(&["memory, KiB", "PSS", "of it anonymous", "descriptors", "PSS of those who work for it"]);
    for memory in peers.memory.iter().filter(|memory| memory.daemon) {
        let others = peers.memory.iter().filter(|other| !other.daemon);
        let others = others.filter(|other| (other.broker, other.held) == (memory.broker, memory.held));
        let others: Vec<String> =
            others.map(|other| format!("{} {}", other.process, other.pss_kib)).collect();
        table.row([
            format!("{}, {} held", memory.process, memory.held),
            memory.pss_kib.to_string(),
            memory.anonymous_kib.to_string(),
            memory.descriptors.to_string(),
            others.join(", "),
        ]);
    }
    format!("## Memory, and rest\n\n{}", table.text())
}

fn quiet(peers: &Peers) -> String {
    let mut table = Table::new(&["nothing happens", "wake-ups a minute", "watched, s"]);
    for quiet in &peers.quiet {
        let name = format!("{}, {} held", quiet.process, quiet.held);
        table.row([name, digits(quiet.per_minute()), digits(quiet.seconds)]);
    }
    table.text()
}

fn lists(peers: &Peers) -> String {
    let mut table = Table::new(&["lists", "p50", "p90", "p99", "×"]);
    let usher = peers.lists.iter().find(|lists| lists.broker == Name::Usher);
    for lists in &peers.lists {
        for (what, times, usher) in [
            ("ListSessions", &lists.call, usher.map(|usher| &usher.call)),
            (lists.command.as_str(), &lists.took, usher.map(|usher| &usher.took)),
        ] {
            let name = format!("{}, {} listed: `{what}`", lists.broker.text(), lists.sessions);
            let part = to(times.percentile(50), usher.and_then(|usher| usher.percentile(50)));
            table.row([name].into_iter().chain(three(times)).chain([part]));
        }
    }
    format!("## Lists\n\n{}", table.text())
}

fn revived(peers: &Peers) -> String {
    let mut table = Table::new(&[
        "`kill -9`",
        "ListSessions answered, ms",
        "logins served, ms",
        "sessions before",
        "known after",
    ]);
    for revived in &peers.revived {
        table.row([
            revived.broker.text().to_owned(),
            digits(revived.answers_ms),
            cell(revived.serves_ms),
            revived.before.to_string(),
            revived.known.to_string(),
        ]);
    }
    let few = peers.descriptors.as_ref().map_or(String::new(), |few| {
        let end = if few.lives { "and it lives" } else { "and it is gone" };
        format!(
            "elogind with 1024 descriptors, as its init script starts it: {} of {} sessions opened, {end}.\n\n",
            few.opened, few.wanted
        )
    });
    format!("## Crashes\n\n{}{few}", table.text())
}

fn notes(peers: &Peers) -> String {
    let lines = peers.notes.iter();
    let lines: String = lines
        .map(|note| format!("* {}, {}: not measured: {}\n", note.broker.text(), note.what, note.why))
        .collect();
    if lines.is_empty() { lines } else { lines + "\n" }
}
