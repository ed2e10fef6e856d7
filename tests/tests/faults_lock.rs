//! One usherd at a time, and none that is dead counts.

mod faults_common;

use faults_common::*;

/// Has what a child of usherd's has between its birth and its execve(2): the same open file.
const HOLD: &str = "
import ctypes, os, sys, time
pid = int(sys.argv[1])
numbers = [n for n in os.listdir(f'/proc/{pid}/fd') if os.readlink(f'/proc/{pid}/fd/{n}') == '/run/usher/lock']
PIDFD_GETFD = 438
copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, os.pidfd_open(pid), int(numbers[0]), 0)
print('holds', copy, os.strerror(ctypes.get_errno()), flush=True)
time.sleep(1000)
";

#[test]
fn a_child_that_outlives_a_killed_usherd_keeps_no_other_from_starting() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let second = machine.try_run(&["usherd"]);
    assert!(second.code == 1 && second.stderr.contains("another usherd is running"), "{second}");

    let child = machine.spawn(&["python3", "-c", HOLD, &broker.pid().to_string()]);
    machine.wait_for("the copy", || child.log().contains("holds"));
    assert!(!child.log().contains("holds -1"), "{}", child.log());
    broker.kill9();
    broker.start();
    Login::of(&machine, "alice").log_out();
    wait_nothing_left(&machine);
}
