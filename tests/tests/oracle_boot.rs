//! The real logind in its container. That nothing stays of it is what every machine looks after when it is dropped.

use usher_tests::Oracle;

#[test]
fn logind_257_runs() {
    let oracle = Oracle::boot("[Login]\nUserStopDelaySec=0\n");
    let version = oracle.run(&["loginctl", "--version"]).stdout;
    assert!(version.starts_with("systemd 257"), "{version}");
    assert!(oracle.run(&["loginctl", "list-seats", "--no-legend"]).text().contains("seat0"));
    assert_eq!(oracle.as_user("alice", &["id", "-u"]).text(), "1001");
    assert_eq!(oracle.as_user("bob", &["id", "-u"]).text(), "1002");
    let cgroup = oracle.run(&["cat", "/proc/self/cgroup"]).stdout;
    assert!(cgroup.contains("0::/system.slice/run-"), "{cgroup}");
}
