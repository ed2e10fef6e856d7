//! Who is on stage while usherd dies: bob, who stays throughout, and alice, who comes and goes; and what must hold of
//! both.

use std::time::Duration;

use usher_tests::{Machine, PamLogin};

use super::manager;
use super::watch::Watch;
use crate::faults_common::*;

/// bob's uid.
const BOB: u32 = 1002;
/// For a session, and for a manager that nobody can say to be ready (ManagerReadyWaitSec=2); and what a busy computer adds.
const BUDGET: Duration = Duration::from_secs(5 + 2 + 3);

/// Settings for the cast: little waiting.
pub(crate) const CONFIG: &str = "[Service in-a-job]\nCgroup=adopt\n[Login]\nUserStopDelaySec=0\nManager=/usr/local/bin/manager\nManagerReadyWaitSec=2\n\
    ManagerStopTimeoutSec=500ms\nSessionStopTimeoutSec=200ms\nLingerStart=home-available\n";

/// The PAM service of an application with pam_systemd: it speaks D-Bus.
pub(crate) const OVER_THE_BUS: &str = "over-the-bus";
/// A display manager's, whose sessions are on a virtual terminal that nobody looks at.
pub(crate) const ON_THE_SEAT: &str = "lightdm";

/// The service of a login that a batch system has put into a job of its own.
pub(crate) const IN_A_JOB: &str = "in-a-job";
const TAKE: &str = "#!/bin/sh\n[ $PAM_TYPE = open_session ] || exit 0\nmkdir -p /sys/fs/cgroup/jobs/$PPID\n\
    echo $PPID > /sys/fs/cgroup/jobs/$PPID/cgroup.procs\n";

/// Virtual terminals that are none: one that is looked at for ever, and no way to another.
const TERMINALS: &str = "mount -t tmpfs none /sys/class/tty && mkdir /sys/class/tty/tty0 &&
    echo tty1 > /sys/class/tty/tty0/active && touch /dev/tty0 && mount --bind /dev/null /dev/tty0";

/// A machine for them.
pub(crate) fn machine() -> Machine {
    let machine = Machine::builder().config(CONFIG).user("carol", 1003);
    let machine = machine
        // What is optional counts if nothing else is there.
        .pam_line(OVER_THE_BUS, "session required pam_permit.so")
        .pam_line(OVER_THE_BUS, "session optional pam_systemd.so")
        .file("/etc/take.sh", TAKE, 0o755, 0)
        .pam_line(IN_A_JOB, "session required pam_exec.so /etc/take.sh")
        .pam_line(IN_A_JOB, "session optional pam_usher.so")
        .file("/etc/seat.env", "XDG_SEAT=seat0\nXDG_VTNR=7\n", 0o644, 0)
        .pam_line(ON_THE_SEAT, "session required pam_env.so envfile=/etc/seat.env")
        .pam_line(ON_THE_SEAT, "session optional pam_usher.so");
    let machine = machine.crash_points().file(manager::PROGRAM, manager::TEXT, 0o755, 0).boot();
    machine.sh("dbus-daemon --system --fork");
    machine
}

/// The same with terminals, as far as usherd can tell.
pub(crate) fn machine_with_terminals() -> Machine {
    let machine = machine();
    machine.sh(TERMINALS);
    machine
}

/// One where no usherd may mount anything, as in many containers.
pub(crate) fn machine_without_mounting() -> Machine {
    let machine = machine();
    for program in ["/usr/sbin/usherd", "/usr/sbin/usherd-crash-points"] {
        machine.sh(&format!(
            "touch {program}.own; mount --move {program} {program}.own
            echo '#!/bin/sh' > {program}; chmod 755 {program}
            echo 'exec setpriv --bounding-set=-sys_admin {program}.own \"$@\"' >> {program}"
        ));
    }
    machine
}

/// Somebody who is logged in throughout, and what must stay the same.
pub(crate) struct Bystander<'m> {
    login: PamLogin<'m>,
    session: String,
    /// The last session id that anybody was given.
    newest: u64,
    manager: i32,
    directory: (String, u64, u64),
}

impl<'m> Bystander<'m> {
    pub(crate) fn new(machine: &'m Machine) -> Self {
        let mut login = machine.pam_login("bob");
        let session = login.session();
        let manager = machine.wait_some("bob's manager", || manager::ready(machine, BOB));
        let directory = identity(machine, &runtime_dir(BOB));
        let newest = number(&session);
        Self { login, session, newest, manager, directory }
    }
}

/// Everybody, and what is known of alice.
pub(crate) struct Cast<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) bob: Option<Bystander<'m>>,
    /// alice's logins that are open.
    pub(crate) logins: Vec<PamLogin<'m>>,
    /// Whether she has a linger flag.
    pub(crate) lingers: bool,
    /// Sessions whose leaders have died, for the scene to remember.
    pub(crate) dead: Vec<String>,
    watch: Watch,
}

impl<'m> Cast<'m> {
    /// Nobody but bob, if he is to be there.
    pub(crate) fn new(machine: &'m Machine, bob: Option<Bystander<'m>>) -> Self {
        Self {
            machine,
            bob,
            logins: Vec::new(),
            lingers: false,
            dead: Vec::new(),
            watch: Watch::new(machine),
        }
    }

    /// alice logs in, and gets her session whatever happens to usherd meanwhile.
    pub(crate) fn log_in(&mut self) {
        let mut login = self.machine.pam_login("alice");
        let entered = login.entered();
        assert!(entered.took < BUDGET, "the login took {:?}", entered.took);
        assert!(entered.session.is_some(), "the login has got no session: {}", self.machine.syslog());
        assert_eq!(entered.runtime_dir.as_deref(), Some(RUNTIME));
        self.is_in(login);
    }

    fn is_in(&mut self, mut login: PamLogin<'m>) {
        let session = number(&login.session());
        if let Some(bob) = &mut self.bob {
            assert!(session > bob.newest, "session {session} after {}: an id was given twice", bob.newest);
            bob.newest = session;
        }
        self.logins.push(login);
    }

    /// alice logs in, and tries again if there was no usherd to ask.
    pub(crate) fn log_in_at_last(&mut self) {
        self.log_in_at_last_by("usher-test");
    }

    /// The same by an application of that PAM service.
    pub(crate) fn log_in_at_last_by(&mut self, service: &str) {
        let machine = self.machine;
        let login = machine.wait_some("a login with a session", || {
            let mut login = machine.pam_login_by(service, "alice");
            login.entered().session.is_some().then_some(login)
        });
        self.is_in(login);
    }

    /// alice's manager becomes ready.
    pub(crate) fn manager(&self) -> i32 {
        self.machine.wait_some("alice's manager", || manager::ready(self.machine, ALICE))
    }

    /// The newest of alice's logins ends in order.
    pub(crate) fn log_out(&mut self) {
        self.logins.pop().expect("a login").log_out();
    }

    /// The newest of alice's logins dies. Returns its session.
    pub(crate) fn die(&mut self) -> String {
        let mut login = self.logins.pop().expect("a login");
        let session = login.session();
        login.kill9();
        session
    }

    /// usherctl does it, as soon as there is an usherd.
    pub(crate) fn control(&self, words: &[&str]) {
        self.control_unless(words, || false);
    }

    /// The same, unless it has turned out to be done.
    pub(crate) fn control_unless(&self, words: &[&str], is_done: impl Fn() -> bool) {
        let words = [&["usherctl"], words].concat();
        self.machine.wait_for(&words.join(" "), || is_done() || self.machine.try_run(&words).ok());
    }

    pub(crate) fn wait_session_gone(&self, session: &str) {
        self.machine.wait_for("a session to be gone", || !self.machine.exists(session_file(session)));
    }

    /// Nothing of alice is left.
    pub(crate) fn wait_alice_gone(&self) {
        // The quick look first: this is asked often.
        let machine = self.machine;
        machine.wait_for("nothing of alice to be left", || {
            !machine.exists(user_file(ALICE)) && left_of_alice(machine).is_empty()
        });
    }

    /// What must hold as long as they are there, whatever has happened to usherd.
    pub(crate) fn check(&mut self) {
        let machine = self.machine;
        manager::never_two(machine);
        let mut living = Vec::new();
        if let Some(bob) = &mut self.bob {
            check_open(machine, &mut bob.login);
            assert_eq!(manager::ready(machine, BOB), Some(bob.manager), "bob's manager");
            assert_eq!(manager::running(machine, BOB), [bob.manager], "bob's managers");
            assert_eq!(identity(machine, &runtime_dir(BOB)), bob.directory, "bob's runtime directory");
            assert_eq!(stacked(machine, &runtime_dir(BOB)), 1);
            living.push(bob.session.clone());
        }
        for login in &mut self.logins {
            check_open(machine, login);
            living.push(login.session());
        }
        if !self.logins.is_empty() || self.lingers {
            let on_file = self.manager();
            machine.wait_for("one manager of alice", || manager::running(machine, ALICE) == [on_file]);
            assert_eq!(stacked(machine, RUNTIME), 1, "mounts on {RUNTIME}");
        }
        let removed = self.watch.removed();
        let vanished: Vec<_> = living.iter().filter(|session| removed.contains(*session)).collect();
        assert!(vanished.is_empty(), "files of sessions that are open were gone: {vanished:?}");
    }

    /// alice goes, and nothing of her is left.
    pub(crate) fn all_but_bob_go(&mut self) {
        if std::mem::take(&mut self.lingers) {
            self.control(&["disable-linger", "alice"]);
        }
        while !self.logins.is_empty() {
            self.log_out();
        }
        self.wait_alice_gone();
        self.check();
    }

    /// bob goes, too.
    pub(crate) fn bob_goes(&mut self) {
        if let Some(bob) = self.bob.take() {
            bob.login.log_out();
        }
        wait_nothing_left(self.machine);
    }
}

fn number(session: &str) -> u64 {
    session.parse().expect("a session id that is a number")
}

fn runtime_dir(uid: u32) -> String {
    format!("/run/user/{uid}")
}

/// A session that somebody was told of: on file, with its leader, which is in its cgroup.
pub(crate) fn check_open(machine: &Machine, login: &mut PamLogin<'_>) {
    let (session, leader) = (login.session(), login.entered().pid);
    let file = session_file(&session);
    let on_file = key(machine, &file, "LEADER").unwrap_or_else(|| panic!("session {session} is not on file"));
    assert_eq!(on_file, leader.to_string(), "the leader of session {session}");
    assert_eq!(key(machine, &file, "STATE").as_deref(), Some("active"), "session {session}");
    assert!(login.lives());
    let uid = key(machine, &file, "UID").unwrap_or_default();
    let scope = format!("/user.slice/user-{uid}.slice/session-{session}.scope");
    machine.wait_for("the leader to be in its session's cgroup", || {
        machine.cgroup_procs(&scope).is_some_and(|pids| pids.contains(&leader))
    });
}

/// Whatever is left of alice: records, directory, mounts, cgroups, sockets, processes; and temporary files of anybody.
fn left_of_alice(machine: &Machine) -> Vec<String> {
    let of_alice = |what: &String| what.contains("1001");
    let mut left: Vec<_> = left(machine).into_iter().filter(of_alice).collect();
    let sessions = sessions(machine).into_iter();
    left.extend(sessions.filter(|id| key(machine, &session_file(id), "USER").as_deref() == Some("alice")));
    left.extend(manager::processes(machine, ALICE).into_iter().map(|(_, words)| words));
    left.extend(temporary_files(machine));
    left
}
