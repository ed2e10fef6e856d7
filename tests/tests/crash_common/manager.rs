//! A small user manager in place of systemd, which starts in a moment and tells of a second one beside it.

use std::fs;

use usher_tests::Machine;

use crate::faults_common::{key, user_file};

/// Where it is, for `Manager=`.
pub(crate) const PROGRAM: &str = "/usr/local/bin/manager";
/// With this file, a manager that starts will not heed SIGTERM.
pub(crate) const STUBBORN: &str = "/run/stubborn-manager";
/// There once two of one user have run at the same time.
const TWO: &str = "/tmp/two-managers";

/// Its text. What it says while no usherd listens is lost, as with systemd.
pub(crate) const TEXT: &str = "#!/usr/bin/python3 -IS
import fcntl, os, signal, socket
lock = open(os.environ['XDG_RUNTIME_DIR'] + '/manager.lock', 'w')
try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: open('/tmp/two-managers', 'a').write('uid %d' % os.getuid())
if os.path.exists('/run/stubborn-manager'): signal.signal(signal.SIGTERM, signal.SIG_IGN)
try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
except OSError: pass
while True: signal.pause()
";

/// A user's manager on file, if it is ready.
pub(crate) fn ready(machine: &Machine, uid: u32) -> Option<i32> {
    let file = user_file(uid);
    let ready = key(machine, &file, "USHER_MANAGER_READY").as_deref() == Some("1");
    if ready { key(machine, &file, "USHER_MANAGER_PID")?.parse().ok() } else { None }
}

/// The processes that run as managers of a user, by their numbers in the machine.
pub(crate) fn running(machine: &Machine, uid: u32) -> Vec<i32> {
    let is_one = |words: &str| words.starts_with("/usr/bin/python3\0-IS\0/usr/local/bin/manager");
    processes(machine, uid).into_iter().filter(|(_, words)| is_one(words)).map(|(pid, _)| pid).collect()
}

/// A user's processes with their command lines, the words separated by NUL.
pub(crate) fn processes(machine: &Machine, uid: u32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(machine.file("/proc")).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_user = |pid: &i32| {
        let status = machine.read(format!("/proc/{pid}/status"));
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        uids.and_then(|uids| uids.split_whitespace().next()?.parse().ok()) == Some(uid)
    };
    pids.filter(of_user).map(|pid| (pid, machine.read(format!("/proc/{pid}/cmdline")))).collect()
}

/// Fails if there were ever two of one user.
pub(crate) fn never_two(machine: &Machine) {
    assert!(!machine.exists(TWO), "two user managers at once: {}", machine.read(TWO));
}
