//! The pictures: how long logins take, and what grows with the number of sessions.

use super::svg::{Axis, Chart, Line, Scale};
use crate::bench::broker::Name;
use crate::bench::peers::Peers;
use crate::bench::results::Results;
use crate::bench::stats::Times;

const MS: Axis = Axis { label: "milliseconds", scale: Scale::Logarithmic };
const HELD: Axis = Axis { label: "sessions held", scale: Scale::Linear };
/// Of the bare kernel: it is nobody's competitor.
const FLOOR: &str = "#999";

/// A picture and what it is called in docs/bench.
pub(super) struct Picture {
    pub(super) file: String,
    pub(super) chart: Chart,
}

/// All of them; those that nothing was measured of are empty.
pub(super) fn all(results: &Results) -> Vec<Picture> {
    let peers = &results.peers;
    let mut pictures = Vec::new();
    let mut add = |file: &str, chart| pictures.push(Picture { file: format!("{file}.svg"), chart });
    add("open", warm(peers, "Login, manager running, one at a time", 1, |case| &case.open, Some("open")));
    add("open-8", warm(peers, "Login, manager running, 8 at once", 8, |case| &case.open, None));
    add("open-32", warm(peers, "Login, manager running, 32 at once", 32, |case| &case.open, None));
    add("close", warm(peers, "Logout, one at a time", 1, |case| &case.close, Some("close")));
    add("first", first(peers));
    add("held", one_more(peers));
    add("memory", memory(peers));
    pictures
}

fn color(name: Name) -> &'static str {
    match name {
        Name::Usher => "#0072b2",
        Name::Elogind => "#e69f00",
        Name::Logind => "#cc3311",
    }
}

type Case = crate::bench::peers::Case;

fn warm(peers: &Peers, title: &str, at_once: usize, of: fn(&Case) -> &Times, floor: Option<&str>) -> Chart {
    let floor = floor
        .and_then(|name| peers.floor.get(name))
        .map(|times| distribution("the bare kernel", FLOOR, times));
    let cases = peers.warm.iter().filter(|case| case.at_once == at_once && case.held == 0 && !case.permit);
    let lines = cases.map(|case| distribution(case.broker.text(), color(case.broker), of(case)));
    shares(title, floor.into_iter().chain(lines).collect())
}

fn first(peers: &Peers) -> Chart {
    let lines = peers.first.iter().map(|first| {
        let name = match first.broker {
            Name::Elogind => "elogind (starts no manager)",
            broker => broker.text(),
        };
        distribution(name, color(first.broker), &first.open)
    });
    shares("First login of a user", lines.collect())
}

fn shares(title: &str, lines: Vec<Line>) -> Chart {
    let y = Axis { label: "% of all that took no longer", scale: Scale::Linear };
    Chart { title: title.to_owned(), x: MS, y, lines }
}

/// One point for every percent: more would not be seen.
fn distribution(name: &str, color: &'static str, times: &Times) -> Line {
    let point = |percent| Some((times.percentile(percent)?, percent as f64));
    Line { name: name.to_owned(), color, marked: false, points: (0..=100).filter_map(point).collect() }
}

fn one_more(peers: &Peers) -> Chart {
    let lines = grown(peers, |name| {
        let cases = peers.warm.iter().filter(|case| case.broker == name && case.at_once == 1 && !case.permit);
        cases.filter_map(|case| Some((case.held as f64, case.open.percentile(50)?))).collect()
    });
    let title = "One more login, with sessions held (median)".to_owned();
    Chart { title, x: HELD, y: MS, lines }
}

fn memory(peers: &Peers) -> Chart {
    let lines = grown(peers, |name| {
        let daemons = peers.memory.iter().filter(|memory| memory.broker == name && memory.daemon);
        daemons.map(|daemon| (daemon.held as f64, daemon.pss_kib as f64 / 1024.0)).collect()
    });
    let y = Axis { label: "MiB (PSS)", scale: Scale::Linear };
    Chart { title: "Memory of the daemon".to_owned(), x: HELD, y, lines }
}

fn grown(peers: &Peers, points: impl Fn(Name) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |name: Name| Line {
        name: name.text().to_owned(),
        color: color(name),
        marked: true,
        points: points(name),
    };
    peers.present.iter().map(|present| line(present.broker)).collect()
}
