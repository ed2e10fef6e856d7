//! The tables of usher alone.

use super::three;
use crate::bench::alone::Alone;

pub(super) fn print(alone: &Alone) {
    print_isolated(alone);
    print_first(alone);
}

fn print_isolated(alone: &Alone) {
    println!(
        "\nManager running, after 100 ms without a login  n      open p50     p90     p99  close p50     p90     p99"
    );
    let isolated = &alone.isolated;
    for (name, open, close) in [
        ("usher, 0 sessions held", &isolated.open, &isolated.close),
        ("the kernel's share, bare", &isolated.bare_open, &isolated.bare_close),
        ("the same, expedited as usherd has it", &isolated.expedited_open, &isolated.expedited_close),
    ] {
        println!("  {name:40} {:5}   {}   {}", open.len(), three(open), three(close));
    }
}

fn print_first(alone: &Alone) {
    println!("\nFirst login of a user                          n           p50     p90     p99");
    println!(
        "  (bare: from its spawn on, with cgroup, runtime directory and identity made beforehand, without PAM)"
    );
    for first in &alone.first {
        let Some(readiness) = &first.readiness else {
            println!("  {:40}     -   not installed", first.title);
            continue;
        };
        let until = match readiness.as_str() {
            "notify" => "READY=1",
            "fd" => "its newline",
            _ => "exec",
        };
        for (what, times) in [
            (format!("pam_open_session, {}", first.title), &first.open),
            (format!("bare `{}` until {until}", first.title), &first.bare),
        ] {
            println!("  {what:40} {:5}   {}", times.len(), three(times));
        }
    }
}
