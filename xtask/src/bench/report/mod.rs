//! The tables that people read: numbers, what they are compared with, and whether a target was reached.

mod alone;
mod bus;
mod held;
mod side;
pub(super) mod targets;

pub(super) use side::{all_cpu, find, none_held};

use super::results::Results;
use super::stats::Times;

/// More than the build before a measurement leaves behind on a machine that does nothing else.
const BUSY_LOAD: f64 = 1.5;

/// Prints it all.
pub(crate) fn print(results: &Results) {
    let system = &results.system;
    println!(
        "\nusher and its peers on {} processors, Linux {}. Times in ms, through PAM, one process per session.",
        system.processors, system.kernel
    );
    if system.load > BUSY_LOAD {
        println!(
            "Other programs have kept {} processors busy (load average), and this ran at nice {}: times are longer and \
             differ from run to run.",
            system.load, system.nice
        );
    }
    side::print(&results.peers);
    held::print(&results.peers);
    println!("\n-------- usher alone");
    alone::print(&results.alone);
    bus::print(&results.bus);
    targets::print(results);
    for failure in results.failures().iter().take(10) {
        println!("FAILED: {failure}");
    }
}

/// p50, p90 and p99.
fn three(times: &Times) -> String {
    [50, 90, 99]
        .map(|percent| times.percentile(percent).map_or("      -".to_owned(), |ms| format!("{ms:7.3}")))
        .join(" ")
}

/// How many times the other one it is.
fn ratio(this: Option<f64>, other: Option<f64>) -> String {
    match this.zip(other) {
        Some((this, other)) if other > 0.0 => format!("{:6.2}x", this / other),
        _ => "      -".to_owned(),
    }
}
