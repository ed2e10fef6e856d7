//! IPC objects, limits and virtual terminals against the real kernel. Needs root and an IPC namespace of one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::process::Command;

use common::{Process, report, require_root, uid};
use usher_broker::sys::exit_watch::ExitWatch;
use usher_broker::sys::ipc::remove_ipc;
use usher_broker::sys::{limits, pidfd, vt};
use usher_protocol::ids::Uid;

/// Makes one SysV object of each kind as the given user.
fn make_sysv(uid: Uid) {
    let made = Command::new("setpriv")
        .args(["--reuid", &uid.to_string(), "--clear-groups", "ipcmk", "-M", "4096", "-S", "2", "-Q"])
        .output()
        .expect("setpriv and ipcmk (util-linux) can be run");
    assert!(made.status.success(), "{made:?}");
}

fn sysv_objects(uid: Uid) -> usize {
    let lists =
        ["shm", "sem", "msg"].map(|name| fs::read_to_string(format!("/proc/sysvipc/{name}")).unwrap());
    let wanted = uid.to_string();
    lists
        .iter()
        .flat_map(|list| list.lines())
        .filter(|line| line.split_whitespace().any(|f| f == wanted))
        .count()
}

#[test]
fn a_user_s_ipc_objects_go_and_nobody_else_s() {
    require_root();
    let (user, other) = (uid(201), uid(202));
    for uid in [user, other] {
        make_sysv(uid);
        let file = format!("/dev/shm/usher-test-{uid}");
        fs::write(&file, "x").unwrap();
        chown(&file, Some(uid.get()), None).unwrap();
    }
    let link = format!("/dev/shm/usher-test-link-{user}");
    let target = tempfile::NamedTempFile::new().unwrap();
    chown(target.path(), Some(user.get()), None).unwrap();
    symlink(target.path(), &link).unwrap();
    lchown(&link, Some(user.get()), None).unwrap();

    assert_eq!(remove_ipc(user).unwrap(), 5);
    assert_eq!(remove_ipc(user).unwrap(), 0);
    assert_eq!((sysv_objects(user), sysv_objects(other)), (0, 3));
    assert!(target.path().exists(), "the link went, not what it points to");
    assert_eq!(remove_ipc(other).unwrap(), 4);
}

#[test]
fn the_foreground_terminal_is_known_where_there_are_terminals() {
    require_root();
    if vt::available() {
        assert!(vt::foreground().is_some());
    } else {
        assert!(vt::foreground().is_none());
    }
}

#[test]
fn what_a_watched_process_costs() {
    require_root();
    let count = limits::raise_open_files().saturating_sub(100).min(5000);
    let process = Process::start();
    let before = memory_in_use();
    let mut watch = ExitWatch::new().unwrap();
    for key in 0..count {
        watch.add(pidfd::open(process.pid()).unwrap(), key).unwrap();
    }
    let after = memory_in_use();
    report(format_args!("{count} watches: {} bytes of memory each", after.saturating_sub(before) / count));
    process.end();
    let mut exited = watch.drain().unwrap();
    exited.sort_unstable();
    assert!(exited.iter().copied().eq(0..count));
}

/// Kernel and user memory of this process's doing, as far as it can be seen: slabs of the machine and own pages.
fn memory_in_use() -> u64 {
    let kilobytes = |file: &str, key: &str| -> u64 {
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    };
    1024 * (kilobytes("/proc/meminfo", "SUnreclaim") + kilobytes("/proc/self/status", "VmRSS"))
}
