//! The real systemd-logind still does what the transcripts in `tests/data/login1` say. Not part of every run, as it builds and
//! boots containers: `cargo xtask test --tier oracle`. With `UPDATE_GOLDENS=1` the transcripts are written.

use usher_tests::login1;

usher_tests::login1_scenarios!(login1::play_to_logind);

#[test]
fn every_scenario_is_played() {
    let output = std::process::Command::new(login1::probe()).arg("--list").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), SCENARIOS);
}
