//! What the tests of containers have in common: a usherd that something was taken away from, and logins that do not wait.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::time::{Duration, Instant};

use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET};
use usher_tests::{Background, Machine};

/// What a login may take, says the requirement.
pub(crate) const WITHIN: Duration = Duration::from_secs(1);

/// Starts usherd by way of other programs, which may put it into namespaces of its own, and waits until it is ready.
pub(crate) fn start_in<'m>(machine: &'m Machine, words: &[&str]) -> Background<'m> {
    let ready = || machine.read(NOTIFICATIONS).lines().filter(|line| line.ends_with(" READY=1")).count();
    let before = ready();
    let words = [words, &["/usr/sbin/usherd"]].concat();
    let mut broker = machine.spawn_with(&words, None, &[("NOTIFY_SOCKET", NOTIFY_SOCKET)]);
    machine.wait_for("usherd to be ready", || {
        assert!(broker.is_running(), "usherd ended: {}", broker.log());
        ready() > before
    });
    broker
}

/// Logs in and out through the real su(1), and expects a session and a runtime directory, without waiting. Of three logins the
/// quickest counts: the computer may be busy, but what waits for a timeout always does.
pub(crate) fn logs_in_at_once(machine: &Machine, user: &str, directory: &str) {
    logs_in_by(machine, &["su", "-", user], directory);
}

/// The same with su(1) in some other surroundings.
pub(crate) fn logs_in_by(machine: &Machine, su: &[&str], directory: &str) {
    let command =
        [su, &["-c", "echo ${XDG_SESSION_ID:-none} ${XDG_RUNTIME_DIR:-none}; test -w \"$XDG_RUNTIME_DIR\""]];
    let command = command.concat();
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let output = machine.run(&command);
        quickest = quickest.min(start.elapsed());
        let (session, path) = output.text().split_once(' ').unwrap_or_default();
        assert!(session.parse::<u32>().is_ok() && path == directory, "{output}");
    }
    assert!(quickest < WITHIN, "{command:?} takes {quickest:?}");
}

/// The one line of a log that says what is degraded and what to do.
pub(crate) fn says_once(log: &str, words: &[&str]) {
    let lines: Vec<_> = log.lines().filter(|line| line.contains(words[0])).collect();
    assert_eq!(lines.len(), 1, "'{}' is to be said in one line: {log}", words[0]);
    for word in words {
        assert!(lines[0].contains(word), "'{word}' is not in: {}", lines[0]);
    }
}
