//! Clients of org.freedesktop.login1 see of usherd what they see of systemd-logind: the same program plays the same scenarios
//! before both, and what it sees is the same but for what `tests/data/login1/differences.txt` lists with reasons.

use usher_tests::login1;

usher_tests::login1_scenarios!(login1::play_to_usherd);

#[test]
fn every_scenario_is_played() {
    let output = std::process::Command::new(login1::probe()).arg("--list").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), SCENARIOS);
}
