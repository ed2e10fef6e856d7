//! usherd as a service: what has to hold under every init, told by the init's own commands.

#![allow(dead_code, reason = "every test program uses a part of this")]

#[allow(dead_code, reason = "every test program uses a part of this")]
pub(crate) mod openrc;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use usher_tests::container::Start;
use usher_tests::{Builder, Container, DEADLINE, Machine};

pub(crate) const CONF: &str = "/etc/usher/usher.conf";
/// As long as usherd waits at its start for a bus that does not answer; until then it is not ready.
const SLOW: Duration = Duration::from_millis(500);

/// Where an init runs.
pub(crate) trait Place {
    /// A command as root, outside of every session.
    fn command(&self, words: &[&str]) -> Command;
    /// A path of the place as the test can open it.
    fn file(&self, path: &str) -> PathBuf;
    /// What is to be known after a failure.
    fn dump(&self) -> String;
}

impl Place for Machine {
    fn command(&self, words: &[&str]) -> Command {
        Self::command(self, words)
    }
    fn file(&self, path: &str) -> PathBuf {
        Self::file(self, path)
    }
    fn dump(&self) -> String {
        Self::dump(self)
    }
}

impl Place for Container {
    fn command(&self, words: &[&str]) -> Command {
        Self::command(self, words)
    }
    fn file(&self, path: &str) -> PathBuf {
        Self::file(self, path)
    }
    fn dump(&self) -> String {
        Self::dump(self)
    }
}

/// How one's init is told what to do with usherd, as lines of shell.
pub(crate) struct Init {
    pub(crate) start: &'static str,
    pub(crate) stop: &'static str,
    pub(crate) restart: &'static str,
    pub(crate) reload: &'static str,
    /// Succeeds as long as usherd is started.
    pub(crate) status: &'static str,
    /// What `status` writes then.
    pub(crate) says_started: &'static str,
    /// What a second `start` writes; empty where the init takes it as done.
    pub(crate) says_again: &'static str,
    /// Whether it starts a usherd again that has died.
    pub(crate) supervises: bool,
    /// Whether a bus runs already.
    pub(crate) bus: bool,
}

/// A usherd that is somebody's service.
pub(crate) struct Service<'p, P: Place> {
    pub(crate) place: &'p P,
    pub(crate) init: Init,
}

impl<'p, P: Place> Service<'p, P> {
    pub(crate) fn new(place: &'p P, init: Init) -> Self {
        Self { place, init }
    }

    /// Exit code, and what was written to both streams.
    pub(crate) fn try_sh(&self, line: &str) -> (i32, String) {
        // Not a pipe: whoever is left behind would hold it open.
        let path = "/run/told";
        let file = File::create(self.place.file(path)).expect("a file for the output");
        let mut command = self.place.command(&["timeout", "-k", "5", "60", "sh", "-c", line]);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a descriptor")).stderr(file);
        let status = command.status().expect("a shell");
        let text = String::from_utf8_lossy(&fs::read(self.place.file(path)).unwrap_or_default()).into_owned();
        (status.code().unwrap_or(-1), text.trim().to_owned())
    }

    pub(crate) fn sh(&self, line: &str) -> String {
        let (code, text) = self.try_sh(line);
        self.check(code == 0, &format!("`{line}` failed with {code}: {text}"));
        text
    }

    pub(crate) fn check(&self, holds: bool, message: &str) {
        assert!(holds, "{message}\n{}", self.place.dump());
    }

    pub(crate) fn wait_for(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !condition() {
            self.check(Instant::now() < end, &format!("waited in vain for {what}"));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process that serves; those that it has started for a moment are younger.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process("usherd")
    }

    /// The oldest process of that name.
    pub(crate) fn process(&self, name: &str) -> Option<i32> {
        let entries = fs::read_dir(self.place.file("/proc")).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_it = |pid: &i32| {
            let comm = fs::read_to_string(self.place.file(&format!("/proc/{pid}/comm")));
            // A zombie has no program any more.
            comm.is_ok_and(|comm| comm.trim_end() == name)
                && fs::read_link(self.place.file(&format!("/proc/{pid}/exe"))).is_ok()
        };
        pids.filter(is_it).min()
    }

    fn running(&self) -> i32 {
        self.pid().unwrap_or_else(|| panic!("no usherd runs\n{}", self.place.dump()))
    }

    /// A property of usherd's own.
    fn property(&self, name: &str) -> String {
        self.sh(&format!("usherctl show-session -p {name} --value"))
    }

    /// Logs in, once; fails without a session.
    pub(crate) fn log_in(&self, user: &str) -> Login<'p, P> {
        Login::of(self.place, user)
    }

    /// Stopped while the machine goes down, which that line makes it, it ends everybody, lingering or not, before it ends.
    pub(crate) fn ends_everybody(&self, down: &str) {
        self.sh(self.init.start);
        self.sh("usherctl enable-linger bob");
        let alice = self.log_in("alice");
        self.wait_for("bob", || self.place.file("/run/user/1002").exists());
        self.sh(down);
        self.check(self.pid().is_none(), "usherd runs");
        for directory in ["/run/user/1001", "/run/user/1002"] {
            self.check(!self.place.file(directory).exists(), directory);
        }
        drop(alice);
    }

    /// Fails unless the log that its init keeps says that logins are served.
    pub(crate) fn logs_that_it_is_ready(&self, log: &str) {
        let text = self.sh(&format!("cat {log}"));
        let ready = |line: &str| line.contains(" INFO ") && line.contains("ready on /run/usher/broker");
        assert!(text.lines().any(ready), "{text}");
    }

    /// Started is ready, told by the init or not; what it is told twice; what a restart, a crash and a stop leave as it is.
    pub(crate) fn lives(&self) {
        let Init { start, stop, restart, reload, status, says_started, says_again, supervises, bus } =
            self.init;
        self.check(self.try_sh(status).0 != 0, "nothing was started and the status is good");

        // Were it only said to be started, the login would come too early.
        let silence = if bus { Silence::hush(self.place) } else { Silence::listen(self.place) };
        let begin = Instant::now();
        self.sh(start);
        let took = begin.elapsed();
        self.check(
            took >= SLOW,
            &format!("the start was over after {took:?}, before usherd can have been ready"),
        );
        let mut alice = self.log_in("alice");
        drop(silence);
        let text = self.sh(status);
        self.check(text.contains(says_started), &format!("the status does not say {says_started:?}: {text}"));
        let first = self.running();
        let text = self.sh(start);
        self.check(text.contains(says_again), &format!("a second start does not say {says_again:?}: {text}"));
        self.check(self.running() == first, "a second start has replaced usherd");
        self.check_alone();

        let before = alice.picture();
        self.sh(restart);
        alice.is_as(&before, "after a restart");
        let second = self.running();
        self.check(second != first, "a restart has not started it anew");
        self.log_in("bob").log_out();

        self.write_conf("[Login]\nUserStopDelaySec=7\n");
        self.sh(reload);
        self.wait_for("the new setting", || self.property("UserStopDelayUSec") == "7s");
        self.check(self.running() == second, "a reload has replaced usherd");
        self.write_conf("[Login]\nUserStopDelaySec=0\n");
        self.sh(reload);
        self.wait_for("the old setting", || self.property("UserStopDelayUSec") == "0");

        self.sh(&format!("kill -KILL {second}"));
        if supervises {
            self.wait_for("usherd to come back", || {
                self.pid().is_some_and(|pid| pid != second) && self.try_sh("usherctl list-users").0 == 0
            });
        } else {
            self.wait_for("its end", || self.pid().is_none());
            // The last of its threads may take a moment longer.
            self.wait_for("the status of a dead usherd to be 1", || self.try_sh(status).0 == 1);
            self.sh(start);
        }
        alice.is_as(&before, "after a crash");
        self.log_in("bob").log_out();
        self.sh(status);

        self.sh(stop);
        self.check(self.pid().is_none(), "usherd runs after it was stopped");
        self.check(self.try_sh(status).0 != 0, "the status of a stopped usherd is good");
        alice.is_as(&before, "after a stop");
        self.sh(start);
        alice.is_as(&before, "after a stop and a start");
        alice.log_out();
        self.wait_for("alice to go", || !self.place.file("/run/systemd/users/1001").exists());
        self.sh(stop);
    }

    /// Started where another broker runs: it fails, says so, and leaves nothing behind that tries for ever.
    pub(crate) fn refuses_beside_another(&self, says: &str) {
        let rival = self.rival();
        let begin = Instant::now();
        let (code, text) = self.try_sh(self.init.start);
        self.check(code != 0, &format!("it was started beside another broker: {text}"));
        self.check(text.contains(says), &format!("it does not say {says:?}: {text}"));
        self.check(begin.elapsed() < DEADLINE, "it took for ever");
        self.check(
            self.try_sh(self.init.status).0 != 0,
            "the status of a usherd that did not come up is good",
        );
        self.check(self.pid().is_none(), "it tries on");
        self.end(rival);
        self.sh(self.init.start);
        self.log_in("alice").log_out();
        self.sh(self.init.stop);
    }

    /// Another broker, by its name: usherd does not run beside one.
    pub(crate) fn rival(&self) -> Child {
        self.sh("cp /bin/sleep /run/elogind");
        let rival = self.place.command(&["/run/elogind", "1000"]).spawn().expect("another broker");
        self.wait_for("the other broker", || self.process("elogind").is_some());
        rival
    }

    pub(crate) fn end(&self, mut rival: Child) {
        let pid = self.process("elogind").expect("the other broker");
        self.sh(&format!("kill -KILL {pid}"));
        rival.wait().expect("its end");
    }

    /// No user's process is in usherd's cgroup, which an init may empty.
    fn check_alone(&self) {
        let own = fs::read_to_string(self.place.file(&format!("/proc/{}/cgroup", self.running()))).unwrap();
        let sessions = self
            .sh("cat /sys/fs/cgroup/user.slice/user-1001.slice/user@1001.service/init.scope/cgroup.procs");
        self.check(!sessions.is_empty(), "alice has no manager in her slice");
        self.check(!own.contains("user.slice"), &format!("usherd is in a user's cgroup: {own}"));
    }

    pub(crate) fn write_conf(&self, text: &str) {
        fs::write(self.place.file(CONF), text).expect("usher.conf");
    }
}

/// A login that stays until it is told to go.
pub(crate) struct Login<'p, P: Place> {
    place: &'p P,
    child: Child,
    answers: RefCell<BufReader<std::process::ChildStdout>>,
    pub(crate) session: String,
    pid: String,
}

impl<'p, P: Place> Login<'p, P> {
    fn of(place: &'p P, user: &str) -> Self {
        let mut command = place.command(&["usher-pam-login", "--service", "usher-test", user]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("usher-pam-login");
        let mut answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("its answer");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (pid, session) = match words.as_slice() {
            ["in", pid, session, directory, _] if *session != "-" && *directory != "-" => (*pid, *session),
            _ => panic!("{user} was not given a session at once: {line:?}\n{}", place.dump()),
        };
        let (pid, session) = (pid.to_owned(), session.to_owned());
        Self { place, child, answers: RefCell::new(answers), session, pid }
    }

    /// What must not change: the record of the session, its cgroup's processes, the mount, the manager.
    pub(crate) fn picture(&self) -> String {
        let script = format!(
            "grep -E '^(UID|ACTIVE|STATE|CLASS|LEADER|SCOPE|REALTIME)=' /run/systemd/sessions/{id}
             grep -E '^(STATE|RUNTIME)=' /run/systemd/users/1001
             cat /proc/{pid}/cgroup | grep ^0:
             grep ' /run/user/1001 ' /proc/self/mountinfo
             sort /sys/fs/cgroup/user.slice/user-1001.slice/user@1001.service/init.scope/cgroup.procs
             sort /sys/fs/cgroup/user.slice/user-1001.slice/session-{id}.scope/cgroup.procs",
            id = self.session,
            pid = self.pid
        );
        let output = self.place.command(&["sh", "-ec", &script]).output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "alice's login is not whole: {text}{error}\n{}", self.place.dump());
        text
    }

    pub(crate) fn is_as(&mut self, before: &str, when: &str) {
        assert!(
            matches!(self.child.try_wait(), Ok(None)),
            "the login has ended {when}\n{}",
            self.place.dump()
        );
        let now = self.picture();
        assert_eq!(now, before, "{when}\n{}", self.place.dump());
    }

    pub(crate) fn log_out(mut self) {
        let input = self.child.stdin.as_mut().expect("its input");
        input.write_all(b"close\n").expect("to tell it");
        let mut line = String::new();
        self.answers.borrow_mut().read_line(&mut line).expect("its answer");
        assert!(line.starts_with("closed "), "{line:?}\n{}", self.place.dump());
    }
}

impl<P: Place> Drop for Login<'_, P> {
    fn drop(&mut self) {
        // It ends when there is nobody left to tell it anything.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A system bus that is there and does not answer: usherd is not ready before it has given up waiting for it.
enum Silence<'p> {
    Hushed(&'p dyn Place),
    Listens(PathBuf, #[expect(dead_code, reason = "held open")] UnixListener),
}

impl<'p> Silence<'p> {
    /// The bus that runs.
    fn hush(place: &'p impl Place) -> Self {
        signal_bus(place, "STOP");
        Self::Hushed(place)
    }

    /// One that never runs.
    fn listen(place: &impl Place) -> Self {
        let path = place.file("/run/dbus/system_bus_socket");
        fs::create_dir_all(path.parent().expect("a directory")).expect("/run/dbus");
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("the bus's socket");
        Self::Listens(path, listener)
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        match self {
            Self::Hushed(place) => signal_bus(*place, "CONT"),
            Self::Listens(path, _) => {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn signal_bus(place: &dyn Place, signal: &str) {
    let line = format!(
        "for file in /proc/[0-9]*/comm; do read -r name < $file; [ $name = dbus-daemon ] || continue; file=${{file%/comm}}; kill -{signal} ${{file#/proc/}}; done"
    );
    let status = place.command(&["sh", "-c", &line]).status().expect("a shell");
    assert!(status.success(), "no bus to signal");
}

/// Looks whether what Debian has no package of is on this computer: a machine has the same programs.
pub(crate) fn needs(program: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).exists());
    assert!(found, "{program} is not installed, and Debian has no package of it");
}

/// What the service `usher-test` does in a machine, too.
const PAM: &str =
    "auth required pam_permit.so\naccount required pam_permit.so\nsession optional pam_usher.so\n";

/// Puts usher into a container, as a package would, without any init's definition.
pub(crate) fn install(mut start: Start<'_>) -> Start<'_> {
    for (path, text) in [
        (CONF, "[Login]\nUserStopDelaySec=0\n"),
        ("/etc/pam.d/usher-test", PAM),
        ("/etc/pam.d/systemd-user", include_str!("../../../packaging/pam.d/systemd-user")),
        ("/usr/lib/usher/managers/systemd.conf", include_str!("../../../packaging/managers/systemd.conf")),
        (
            "/usr/share/dbus-1/system.d/org.freedesktop.login1.conf",
            include_str!("../../../packaging/dbus-1/org.freedesktop.login1.conf"),
        ),
        (
            "/usr/share/dbus-1/system-services/org.freedesktop.login1.service",
            include_str!("../../../packaging/dbus-1/org.freedesktop.login1.service"),
        ),
    ] {
        start = start.file(path, text, 0o644);
    }
    for (name, target) in [
        ("usherd", "/usr/sbin/usherd".into()),
        ("usherctl", "/usr/bin/usherctl".into()),
        ("usher-user-manager", "/usr/lib/usher/usher-user-manager".into()),
        ("usher-pam-login", "/usr/bin/usher-pam-login".into()),
        ("libpam_usher.so", pam_modules().join("pam_usher.so")),
    ] {
        start = start.program(built(name), target);
    }
    start
}

/// This program is in target/PROFILE/deps.
fn built(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    program.ancestors().nth(2).expect("target/PROFILE").join(name)
}

/// The same place as on this computer, which is a Debian, too.
fn pam_modules() -> PathBuf {
    let directories = Path::new("/usr/lib").read_dir().expect("/usr/lib").flatten();
    let mut directories = directories.map(|entry| entry.path().join("security"));
    directories.find(|directory| directory.join("pam_unix.so").exists()).expect("PAM's modules")
}

/// A machine with usher, and settings under which a logout is soon over.
pub(crate) fn builder() -> Builder {
    let stop_users = include_str!("../../../packaging/init/usher-stop-users");
    Machine::builder().config("[Login]\nUserStopDelaySec=0\n").file(
        "/usr/lib/usher/usher-stop-users",
        stop_users,
        0o755,
        0,
    )
}
