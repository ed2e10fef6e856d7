//! What tests of a dying usherd have in common: one that dies where it is told to, the usual one that takes over, and
//! looks at what must not have changed.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub(crate) mod cast;
pub(crate) mod manager;
pub(crate) mod scenes;
pub(crate) mod watch;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET};
use usher_tests::{Background, DEADLINE, Machine, Usherd};

/// What a process ends with that was killed by SIGKILL.
const KILLED: i32 = 128 + 9;
/// The file by which the doomed usherd is told where to die (broker/src/crash).
const CONTROL: &str = "/run/sandbox/crash";
const PASSED: &str = "/run/sandbox/crash.passed";

/// The points at which it can die.
pub(crate) fn points(machine: &Machine) -> Vec<String> {
    let listed = machine.run(&["/usr/sbin/usherd-crash-points", "--list-crash-points"]);
    listed.stdout.lines().map(str::to_owned).collect()
}

/// Starts an usherd that heeds orders to die; comes back when it is ready, or dead.
pub(crate) fn start_doomed(machine: &Machine) -> Background<'_> {
    let environment =
        [("NOTIFY_SOCKET", NOTIFY_SOCKET), ("USHERD_LOG", "debug"), ("USHERD_CRASH_CONTROL", CONTROL)];
    let mut doomed = machine.spawn_with(&["/usr/sbin/usherd-crash-points"], None, &environment);
    let ready = format!("{} READY=1", doomed.pid());
    machine.wait_for("usherd to be ready, or dead", || {
        !doomed.is_running() || machine.read(NOTIFICATIONS).lines().any(|line| line == ready)
    });
    doomed
}

/// From now on every passage of a point is noted; with a line `NAME:N`, the N-th one of that is the last.
pub(crate) fn arm(machine: &Machine, order: &str) {
    // Renamed into place, so that nobody reads half of it.
    let fresh = machine.file(format!("{CONTROL}.new"));
    fs::write(&fresh, order).and_then(|()| fs::rename(&fresh, machine.file(CONTROL))).expect("write orders");
}

/// Takes the orders back, and returns the passages that were noted, in their order.
pub(crate) fn disarm(machine: &Machine) -> Vec<String> {
    let _ = fs::remove_file(machine.file(CONTROL));
    let passed = machine.read(PASSED).lines().map(str::to_owned).collect();
    let _ = fs::remove_file(machine.file(PASSED));
    passed
}

/// Lets something happen under a doomed usherd. When that dies, the usual one is started at once, as a service manager would,
/// or after what happens while there is none. Returns that one, and whether the doomed one has died by itself.
pub(crate) fn with_successor<'m>(
    machine: &'m Machine,
    doomed: Background<'m>,
    act: impl FnOnce(),
    meanwhile: impl FnOnce() + Send,
) -> (Usherd<'m>, bool) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let successor = scope.spawn(|| {
            let mut doomed = doomed;
            while doomed.is_running() && !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            let died = !doomed.is_running();
            if died {
                let code = doomed.wait(DEADLINE);
                assert_eq!(code, KILLED, "usherd was to be killed: {}", doomed.log());
                meanwhile();
            } else {
                doomed.kill9();
            }
            (machine.start_usherd(), died)
        });
        let end = SetWhenDropped(&over);
        act();
        // The last point of it is passed when usherd has an ear for something else; and the last one of that, when it has
        // once more, be it the one that took over.
        for _ in 0..2 {
            machine.wait_for("usherd", || machine.try_run(&["usherctl", "list-sessions"]).ok());
        }
        drop(end);
        successor.join().expect("an usherd that takes over")
    })
}

/// Also when a test fails.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When a process started, in clock ticks since boot (proc_pid_stat(5)).
pub(crate) fn start_time(machine: &Machine, pid: i32) -> String {
    let stat = machine.read(format!("/proc/{pid}/stat"));
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    fields.split(' ').nth(19).unwrap_or_default().to_owned()
}
