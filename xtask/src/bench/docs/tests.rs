//! A page of two brokers, one of which was not there.

use serde_json::{Value, json};

use super::{charts, page};
use crate::bench::report::targets;
use crate::bench::results::Results;

fn times(all: &[f64]) -> Value {
    json!({ "count": all.len(), "all_ms": all })
}

fn case(broker: &str, held: usize, open: &[f64]) -> Value {
    json!({
        "broker": broker, "permit": false, "at_once": 1, "held": held,
        "open": times(open), "close": times(open), "logins_per_second": 100.0,
        "broker_cpu_ms": { "daemon": 1.0 }, "client_cpu_ms": 1.0, "failed": 0, "failures": [],
    })
}

fn results() -> Results {
    let results = json!({
        "system": { "kernel": "6.18", "processors": 2, "load": 0.5, "nice": -20, "version": "0.1.0" },
        "plan": {
            "rounds": 1, "per_round": 3, "first": 0, "isolated": 0, "held": [1000], "very_many": 0, "calls": 0,
            "quiet": 0, "patience": 1, "few_descriptors": false,
        },
        "peers": {
            "present": [{ "broker": "usher", "version": "1" }, { "broker": "elogind", "version": "255|x" }],
            "absent": [{ "broker": "logind", "reason": "no network" }],
            "first": [], "floor": { "open": times(&[0.1]) }, "opened": [],
            "warm": [
                case("usher", 0, &[0.2, 0.2, 0.3]), case("elogind", 0, &[1.0, 0.8, 9.0]),
                case("usher", 1000, &[0.3, 0.3, 0.3]),
            ],
            "before": [{ "held": 1000, "case": case("usher", 0, &[0.1, 0.1, 0.1]) }],
            "closed": [{
                "broker": "elogind", "open": 1000, "closed": 256, "failed": 744, "unfinished": 0,
                "times": times(&[5.0]), "wall_ms": 1500.0, "reason": "no space",
            }],
            "memory": [], "quiet": [], "lists": [], "revived": [], "descriptors": null, "notes": [],
        },
        "alone": {
            "first": [],
            "isolated": {
                "open": times(&[]), "close": times(&[]), "bare_open": times(&[]), "bare_close": times(&[]),
                "failures": [],
            },
        },
        "bus": { "calls": [], "logins": [], "memory": [], "quiet": [], "failures": [] },
        "module": null,
    });
    serde_json::from_value(results).unwrap()
}

#[test]
fn a_page_has_what_was_measured_and_what_was_not() {
    let results = results();
    let pictures: Vec<_> =
        charts::all(&results).into_iter().filter(|picture| picture.chart.svg().is_some()).collect();
    let files: Vec<&str> = pictures.iter().map(|picture| picture.file.as_str()).collect();
    assert_eq!(files, ["open.svg", "close.svg", "held.svg"]);
    let page = page::text(&results, &pictures);
    for line in [
        "**Not measured: logind**: no network",
        "| elogind | 1.00 | 9.00 | 9.00 | 1.00 | 9.00 | 9.00 | 5.00× | 30.0× | 5.00× |",
        "| elogind, 1000 open | 256 | 744 | 0 | 1.50 | 5.00 | 5.00 | 5.00 |",
        "elogind, 1000 open, the first error: \"no space\".",
        // To what was measured right before them, not to the first round.
        "| usher, 1000 held | 0.300 | 0.300 | 0.300 | 1.00× | 3.00× | 0.300 | 0.300 | 0 |",
        "| warm open p50, to elogind's | 0.200 x | 0.250 x | reached |",
        "| warm open p50, to logind's | - | 0.067 x | NOT MEASURED |",
        "| one more login, 1000 held to none | 3.00 x | 1.20 x | NOT REACHED |",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "no '{line}' in:\n{page}");
    }
    assert!(page.contains("![Logout, one at a time](bench/close.svg)"), "{page}");
    assert!(!page.contains("first.svg"), "{page}");
}

#[test]
fn what_was_not_measured_reaches_nothing() {
    let all = targets::all(&results());
    assert!(
        all.iter()
            .any(|target| target.what.starts_with("pam_usher.so") && target.verdict() == "NOT MEASURED")
    );
    assert!(
        all.iter().filter(|target| target.measured.is_none()).all(|target| target.verdict() != "reached")
    );
}

#[test]
fn results_are_the_same_after_they_were_a_file() {
    let results = results();
    let again: Results = serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
    assert_eq!(format!("{results:?}"), format!("{again:?}"));
}
