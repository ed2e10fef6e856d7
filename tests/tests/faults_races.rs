//! Logins that race logouts of the same user, at random moments: with a stop delay of nothing every last logout begins to take
//! away what the next login needs. No login comes through with a directory that vanishes or a manager that is going.

mod faults_common;

use std::time::{SystemTime, UNIX_EPOCH};

use faults_common::*;

/// `USHER_RACE_SEED` repeats a run, as far as the computer does.
fn seed() -> u64 {
    let given = std::env::var("USHER_RACE_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64 % 1_000_000_007)
    })
}

/// Races alice's logins for a while; each has to be whole, and to have a manager if there is one.
fn race(config: &str, with_manager: bool, options: &[&str]) {
    let machine = machine(config);
    let mut broker = machine.start_usherd();
    let seed = seed().to_string();
    eprintln!("USHER_RACE_SEED={seed}");
    let command = [
        "usher-pam-load",
        "race",
        "--service=usher-test",
        "--user=alice",
        "--uid=1001",
        "--millis=3000",
        "--seed",
        &seed,
    ];
    let output = machine.run(&[&command, options].concat());
    let told: serde_json::Value = serde_json::from_str(output.text()).expect("an outcome");
    assert_eq!(told["failures"], serde_json::json!([]), "USHER_RACE_SEED={seed}\n{}", machine.dump());
    wait_nothing_left(&machine);
    assert!(broker.is_running());
    let number = |key: &str| told[key].as_u64().expect("a number");
    assert_eq!(number("ready"), if with_manager { number("whole") } else { 0 });
    // Or nothing was raced. As often as she has gone, she has come back while her manager was being stopped.
    let gone = broker.log().matches("user alice (1001) is gone").count();
    eprintln!("{told}, alice was gone {gone} times");
    assert!(gone >= 2 || number("managers") >= 2, "{told}, alice was gone {gone} times");
}

#[test]
fn without_a_manager() {
    race(QUICK, false, &["--lanes=3", "--hold=8", "--rest=24"]);
}

#[test]
fn with_a_manager_that_comes_and_goes_quickly() {
    let config = "[Login]\nUserStopDelaySec=0\nManager=/usr/bin/usher-pam-load light-manager\n";
    race(config, true, &["--lanes=3", "--hold=10", "--rest=100", "--socket=manager", "--answers"]);
}

#[test]
fn with_the_real_manager() {
    race(WITH_MANAGER, true, &["--lanes=2", "--hold=20", "--rest=400", "--socket=systemd/private"]);
}
