//! A process id that was given to somebody else while usherd was down: a leader or manager on file is known by its pid and
//! its pidfd's inode, and who merely has its number is left alone.

mod crash_common;
mod faults_common;

use crash_common::{cast, manager, start_time};
use faults_common::*;
use usher_tests::{Background, Machine};

/// Becomes the process with a number that is free, and notes every signal that it gets.
const STRANGER: &str = "
import os, signal, sys, time
wanted = int(sys.argv[1])
for attempt in range(10000):
    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(wanted - 1))
    child = os.fork()
    if child == 0:
        if os.getpid() != wanted: os._exit(0)
        note = lambda number, _: open('/tmp/signals', 'a').write('%d ' % number)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGCONT): signal.signal(number, note)
        print('here', flush=True)
        while True: time.sleep(1000)
    if child == wanted: break
    os.waitpid(child, 0)
os.waitpid(child, 0)
print('gone', flush=True)
";

/// Somebody else's process with this number.
fn stranger(machine: &Machine, pid: i32) -> Background<'_> {
    let mut parent = machine.spawn(&["python3", "-c", STRANGER, &pid.to_string()]);
    machine.wait_for("a process with that number", || {
        assert!(parent.is_running(), "nobody can have the number {pid}: {}", parent.log());
        parent.log().contains("here")
    });
    parent
}

/// Nobody has done anything to it.
fn check_unharmed(machine: &Machine, stranger: &Background<'_>, pid: i32) {
    assert!(!stranger.log().contains("gone"), "the stranger was killed");
    assert_eq!(machine.read("/tmp/signals"), "", "the stranger was signalled");
    assert!(machine.cgroup_procs("/init.scope").is_some_and(|pids| pids.contains(&pid)), "it was moved");
}

#[test]
fn a_leader_whose_number_is_somebody_elses_is_gone() {
    let machine = Machine::builder().config(&format!("{QUICK}KillUserProcesses=yes\n")).boot();
    let mut broker = machine.start_usherd();
    let mut stays = machine.pam_login("alice");
    let mut goes = machine.pam_login("alice");
    let (session, stays_in) = (goes.session(), stays.session());
    let file = session_file(&session);
    let pid: i32 = key(&machine, &file, "LEADER").unwrap().parse().unwrap();
    let start = start_time(&machine, pid);
    broker.kill9();
    goes.kill9();
    let stranger = stranger(&machine, pid);
    assert_ne!(start_time(&machine, pid), start, "as if it were the same process");
    // The worst case: a session that was being ended, whose leader is signalled again.
    let text = machine.read(&file).replace("USHER_TOLD_TO_GO=0", "USHER_TOLD_TO_GO=1");
    std::fs::write(machine.file(&file), text.replace("STATE=active", "STATE=closing")).unwrap();
    broker.start();
    machine.wait_for("its session to be gone", || sessions(&machine) == [stays_in.clone()]);
    check_unharmed(&machine, &stranger, pid);
    stays.log_out();
    wait_nothing_left(&machine);
    check_unharmed(&machine, &stranger, pid);
}

#[test]
fn a_manager_whose_number_is_somebody_elses_is_gone() {
    let machine = cast::machine();
    let mut broker = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    let session = login.session();
    let pid = machine.wait_some("the manager", || manager::ready(&machine, ALICE));
    let start = start_time(&machine, pid);
    broker.kill9();
    signal(&machine, pid, "KILL");
    machine.wait_for("the manager to be gone", || !machine.exists(format!("/proc/{pid}")));
    let stranger = stranger(&machine, pid);
    assert_ne!(start_time(&machine, pid), start, "as if it were the same process");
    broker.start();
    let other =
        machine.wait_some("another manager", || manager::ready(&machine, ALICE).filter(|p| *p != pid));
    assert_eq!(manager::running(&machine, ALICE), [other]);
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    check_unharmed(&machine, &stranger, pid);
    login.log_out();
    wait_nothing_left(&machine);
    check_unharmed(&machine, &stranger, pid);
}
