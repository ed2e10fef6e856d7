//! The cgroup tree and the watches on it, against the real kernel. Needs root and a cgroup2 tree of one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::{Process, report, require_root, uid, wait_until};
use rustix::process::WaitIdOptions;
use usher_broker::sys::cgroup::{CgroupRoot, cgroup_of, owner_of, populated};
use usher_broker::sys::pidfd;
use usher_broker::sys::scope_watch::ScopeWatch;
use usher_broker::sys::spawn::spawn_in_cgroup;
use usher_model::Reaped;
use usher_protocol::ids::{LeaderPid, SessionId};

fn root() -> CgroupRoot {
    require_root();
    CgroupRoot::detect().expect("a writable cgroup2 tree")
}

fn id(text: &str) -> SessionId {
    text.parse().expect("a session id")
}

#[test]
fn a_scope_is_made_found_and_reaped() {
    let (root, uid, id) = (root(), uid(1), id("k1"));
    let (leader, other) = (Process::start(), Process::start());
    assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Gone, "nothing there yet");
    root.create_scope(uid, &id, leader.pid()).unwrap();
    root.create_scope(uid, &id, leader.pid()).unwrap();
    assert_eq!(root.session_of_pid(leader.pid()), Some(id.clone()));
    assert_eq!(owner_of(&cgroup_of(leader.pid()).unwrap(), root.pid1()), Some(uid));
    assert_eq!(root.session_of_pid(other.pid()), None);
    assert!(root.stale_scopes().unwrap().contains(&(uid, id.clone())));
    let scope = root.scope_path(uid, &id);
    assert!(populated(&scope).unwrap());
    assert_eq!(root.procs(&scope).unwrap(), [leader.pid()]);
    assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Busy);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Busy);
    leader.end();
    wait_until("the scope is empty", || populated(&scope).unwrap(), |&populated| !populated);
    fs::create_dir_all(scope.join("a/b")).unwrap();
    assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Gone, "with the cgroups that somebody made in it");
    assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Gone);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
    assert!(!populated(&scope).unwrap() && root.procs(&scope).unwrap().is_empty());
}

#[test]
fn who_has_a_dead_leaders_number_stays_where_it_is() {
    let (root, uid, id) = (root(), uid(20), id("k20"));
    let process = Process::start();
    let (origin, leader) = (cgroup_of(process.pid()).unwrap(), pidfd::leader_of(process.pid()).unwrap());
    let dead = LeaderPid { start: leader.start - 1, ..leader };
    assert!(root.place_leader(uid, &id, dead, None).unwrap_err().is_gone());
    assert_eq!(cgroup_of(process.pid()).unwrap(), origin);
    assert!(!root.scope_path(uid, &id).exists());

    // A pidfd says the same, and one of a process that is gone says nothing.
    let gone = Process::start();
    let held = [gone.pid(), process.pid()].map(|pid| pidfd::open(pid).unwrap());
    gone.end();
    assert!(root.place_leader(uid, &id, dead, Some(held[0].as_fd())).unwrap_err().is_gone());
    assert_eq!(cgroup_of(process.pid()).unwrap(), origin);

    root.place_leader(uid, &id, leader, Some(held[1].as_fd())).unwrap();
    assert_eq!(root.session_of_pid(process.pid()), Some(id.clone()));
    root.place_leader(uid, &id, leader, None).unwrap();
    assert_eq!(root.session_of_pid(process.pid()), Some(id));
    process.end();
    wait_until("the slice is removed", || root.remove_slice(uid).unwrap(), |reaped| *reaped == Reaped::Gone);
}

#[test]
fn a_leader_that_is_gone_leaves_no_scope() {
    let (root, uid, id) = (root(), uid(2), id("k2"));
    let leader = Process::start();
    let pid = leader.pid();
    leader.end();
    let error = root.create_scope(uid, &id, pid).unwrap_err();
    assert!(error.is_gone() && error.to_string().contains(&pid.to_string()), "{error}");
    assert!(!root.scope_path(uid, &id).exists());
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}

/// PIDFD_GET_INFO: since Linux 6.13.
fn kernel_tells_cgroups_of_pidfds() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(13))
}

#[test]
fn a_leader_goes_back_to_where_it_came_from() {
    let (root, uid, id) = (root(), uid(3), id("k3"));
    let leader = Process::start();
    let origin = cgroup_of(leader.pid()).unwrap();
    let held = pidfd::open(leader.pid()).unwrap();
    let is_there = || (root.cgroup_of(held.as_fd(), leader.pid()), root.is_in_scope(held.as_fd(), uid, &id));
    root.create_scope(uid, &id, leader.pid()).unwrap();
    assert_eq!(is_there(), (cgroup_of(leader.pid()), kernel_tells_cgroups_of_pidfds()));
    root.move_pid(leader.pid(), &origin).unwrap();
    assert_eq!(cgroup_of(leader.pid()).unwrap(), origin);
    assert_eq!(is_there(), (Some(origin.clone()), false));
    assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Gone);

    // Into the root cgroup where its own is gone, or never was one of this tree.
    for elsewhere in ["/no/such/cgroup", "", "relative", "/../above", "/user.slice/../..", "//"] {
        root.create_scope(uid, &id, leader.pid()).unwrap();
        root.move_pid(leader.pid(), elsewhere).unwrap();
        assert_eq!(root.session_of_pid(leader.pid()), None, "{elsewhere}");
    }
    let pid = leader.pid();
    leader.end();
    assert!(root.move_pid(pid, "/").unwrap_err().is_gone());
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}

#[test]
fn a_signal_reaches_everybody_inside_and_nobody_else() {
    let (root, uid, id) = (root(), uid(4), id("k4"));
    let inside = [Process::start(), Process::start(), Process::start()];
    let outside = Process::start();
    for process in &inside {
        root.create_scope(uid, &id, process.pid()).unwrap();
    }
    let scope = root.scope_path(uid, &id);
    assert_eq!(root.signal_all(&scope, 15).unwrap(), 3);
    assert_eq!(inside.map(Process::signal), [Some(15); 3]);
    wait_until("the scope is empty", || populated(&scope).unwrap(), |&populated| !populated);
    assert_eq!(root.signal_all(&scope, 15).unwrap(), 0);
    assert!(root.signal_all(Path::new("/proc"), 15).is_err(), "only in the tree");

    let deeper = Process::start();
    root.create_scope(uid, &id, deeper.pid()).unwrap();
    let nested = scope.join("deeper");
    fs::create_dir(&nested).unwrap();
    fs::write(nested.join("cgroup.procs"), deeper.pid().to_string()).unwrap();
    root.kill_all(&scope).unwrap();
    assert_eq!(deeper.signal(), Some(9));
    wait_until("the scope is empty", || populated(&scope).unwrap(), |&populated| !populated);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
    root.kill_all(&scope).unwrap();
    outside.end();
}

#[test]
fn a_watch_tells_when_the_last_process_has_gone() {
    let (root, uid, id) = (root(), uid(5), id("k5"));
    let (first, last) = (Process::start(), Process::start());
    root.create_scope(uid, &id, first.pid()).unwrap();
    root.create_scope(uid, &id, last.pid()).unwrap();
    let scope = root.scope_path(uid, &id);
    let mut watch = ScopeWatch::new().unwrap();
    assert!(watch.watch(&scope, id.clone()).unwrap());
    first.end();
    last.end();
    let watch = std::cell::RefCell::new(watch);
    wait_until("the watch wakes up", || watch.borrow_mut().drain().unwrap(), |keys| *keys == [id.clone()]);
    assert!(!populated(&scope).unwrap());
    watch.borrow_mut().unwatch(&id);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
    assert!(!watch.borrow_mut().watch(&scope, id).unwrap(), "gone: nothing to wait for");
    assert!(watch.borrow_mut().drain().unwrap().is_empty());
}

#[test]
fn a_manager_s_cgroup_is_the_user_s_and_goes_whatever_is_in_it() {
    let (root, uid) = (root(), uid(6));
    let inner = root.manager_cgroup(uid, 4242).unwrap();
    assert_eq!(root.manager_cgroup(uid, 4242).unwrap(), inner);
    let unit = root.manager_path(uid);
    assert_eq!(inner, unit.join("init.scope"));
    for directory in [&unit, &inner] {
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            let status = fs::metadata(directory.join(file)).unwrap();
            assert_eq!((status.uid(), status.gid()), (uid.get(), 4242), "{file} in {}", directory.display());
        }
        for file in ["cgroup.kill", "cgroup.max.descendants", "cgroup.freeze"] {
            assert_eq!(fs::metadata(directory.join(file)).unwrap().uid(), 0, "{file} stays root's");
        }
    }
    assert_eq!(fs::metadata(root.slice_path(uid)).unwrap().uid(), 0);

    let manager = Process::start();
    fs::write(inner.join("cgroup.procs"), manager.pid().to_string()).unwrap();
    assert_eq!(root.session_of_pid(manager.pid()), None);
    assert_eq!(owner_of(&cgroup_of(manager.pid()).unwrap(), root.pid1()), Some(uid));
    assert_eq!(root.remove_manager_cgroup(uid).unwrap(), Reaped::Busy);
    root.kill_all(&unit).unwrap();
    assert_eq!(manager.signal(), Some(9));
    wait_until("the cgroup is empty", || populated(&unit).unwrap(), |&populated| !populated);

    nest(&inner, 40);
    for number in 0..50 {
        fs::create_dir(unit.join(format!("app-{number}.scope"))).unwrap();
    }
    assert_eq!(root.remove_manager_cgroup(uid).unwrap(), Reaped::Gone);
    assert_eq!(root.remove_manager_cgroup(uid).unwrap(), Reaped::Gone);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}

/// Makes cgroups within cgroups until no path reaches the innermost.
fn nest(top: &Path, depth: usize) {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let name = "x".repeat(200);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, top, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&here, &name, Mode::from_raw_mode(0o755)).unwrap();
        here = openat(&here, &name, flags, Mode::empty()).unwrap();
    }
}

#[test]
fn controllers_are_passed_on_where_there_are_any() {
    let (root, uid) = (root(), uid(7));
    root.manager_cgroup(uid, 0).unwrap();
    let words = |path: &Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.split_whitespace()
            .filter(|name| ["cpu", "io", "memory", "pids"].contains(name))
            .map(Into::into)
            .collect()
    };
    let passed = words(&root.mount_point().join("cgroup.subtree_control"));
    assert_eq!(words(&root.manager_path(uid).join("cgroup.controllers")), passed);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}

#[test]
fn what_a_second_login_costs() {
    let (root, uid) = (root(), uid(8));
    let leader = Process::start();
    root.create_scope(uid, &id("first"), leader.pid()).unwrap();
    let origin = cgroup_of(std::process::id()).unwrap();
    let mut microseconds = Vec::new();
    for number in 0..200u64 {
        let id = SessionId::from(number);
        let start = Instant::now();
        root.create_scope(uid, &id, leader.pid()).unwrap();
        microseconds.push(start.elapsed().as_micros());
        root.move_pid(leader.pid(), &origin).unwrap();
        assert_eq!(root.reap_scope(uid, &id).unwrap(), Reaped::Gone);
    }
    microseconds.sort_unstable();
    report(format_args!("create_scope: p50 {} µs, p99 {} µs", microseconds[100], microseconds[198]));
    leader.end();
    let slice = root.slice_path(uid);
    wait_until("the slice is empty", || populated(&slice).unwrap(), |&populated| !populated);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}

#[test]
fn a_program_is_born_in_its_cgroup() {
    let (root, uid) = (root(), uid(9));
    let cgroup = root.manager_cgroup(uid, uid.get()).unwrap();
    let mut command = Command::new("/bin/sleep");
    command.arg("1000");
    let stdin = fs::File::open("/dev/null").unwrap();
    let (pid, fd, execution) = spawn_in_cgroup(&command, &cgroup, stdin.as_fd(), None).unwrap();
    assert!(execution.failure().is_none());
    assert_eq!(pidfd::pid_of(&fd).unwrap(), Some(pid));
    assert_eq!(root.procs(&cgroup).unwrap(), [pid]);
    assert_eq!(fs::read(format!("/proc/{pid}/cmdline")).unwrap(), b"/bin/sleep\x001000\x00");
    assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), Path::new("/dev/null"));
    pidfd::signal(&fd, 9).unwrap();
    let wait = |fd: &std::os::fd::OwnedFd| {
        rustix::process::waitid(rustix::process::WaitId::PidFd(fd.as_fd()), WaitIdOptions::EXITED).unwrap()
    };
    wait(&fd);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut says = Command::new("/bin/sh");
    says.args(["-c", "echo out; echo err >&2"]);
    let (_, fd, _) = spawn_in_cgroup(&says, &cgroup, stdin.as_fd(), Some(writer.as_fd())).unwrap();
    drop(writer);
    assert_eq!(std::io::read_to_string(&mut reader).unwrap(), "out\nerr\n");
    wait(&fd);

    let nothing = Command::new("/nonexistent");
    let (_, fd, execution) = spawn_in_cgroup(&nothing, &cgroup, stdin.as_fd(), None).unwrap();
    wait(&fd);
    assert_eq!(execution.failure().map(|error| error.kind()), Some(std::io::ErrorKind::NotFound));
    assert!(root.procs(&cgroup).unwrap().is_empty(), "the child that could not execute it is gone");
    let error = spawn_in_cgroup(&command, &cgroup.join("nonexistent"), stdin.as_fd(), None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(root.remove_slice(uid).unwrap(), Reaped::Gone);
}
