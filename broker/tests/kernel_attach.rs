//! Processes that a user's manager asks to be moved into its units, against the real kernel. Needs root and a cgroup2 tree of
//! one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::path::PathBuf;

use common::{GID, Process, require_root, uid, wait_until};
use usher_broker::attach::{AttachError, Attachment, PIDS_MAX, attach};
use usher_broker::sys::cgroup::{CgroupRoot, cgroup_of};
use usher_broker::sys::pidfd;
use usher_model::Reaped;
use usher_protocol::ids::{LeaderPid, SessionId, Uid};

const SCOPE: &str = "/app.slice/run-1.scope";

/// A user with a manager, one session and a process in it.
struct User {
    root: CgroupRoot,
    uid: Uid,
    session: SessionId,
    manager: Process,
    process: Process,
    unit: PathBuf,
}

impl User {
    fn new(number: u32) -> Self {
        require_root();
        let root = CgroupRoot::detect().expect("a writable cgroup2 tree");
        let uid = uid(number);
        let (manager, process) = (Process::start_as(uid), Process::start_as(uid));
        let inner = root.manager_cgroup(uid, GID).unwrap();
        fs::write(inner.join("cgroup.procs"), manager.pid().to_string()).unwrap();
        let session: SessionId = format!("k{number}").parse().unwrap();
        root.create_scope(uid, &session, process.pid()).unwrap();
        let unit = root.manager_path(uid);
        fs::create_dir_all(unit.join(&SCOPE[1..])).unwrap();
        Self { root, uid, session, manager, process, unit }
    }

    /// What the manager asks for a process of the session.
    fn wish<'a>(&self, pids: &'a [u32]) -> Attachment<'a> {
        Attachment { caller: self.uid, caller_pid: self.manager.pid(), unit: "", subcgroup: SCOPE, pids }
    }

    fn attach(&self, wanted: Attachment<'_>) -> Result<(), AttachError> {
        attach(&self.root, &wanted)
    }

    /// Whether a process is still where the session is.
    fn is_in_session(&self, pid: u32) -> bool {
        self.root.session_of_pid(pid).as_ref() == Some(&self.session)
    }

    fn is_in_scope(&self, pid: u32) -> bool {
        cgroup_of(pid).is_some_and(|path| path.ends_with(&format!("/{}{SCOPE}", self.uid.manager_unit())))
    }

    /// One more process in the session.
    fn enter(&self, process: Process) -> Process {
        self.root.create_scope(self.uid, &self.session, process.pid()).unwrap();
        process
    }

    fn end(self) {
        let Self { root, uid, manager, process, .. } = self;
        manager.end();
        process.end();
        let removed = || root.remove_slice(uid).unwrap();
        wait_until("the slice is removed", removed, |reaped| *reaped == Reaped::Gone);
    }
}

fn is_invalid(result: &Result<(), AttachError>) -> bool {
    matches!(result, Err(AttachError::InvalidArgs(_)))
}

fn is_denied(result: &Result<(), AttachError>) -> bool {
    matches!(result, Err(AttachError::AccessDenied(_)))
}

#[test]
fn a_manager_takes_processes_of_its_user_out_of_the_session() {
    let user = User::new(101);
    let more = user.enter(Process::start_as(user.uid));
    let pids = [user.process.pid(), more.pid()];
    user.attach(user.wish(&[])).unwrap();
    assert!(pids.iter().all(|pid| user.is_in_session(*pid)));
    user.attach(user.wish(&pids)).unwrap();
    assert!(pids.iter().all(|pid| user.is_in_scope(*pid)));
    // What is there already may come again, by the unit's name, too.
    let name = user.uid.manager_unit();
    user.attach(Attachment { unit: &name, ..user.wish(&pids) }).unwrap();
    // 0 is the caller.
    fs::create_dir(user.unit.join("other.scope")).unwrap();
    user.attach(Attachment { subcgroup: "/other.scope", ..user.wish(&[0]) }).unwrap();
    assert!(cgroup_of(user.manager.pid()).unwrap().ends_with("/other.scope"));
    more.end();
    user.end();
}

#[test]
fn root_may_from_anywhere_but_only_what_is_that_user_s() {
    let user = User::new(102);
    let name = user.uid.manager_unit();
    let own = std::process::id();
    let pids = [user.process.pid()];
    let by_root = |unit| Attachment { caller: Uid::ROOT, caller_pid: own, unit, ..user.wish(&pids) };
    assert!(is_invalid(&user.attach(by_root(""))), "root is in no unit of a user's");
    user.attach(by_root(&name)).unwrap();
    assert!(user.is_in_scope(user.process.pid()));
    let foreign = Process::start();
    assert!(is_denied(&user.attach(Attachment { pids: &[foreign.pid()], ..by_root(&name) })));
    let roots = user.enter(Process::start());
    user.attach(Attachment { pids: &[roots.pid()], ..by_root(&name) }).unwrap();
    roots.end();
    user.end();
}

#[test]
fn nobody_else_may_and_nobody_elses_processes() {
    let (user, other) = (User::new(103), User::new(104));
    let pids = [user.process.pid()];
    let stays = || assert!(user.is_in_session(user.process.pid()));
    // From a session, by another user, with another's name or process id.
    assert!(is_invalid(&user.attach(Attachment { caller_pid: user.process.pid(), ..user.wish(&pids) })));
    let name = user.uid.manager_unit();
    let from_session = Attachment { caller_pid: user.process.pid(), unit: &name, ..user.wish(&pids) };
    assert!(is_denied(&user.attach(from_session)));
    assert!(is_denied(&user.attach(Attachment { caller: other.uid, ..user.wish(&pids) })));
    let by_other = Attachment { caller: other.uid, caller_pid: other.manager.pid(), ..user.wish(&pids) };
    assert!(is_denied(&user.attach(Attachment { unit: &name, ..by_other })));
    assert!(is_denied(&user.attach(by_other)), "into the other's own unit");
    stays();
    // Processes: of another user, of root in one's own session, one's own elsewhere. One such, and none is moved.
    let roots = user.enter(Process::start());
    let elsewhere = Process::start_as(user.uid);
    let in_others = other.enter(Process::start_as(user.uid));
    for bad in [other.process.pid(), roots.pid(), elsewhere.pid(), in_others.pid()] {
        assert!(is_denied(&user.attach(user.wish(&[user.process.pid(), bad]))), "{bad}");
        stays();
    }
    for bad in [1, std::process::id()] {
        assert!(is_invalid(&user.attach(user.wish(&[user.process.pid(), bad]))), "{bad}");
        stays();
    }
    for process in [roots, elsewhere, in_others] {
        process.end();
    }
    user.end();
    other.end();
}

#[test]
fn no_way_leads_out_of_the_unit() {
    let user = User::new(105);
    let pids = [user.process.pid()];
    let scope = format!("/../{}", user.session.scope());
    let long = format!("/{}", "x".repeat(5000));
    let deep = "/a".repeat(3000);
    for path in [
        "app.slice",
        "/..",
        "/.",
        "//",
        "/app.slice/",
        "/app.slice/../..",
        "/a\0b",
        "/missing",
        &scope,
        &long,
        &deep,
    ] {
        assert!(is_invalid(&user.attach(Attachment { subcgroup: path, ..user.wish(&pids) })), "{path}");
    }
    let procs = "/app.slice/cgroup.procs";
    assert!(is_invalid(&user.attach(Attachment { subcgroup: procs, ..user.wish(&pids) })), "a file");
    for unit in ["user@.service", "user@0x1.service", "x.service", "user@1/../2.service", &long] {
        let result = user.attach(Attachment { unit, ..user.wish(&pids) });
        assert!(matches!(result, Err(AttachError::NoSuchUnit(_))), "{unit}: {result:?}");
    }
    let nobody = uid(199).manager_unit();
    let result = user.attach(Attachment { unit: &nobody, ..user.wish(&pids) });
    assert!(is_denied(&result), "{result:?}");
    let result = user.attach(Attachment { caller: Uid::ROOT, unit: &nobody, ..user.wish(&pids) });
    assert!(is_invalid(&result), "no manager, no unit: {result:?}");
    assert!(user.is_in_session(user.process.pid()));
    user.end();
}

#[test]
fn too_many_and_those_that_are_gone() {
    let user = User::new(106);
    let many = vec![user.process.pid(); PIDS_MAX + 1];
    assert!(is_invalid(&user.attach(user.wish(&many))));
    user.attach(user.wish(&many[..PIDS_MAX])).unwrap();
    assert!(user.is_in_scope(user.process.pid()));

    let process = Process::start_as(user.uid);
    let gone = process.pid();
    process.end();
    for pid in [gone, 4_194_305, u32::MAX] {
        let result = user.attach(user.wish(&[pid]));
        assert!(matches!(result, Err(AttachError::NoSuchProcess(number)) if number == pid), "{result:?}");
    }
    user.end();
}

#[test]
fn who_has_a_dead_process_s_number_is_put_back() {
    let user = User::new(107);
    let other = Process::start();
    let (origin, now) = (cgroup_of(other.pid()).unwrap(), pidfd::leader_of(other.pid()).unwrap());
    let dead = LeaderPid { start: now.start - 1, ..now };
    let target = user.root.below_manager(user.uid, SCOPE).unwrap();
    target.take(other.pid()).unwrap();
    assert!(user.is_in_scope(other.pid()));
    assert!(!user.root.put_back_others(now, target.path()).unwrap(), "it is the right one");
    assert!(user.is_in_scope(other.pid()));
    assert!(user.root.put_back_others(dead, target.path()).unwrap());
    assert_eq!(cgroup_of(other.pid()).unwrap(), origin, "where its parent is: this test");
    // One that was not moved stays where it is.
    assert!(
        user.root.put_back_others(LeaderPid { pid: user.process.pid(), start: 0 }, target.path()).unwrap()
    );
    assert!(user.is_in_session(user.process.pid()));
    other.end();
    user.end();
}
