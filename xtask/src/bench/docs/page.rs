//! The text of docs/bench.md.

use super::charts::Picture;
use super::held;
use super::table::{Table, cell, digits, three, to};
use crate::bench::broker::Name;
use crate::bench::peers::Peers;
use crate::bench::plan::AT_ONCE;
use crate::bench::quoted::TURNSTILE;
use crate::bench::report::{all_cpu, find, targets};
use crate::bench::results::Results;

const HEAD: &str = "\
# usher beside logind and elogind, measured

Written by `cargo xtask bench --write-docs` from one run; change the bench, not this page.
";

const METHOD: &str = "\
One program logs people in through PAM, one process per session, in the place where each broker runs: usher in a sandbox of
namespaces, elogind in a container without systemd, logind in one that is booted with systemd (Debian's packages,
`systemd-nspawn`). Before it asks PAM it looks its user up, as programs that let people in do. All of them have a system bus and the same settings: no delay before a user's things go, nothing is killed at a logout.
They take turns, round by round, so that whatever else the computer does meets all. Times are milliseconds; \"×\" is how many
times usher's it is. elogind starts no user manager and has no slice for a user. Processor time is that of the broker, of the bus
daemon, and of PID 1 and the journal where they do part of the work; what the kernel does in threads of its own is nobody's.
Pages of files that nobody has touched for a while are not in PSS if the kernel takes them back: the anonymous part is steadier.
";

/// All of it.
pub(super) fn text(results: &Results, pictures: &[Picture]) -> String {
    let peers = &results.peers;
    let sections = [
        HEAD.to_owned() + "\n",
        system(results),
        METHOD.to_owned() + "\n",
        warm(peers, pictures),
        floor(peers),
        load(peers, pictures),
        processor(peers),
        first(results, pictures),
        held::text(peers, pictures),
        quoted(peers),
        reached(results),
    ];
    sections.concat().trim_end().to_owned() + "\n"
}

/// A picture, if it was drawn.
pub(super) fn picture(pictures: &[Picture], file: &str) -> String {
    let found = pictures.iter().find(|picture| picture.file == file);
    found.map_or(String::new(), |picture| format!("![{}](bench/{file})\n\n", picture.chart.title))
}

fn system(results: &Results) -> String {
    let (system, plan) = (&results.system, &results.plan);
    let present = results.peers.present.iter();
    let present: Vec<String> =
        present.map(|present| format!("{} ({})", present.broker.text(), present.version)).collect();
    let mut text = format!(
        "{} processors, Linux {}; load average before the run {}, all that was measured at nice {}. {} rounds of {} logins \
         each. Measured: {}.\n",
        system.processors,
        // The version; what follows is who built it.
        system.kernel.split('-').next().unwrap_or_default(),
        system.load,
        system.nice,
        plan.rounds,
        plan.per_round,
        present.join(", ")
    );
    for absent in &results.peers.absent {
        text += &format!("**Not measured: {}**: {}\n", absent.broker.text(), absent.reason);
    }
    text + "\n"
}

fn warm(peers: &Peers, pictures: &[Picture]) -> String {
    let mut table = Table::new(&[
        "one at a time",
        "open p50",
        "p90",
        "p99",
        "close p50",
        "p90",
        "p99",
        "open p50",
        "p99",
        "close p50",
    ]);
    let usher = find(peers, Name::Usher, false, 1, 0);
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && case.held == 0 && !case.permit) {
        let times = |percent| {
            to(case.open.percentile(percent), usher.and_then(|usher| usher.open.percentile(percent)))
        };
        let close = to(case.close.percentile(50), usher.and_then(|usher| usher.close.percentile(50)));
        let name = [case.broker.text().to_owned()];
        let cells = name.into_iter().chain(three(&case.open)).chain(three(&case.close));
        table.row(cells.chain([times(50), times(99), close]));
    }
    let pictures = picture(pictures, "open.svg") + &picture(pictures, "close.svg");
    format!("## Login and logout, manager running\n\n{}{pictures}", table.text())
}

fn floor(peers: &Peers) -> String {
    let mut table = Table::new(&["the same asked of the kernel bare, by one loop", "p50", "p90", "p99"]);
    for (name, what) in [
        ("open", "a login: all of it"),
        ("round trip", "socket: connect, request, reply"),
        ("enter cgroup", "mkdir, write to cgroup.procs"),
        ("two files", "two files replaced by rename"),
        ("close", "a logout: all of it"),
        ("leave cgroup", "write to cgroup.procs, rmdir"),
        ("tmpfs", "a first login: tmpfs mounted and gone"),
    ] {
        if let Some(times) = peers.floor.get(name) {
            table.row([what.to_owned()].into_iter().chain(three(times)));
        }
    }
    table.text()
}

fn load(peers: &Peers, pictures: &[Picture]) -> String {
    let mut table = Table::new(&[
        "at once",
        "logins/s",
        "pam_permit's",
        "part",
        "open p50",
        "p90",
        "p99",
        "close p50",
        "p99",
    ]);
    for at_once in AT_ONCE {
        for case in peers.warm.iter().filter(|case| case.held == 0 && case.at_once == at_once && !case.permit)
        {
            let permit = find(peers, case.broker, true, at_once, 0).map(|case| case.logins_per_second);
            let part = permit.map_or(f64::NAN, |permit| case.logins_per_second / permit * 100.0);
            let [open50, open90, open99] = three(&case.open);
            let [close50, _, close99] = three(&case.close);
            table.row([
                format!("{at_once}, {}", case.broker.text()),
                digits(case.logins_per_second),
                cell(permit),
                format!("{part:.0} %"),
                open50,
                open90,
                open99,
                close50,
                close99,
            ]);
        }
    }
    format!(
        "## Several at once\n\n\"pam_permit's\" is what the same load program reaches in the same place when PAM asks no \
         broker: it forks, loads libpam and opens a session for which nothing is done.\n\n{}{}{}",
        table.text(),
        picture(pictures, "open-8.svg"),
        picture(pictures, "open-32.svg")
    )
}

fn processor(peers: &Peers) -> String {
    let mut table = Table::new(&[
        "processor time of a login and its logout",
        "broker's side",
        "×",
        "with its module in the client",
        "×",
        "the broker's side, one by one",
    ]);
    let usher = find(peers, Name::Usher, false, 1, 0).and_then(|case| case.broker_cpu());
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && case.held == 0 && !case.permit) {
        let logins = case.close.len().max(1) as f64;
        let parts: Vec<String> =
            case.broker_cpu_ms.iter().map(|(name, ms)| format!("{name} {}", digits(ms / logins))).collect();
        table.row([
            case.broker.text().to_owned(),
            cell(case.broker_cpu()),
            to(case.broker_cpu(), usher),
            cell(all_cpu(peers, case.broker)),
            to(all_cpu(peers, case.broker), all_cpu(peers, Name::Usher)),
            parts.join(", "),
        ]);
    }
    table.text()
}

fn first(results: &Results, pictures: &[Picture]) -> String {
    let peers = &results.peers;
    let mut table = Table::new(&[
        "first login, last logout",
        "open p50",
        "p90",
        "p99",
        "×",
        "gone p50",
        "p90",
        "p99",
        "×",
        "something stayed",
    ]);
    let usher = peers.first.iter().find(|first| first.broker == Name::Usher);
    for first in &peers.first {
        let times = [first.open.percentile(50), first.gone.percentile(50)];
        let ushers =
            usher.map(|usher| [usher.open.percentile(50), usher.gone.percentile(50)]).unwrap_or_default();
        let mut cells = vec![first.broker.text().to_owned()];
        cells.extend(three(&first.open).into_iter().chain([to(times[0], ushers[0])]));
        cells.extend(three(&first.gone).into_iter().chain([to(times[1], ushers[1])]));
        cells.push(format!("{} of {}", first.left, first.open.len()));
        table.row(cells);
    }
    let mut managers =
        Table::new(&["usher's, beside the bare manager's own start", "open p50", "bare p50", "usher adds"]);
    for first in &results.alone.first {
        let added = first.added().map_or_else(|| "not installed".to_owned(), digits);
        let cells = [cell(first.open.percentile(50)), cell(first.bare.percentile(50)), added];
        managers.row([format!("`{}`", first.title)].into_iter().chain(cells));
    }
    format!(
        "## First login of a user, and the last logout\n\n\"Gone\" is from the return of `pam_close_session` until runtime \
         directory and slice are no more.\n\n{}{}{}",
        table.text(),
        picture(pictures, "first.svg"),
        managers.text()
    )
}

fn quoted(peers: &Peers) -> String {
    let mut table = Table::new(&["turnstile, quoted", "of elogind's time"]);
    for quoted in &TURNSTILE {
        table.row([quoted.what.to_owned(), to(Some(quoted.turnstile_to_elogind), Some(1.0))]);
    }
    let open = |name| find(peers, name, false, 1, 0).and_then(|case| case.open.percentile(50));
    table.row(["usher, in this run: open, 1 at once".to_owned(), to(open(Name::Usher), open(Name::Elogind))]);
    format!(
        "## turnstile\n\nIt is in no Debian archive, so this run did not measure it. These are ratios of medians taken by hand in \
         November 2026 on a similar computer (turnstile 0.1.10 without a manager, elogind 255.17); its logout only closes a \
         socket, and what its daemon then does is not in the time.\n\n{}",
        table.text()
    )
}

fn reached(results: &Results) -> String {
    let mut table = Table::new(&["what is to be reached", "measured", "at most", ""]);
    for target in targets::all(results) {
        let unit = target.unit;
        let with_unit = |number: f64| format!("{} {unit}", digits(number)).trim_end().to_owned();
        let measured = target.measured.map_or_else(|| "-".to_owned(), with_unit);
        let limit = if target.limit.is_nan() { "-".to_owned() } else { with_unit(target.limit) };
        table.row([target.what.clone(), measured, limit, target.verdict().to_owned()]);
    }
    format!("## Targets\n\n{}", table.text())
}
