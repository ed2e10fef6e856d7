//! What the fault tests have in common: people who are logged in without much ado, and looks at what usherd keeps.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET};
use usher_tests::{Background, Machine};

/// alice's uid.
pub(crate) const ALICE: u32 = 1001;
/// Her runtime directory.
pub(crate) const RUNTIME: &str = "/run/user/1001";

/// Settings for tests in which neither the stop delay nor the manager is the subject.
pub(crate) const QUICK: &str = "[Login]\nUserStopDelaySec=0\nManager=none\n";
/// With the real manager.
pub(crate) const WITH_MANAGER: &str = "[Login]\nUserStopDelaySec=0\n";

/// A machine with this usher.conf.
pub(crate) fn machine(config: &str) -> Machine {
    Machine::builder().config(config).boot()
}

/// Somebody who stays logged in, through the real su(1), until its process ends.
pub(crate) struct Login<'m> {
    machine: &'m Machine,
    pub(crate) su: Background<'m>,
    pub(crate) session: String,
}

impl<'m> Login<'m> {
    /// Logs in and waits for the session.
    pub(crate) fn of(machine: &'m Machine, user: &str) -> Self {
        Self::running(machine, user, "exec sleep 1000")
    }

    /// The same with another command than one that just stays.
    pub(crate) fn running(machine: &'m Machine, user: &str, command: &str) -> Self {
        let su = su(machine, user, command);
        wait_in(machine, &su);
        let leader = su.pid();
        let session = machine.wait_some("a session for su", || session_led_by(machine, leader));
        Self { machine, su, session }
    }

    /// Logs out in order: su closes its PAM session.
    pub(crate) fn log_out(self) {
        log_out(self.machine, self.su);
    }

    /// Waits until its session is gone.
    pub(crate) fn wait_gone(&self) {
        self.machine.wait_for("the session to be gone", || !sessions(self.machine).contains(&self.session));
    }
}

/// Logs alice in within `limit`: session and runtime directory are valid, and the auth log has one line with the words.
pub(crate) fn logs_in<'m>(machine: &'m Machine, limit: Duration, words: &[&str]) -> Login<'m> {
    let before = module_lines(machine).len();
    let start = Instant::now();
    let login = Login::running(machine, "alice", "touch $XDG_RUNTIME_DIR/$XDG_SESSION_ID && exec sleep 1000");
    let took = start.elapsed();
    assert!(took < limit, "the login took {took:?}");
    machine.wait_for("a file in the runtime directory", || {
        machine.exists(format!("{RUNTIME}/{}", login.session))
    });
    let lines = module_lines(machine);
    let of_login: Vec<_> = lines[before..].iter().filter(|line| line.contains("su-l")).collect();
    assert_eq!(of_login.len(), 1, "{lines:?}");
    for word in words {
        assert!(of_login[0].contains(word), "no '{word}' in {of_login:?}");
    }
    login
}

/// Begins to log in through su(1); the login has come through when it says so.
pub(crate) fn su<'m>(machine: &'m Machine, user: &str, command: &str) -> Background<'m> {
    machine.spawn(&["su", "-", user, "-c", &format!("echo I am in; {command}")])
}

/// Waits until the login has come through.
pub(crate) fn wait_in(machine: &Machine, su: &Background<'_>) {
    machine.wait_for("the login to come through", || su.log().contains("I am in"));
}

/// Ends what su(1) has started; su notices, closes the PAM session and ends, too.
pub(crate) fn log_out(machine: &Machine, mut su: Background<'_>) {
    wait_in(machine, &su);
    machine.run(&["pkill", "-KILL", "-P", &su.pid().to_string()]);
    su.wait(usher_tests::DEADLINE);
}

/// Ids of the sessions on file, sorted.
pub(crate) fn sessions(machine: &Machine) -> Vec<String> {
    let mut ids = names(machine, "/run/systemd/sessions");
    ids.sort_by_key(|id| id.parse::<u64>().unwrap_or(u64::MAX));
    ids
}

/// The sessions that somebody has opened, managers' left out.
pub(crate) fn logins(machine: &Machine) -> Vec<String> {
    let mut ids = sessions(machine);
    ids.retain(|id| {
        key(machine, &session_file(id), "CLASS").is_some_and(|class| !class.starts_with("manager"))
    });
    ids
}

/// Names in a directory of the machine, none of them hidden.
pub(crate) fn names(machine: &Machine, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(machine.file(directory)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

pub(crate) fn session_file(id: &str) -> String {
    format!("/run/systemd/sessions/{id}")
}

pub(crate) fn user_file(uid: u32) -> String {
    format!("/run/systemd/users/{uid}")
}

/// The value of a key in one of usherd's state files.
pub(crate) fn key(machine: &Machine, file: &str, key: &str) -> Option<String> {
    let text = machine.read(file);
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
}

pub(crate) fn state_of(machine: &Machine, id: &str) -> Option<String> {
    key(machine, &session_file(id), "STATE")
}

/// The session whose leader is this process.
pub(crate) fn session_led_by(machine: &Machine, leader: i32) -> Option<String> {
    let leader = leader.to_string();
    sessions(machine).into_iter().find(|id| key(machine, &session_file(id), "LEADER") == Some(leader.clone()))
}

/// alice's user manager, if it is ready.
pub(crate) fn ready_manager(machine: &Machine) -> Option<i32> {
    let file = user_file(ALICE);
    (key(machine, &file, "USHER_MANAGER_READY")? == "1").then_some(())?;
    manager(machine)
}

/// alice's user manager.
pub(crate) fn manager(machine: &Machine) -> Option<i32> {
    key(machine, &user_file(ALICE), "USHER_MANAGER_PID")?.parse().ok()
}

/// Every process of alice that runs as a user manager does.
pub(crate) fn managers(machine: &Machine) -> Vec<String> {
    let found = machine.try_run(&["pgrep", "-u", "alice", "-f", "^/usr/lib/systemd/systemd --user"]);
    found.stdout.lines().map(str::to_owned).collect()
}

/// What makes a directory the same one: number of its mount, device and inode.
pub(crate) fn identity(machine: &Machine, path: &str) -> (String, u64, u64) {
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", machine.init_pid())).unwrap_or_default();
    let line = table.lines().rev().find(|line| line.split(' ').nth(4) == Some(path));
    let mount = line.and_then(|line| line.split(' ').next()).unwrap_or("none").to_owned();
    let status = fs::symlink_metadata(machine.file(path)).expect("a runtime directory");
    (mount, status.dev(), status.ino())
}

/// How many mounts there are on a directory.
pub(crate) fn stacked(machine: &Machine, path: &str) -> usize {
    machine.mounts().iter().filter(|mount| mount.mount_point == path).count()
}

/// The lines that pam_usher has sent to syslog; all of them, as a later one proves.
pub(crate) fn module_lines(machine: &Machine) -> Vec<String> {
    let mark = format!("mark {:?}", std::time::Instant::now());
    machine.run(&["logger", "-t", "test", &mark]);
    machine.wait_for("the syslog", || machine.syslog().contains(&mark));
    machine.syslog().lines().filter(|line| line.contains("pam_usher")).map(str::to_owned).collect()
}

/// Waits until nothing is left of anybody: no record, directory, mount, cgroup; and no process of alice.
pub(crate) fn wait_nothing_left(machine: &Machine) {
    machine.wait_for("nothing to be left", || left(machine).is_empty());
}

/// What is left of sessions and users.
pub(crate) fn left(machine: &Machine) -> Vec<String> {
    let mut left = Vec::new();
    for directory in ["/run/systemd/sessions", "/run/systemd/users", "/run/user", "/run/usher/notify"] {
        left.extend(names(machine, directory).iter().map(|name| format!("{directory}/{name}")));
    }
    let mounts = machine.mounts();
    left.extend(
        mounts.iter().map(|m| &m.mount_point).filter(|point| point.starts_with("/run/user/")).cloned(),
    );
    left.extend(machine.cgroup_children("/user.slice").iter().map(|name| format!("cgroup {name}")));
    left
}

/// Files that usherd has begun to write, and sockets that it has not put in their place.
pub(crate) fn temporary_files(machine: &Machine) -> Vec<String> {
    let directories = ["seats", "sessions", "users", "inhibit"].map(|name| format!("/run/systemd/{name}"));
    let mut found = Vec::new();
    for directory in directories.iter().map(String::as_str).chain(["/run/usher"]) {
        let entries = fs::read_dir(machine.file(directory)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        found.extend(names.filter(|name| name.starts_with(".#") || name.ends_with(".new")));
    }
    found
}

/// Starts usherd by way of another program, which takes something away from it, and waits until it is ready.
pub(crate) fn start_usherd_by<'m>(machine: &'m Machine, words: &[&str]) -> Background<'m> {
    let words = [words, &["/usr/sbin/usherd"]].concat();
    let mut broker = machine.spawn_with(&words, None, &[("NOTIFY_SOCKET", NOTIFY_SOCKET)]);
    let ready = format!("{} READY=1", broker.pid());
    machine.wait_for("usherd to be ready", || {
        assert!(broker.is_running(), "usherd ended: {}", broker.log());
        machine.read(NOTIFICATIONS).lines().any(|line| line == ready)
    });
    broker
}

/// Sends a signal to a process that is known by its number in the machine.
pub(crate) fn signal(machine: &Machine, pid: i32, signal: &str) {
    machine.run(&["kill", &format!("-{signal}"), &pid.to_string()]);
}

/// Sends a signal to a process that is known by its number on the host.
pub(crate) fn signal_host(host_pid: i32, signal: Signal) {
    kill(Pid::from_raw(host_pid), signal).expect("a process to signal");
}

/// Descriptors and resident memory in KiB of a process of the machine.
pub(crate) fn size_of(machine: &Machine, pid: i32) -> (usize, u64) {
    let fds = fs::read_dir(machine.file(format!("/proc/{pid}/fd"))).map_or(0, Iterator::count);
    let status = machine.read(format!("/proc/{pid}/status"));
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
    (fds, resident.unwrap_or(0))
}
