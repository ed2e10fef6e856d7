//! Every user manager that the distribution has, those that it lacks but somebody has installed, and some played by a script:
//! each does what the others do, and a broken one breaks no login.

mod faults_common;

use std::path::Path;
use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Builder, Machine};

/// Where a service of alice's leaves its mark, and where its process number.
const PID: &str = "/home/alice/service.pid";

/// A user manager, and how alice has a service under it.
struct Backend {
    name: &'static str,
    /// The program that the process of the manager runs.
    program: &'static str,
    files: Vec<(String, String, u32)>,
}

/// A service that runs for ever and notes its number; at SIGTERM it says good-bye.
fn run_script() -> String {
    format!(
        "#!/bin/sh\ntrap 'kill $!; wait $!; echo bye > {PID}; exit 0' TERM\necho $$ > {PID}\nwhile :; do sleep 1000 & wait $!; done\n"
    )
}

fn file(path: &str, text: impl Into<String>, mode: u32) -> (String, String, u32) {
    (path.to_owned(), text.into(), mode)
}

/// Plays a manager: starts the service, says in its way that it is ready, stops at SIGUSR1.
fn script(ready: &str) -> String {
    format!(
        "#!/usr/bin/python3
import os, signal, socket, subprocess, sys, time
service = None
def stop(*_):
    service.terminate(); service.wait(); sys.exit(0)
signal.signal(signal.SIGUSR1, stop)
service = subprocess.Popen(['/usr/local/bin/service'])
while not os.path.exists('{PID}'): time.sleep(0.01)
{ready}
while True: time.sleep(1000)
"
    )
}

fn played(name: &'static str, definition: &str, ready: &str) -> Backend {
    let definition = format!("[Manager]\nStart=/usr/local/bin/played %r %t\n{definition}\n");
    Backend {
        name,
        program: "played",
        files: vec![
            file(&format!("/etc/usher/managers/{name}.conf"), definition, 0o644),
            file("/usr/local/bin/played", script(ready), 0o755),
            file("/usr/local/bin/service", run_script(), 0o755),
        ],
    }
}

fn backends() -> Vec<Backend> {
    let unit = "[Service]\nExecStart=/usr/local/bin/service\n";
    let home = "/home/alice/.config";
    [
        Backend {
            name: "systemd",
            program: "systemd",
            files: vec![
                file("/usr/local/bin/service", run_script(), 0o755),
                file(&format!("{home}/systemd/user/x.service"), unit, 0o644),
                file(
                    &format!("{home}/systemd/user/default.target.d/x.conf"),
                    "[Unit]\nWants=x.service\n",
                    0o644,
                ),
            ],
        },
        Backend {
            name: "runit",
            program: "runsvdir",
            files: vec![file(&format!("{home}/service/x/run"), run_script(), 0o755)],
        },
        Backend {
            name: "s6",
            program: "s6-svscan",
            files: vec![file(&format!("{home}/s6/service/x/run"), run_script(), 0o755)],
        },
    ]
    .into_iter()
    .chain(installed())
    .chain(all_played())
    .collect()
}

/// Those that Debian has no package of: only where they are.
fn installed() -> Vec<Backend> {
    let home = "/home/alice/.config";
    let dinit = Backend {
        name: "dinit",
        program: "dinit",
        files: vec![
            file("/usr/local/bin/service", run_script(), 0o755),
            file(&format!("{home}/dinit.d/boot"), "type = internal\nwaits-for = x\n", 0o644),
            file(&format!("{home}/dinit.d/x"), "type = process\ncommand = /usr/local/bin/service\n", 0o644),
        ],
    };
    let there =
        ["/usr/bin/dinit", "/usr/sbin/dinit", "/sbin/dinit"].map(Path::new).iter().any(|path| path.exists());
    if !there {
        eprintln!("dinit is not installed: not tested");
    }
    there.then_some(dinit).into_iter().collect()
}

fn all_played() -> [Backend; 3] {
    [
        played("by-line", "Readiness=fd\nStop=SIGUSR1", "os.write(int(sys.argv[1]), b'ready\\n')"),
        played(
            "by-file",
            "Readiness=file\nReadyFile=%t/sub/there\nStop=/bin/sh -c 'kill -USR1 $MAINPID'",
            "os.makedirs(sys.argv[2] + '/sub', exist_ok=True); open(sys.argv[2] + '/sub/there', 'w')",
        ),
        played(
            "by-notify",
            "Readiness=notify\nStop=USR1",
            "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])",
        ),
    ]
}

fn builder(backend: &Backend, more: &str) -> Builder {
    let name = backend.name;
    let config = format!("[Login]\nUserStopDelaySec=0\nManager={name}\nManagerStopTimeoutSec=20\n{more}");
    backend.files.iter().fold(Machine::builder().config(&config), |builder, (path, text, mode)| {
        let owner = if path.starts_with("/home/alice/") { ALICE } else { 0 };
        builder.file(path, text, *mode, owner)
    })
}

/// The service's process, if it runs.
fn service(machine: &Machine) -> Option<i32> {
    let pid: i32 = machine.read(PID).trim().parse().ok()?;
    machine.exists(format!("/proc/{pid}")).then_some(pid)
}

/// The process of the manager, once it has become the program.
fn process(machine: &Machine, backend: &Backend) -> Option<i32> {
    let pid = ready_manager(machine)?;
    let line = machine.read(format!("/proc/{pid}/cmdline"));
    line.contains(backend.program).then_some(pid)
}

fn status(machine: &Machine) -> String {
    machine.run(&["usherctl", "user-status", "alice"]).stdout
}

/// A machine for each, one after the other.
fn each(test: impl Fn(&Backend, Machine)) {
    for backend in backends() {
        eprintln!("backend: {}", backend.name);
        test(&backend, builder(&backend, "").boot());
    }
}

#[test]
fn one_a_user_from_the_first_login_to_the_last_logout() {
    each(|backend, machine| {
        let broker = machine.start_usherd();
        let mut first = machine.ssh_session("alice");
        // The login has waited for it.
        assert!(ready_manager(&machine).is_some(), "{}: {}", backend.name, status(&machine));
        let manager = machine.wait_some("the manager's program", || process(&machine, backend));
        let service_pid = machine.wait_some("the service", || service(&machine));
        let cgroup = machine.read(format!("/proc/{service_pid}/cgroup"));
        assert!(cgroup.contains("/user-1001.slice/user@1001.service/"), "{cgroup}");
        let owner = machine.read(format!("/proc/{manager}/status"));
        assert!(owner.contains("Uid:\t1001\t1001\t1001\t1001"), "{owner}");

        let second = machine.ssh_session("alice");
        assert_eq!(process(&machine, backend), Some(manager));
        first.ask("true");
        first.close();
        assert_eq!(process(&machine, backend), Some(manager));
        let start = Instant::now();
        second.close();
        wait_nothing_left(&machine);
        assert!(start.elapsed() < Duration::from_secs(15), "{}: {:?}", backend.name, start.elapsed());
        assert_eq!(machine.read(PID), "bye\n", "{}: the service was not stopped in order", backend.name);
        assert!(!broker.log().contains("is killed"), "{}", broker.log());
        assert!(names(&machine, "/run/usher/notify").iter().all(|name| !name.contains("fifo")));
    });
}

#[test]
fn killed_it_comes_back_and_an_usherd_that_was_killed_finds_it() {
    each(|backend, machine| {
        let mut broker = machine.start_usherd();
        let shell = machine.ssh_session("alice");
        let first = machine.wait_some("the manager", || process(&machine, backend));
        machine.wait_for("the service", || service(&machine).is_some());
        signal(&machine, first, "KILL");
        let second =
            machine.wait_some("another manager", || process(&machine, backend).filter(|pid| *pid != first));
        machine.wait_for("the service again", || service(&machine).is_some());
        assert!(broker.log().contains("next attempt in 100 ms"), "{}", broker.log());

        broker.kill9();
        broker.start();
        assert_eq!(process(&machine, backend), Some(second));
        let next = machine.ssh_session("alice");
        assert_eq!(process(&machine, backend), Some(second));
        shell.close();
        next.close();
        wait_nothing_left(&machine);
        assert_eq!(machine.read(PID), "bye\n", "{}: not stopped as its definition says", backend.name);
    });
}

#[test]
fn one_that_is_killed_together_with_usherd_is_started_anew() {
    each(|backend, machine| {
        let mut broker = machine.start_usherd();
        let shell = machine.ssh_session("alice");
        let first = machine.wait_some("the manager", || process(&machine, backend));
        broker.kill9();
        signal(&machine, first, "KILL");
        broker.start();
        machine.wait_some("another manager", || process(&machine, backend).filter(|pid| *pid != first));
        assert!(!broker.log().contains("before it was ready"), "{}: {}", backend.name, broker.log());
        shell.close();
        wait_nothing_left(&machine);
    });
}

/// A machine whose manager is defined like this, and whose users wait for it for a second.
fn broken(definition: &str, program: &str) -> Machine {
    let config = "[Login]\nUserStopDelaySec=0\nManager=broken\nManagerReadyWaitSec=1\nManagerStartTimeoutSec=2\n\
                  ManagerStopTimeoutSec=1\n";
    Machine::builder()
        .config(config)
        .file("/etc/usher/managers/broken.conf", definition, 0o644, 0)
        .file("/usr/local/bin/broken", program, 0o755, 0)
        .boot()
}

/// alice logs in all the same, and is told why.
fn breaks_no_login(machine: &Machine, why: &str) {
    let broker = machine.start_usherd();
    let login = logs_in(machine, Duration::from_secs(4), &["user manager"]);
    machine.wait_for("the manager to be given up", || status(machine).contains("Manager: failed"));
    let status = status(machine);
    assert!(status.contains(why), "no '{why}' in {status}");
    assert_eq!(state_of(machine, &login.session).as_deref(), Some("active"));
    login.log_out();
    wait_nothing_left(machine);
    drop(broker);
}

#[test]
fn it_ends_at_once() {
    let definition = |readiness| format!("[Manager]\nStart=/usr/local/bin/broken\nReadiness={readiness}\n");
    for readiness in ["notify", "fd", "file\nReadyFile=%t/x"] {
        breaks_no_login(&broken(&definition(readiness), "#!/bin/sh\nexit 1\n"), "exit status 1");
    }
    // This one counts as ready once it runs, so no login has anything to complain of.
    let machine = broken(&definition("immediate"), "#!/bin/sh\nexit 1\n");
    let _broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager to be given up", || status(&machine).contains("Manager: failed"));
    assert!(status(&machine).contains("exit status 1"), "{}", status(&machine));
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn it_is_not_installed() {
    for readiness in ["fd", "immediate"] {
        let definition = format!("[Manager]\nStart=/usr/bin/no-such\nReadiness={readiness}\n");
        breaks_no_login(&broken(&definition, ""), "exit status 203");
    }
    let two = "[Manager]\nStart=/usr/bin/no-such\nStart=/usr/sbin/no-such\nReadiness=fd\n";
    breaks_no_login(&broken(two, ""), "there is no /usr/bin/no-such: install it");
}

#[test]
fn it_never_says_that_it_is_ready_or_says_too_much() {
    let definition = "[Manager]\nStart=/usr/local/bin/broken %r\nReadiness=fd\n";
    let late = "it was not ready within 2 s";
    breaks_no_login(&broken(definition, "#!/bin/sh\nsleep 1000\n"), late);
    breaks_no_login(&broken(definition, "#!/bin/sh\nexec cat /dev/zero | tr '\\0' x >&3\n"), late);
    let by_file = "[Manager]\nStart=/bin/sleep 1000\nReadiness=file\nReadyFile=%t/never\n";
    breaks_no_login(&broken(by_file, ""), late);
}

#[test]
fn its_definition_is_wrong() {
    breaks_no_login(
        &broken("[Manager]\nStart=/bin/true\nReadiness=soon\n", ""),
        "/etc/usher/managers/broken.conf:3: Readiness: 'soon' is refused",
    );
    let machine = machine("[Login]\nUserStopDelaySec=0\nManager=nonesuch\n");
    breaks_no_login(&machine, "there is no nonesuch.conf in /etc/usher/managers or /usr/lib/usher/managers");
}

#[test]
fn a_stop_command_that_fails_or_hangs_is_no_obstacle() {
    for (command, budget) in [("/bin/false", 5), ("/bin/sleep 1000", 8), ("/usr/bin/no-such", 5)] {
        let definition =
            format!("[Manager]\nStart=/usr/local/bin/broken\nReadiness=immediate\nStop={command}\n");
        let machine = broken(&definition, "#!/bin/sh\nexec sleep 1000\n");
        let broker = machine.start_usherd();
        let login = Login::of(&machine, "alice");
        machine.wait_for("the manager", || ready_manager(&machine).is_some());
        let start = Instant::now();
        login.log_out();
        wait_nothing_left(&machine);
        assert!(start.elapsed() < Duration::from_secs(budget), "{command}: {:?}", start.elapsed());
        let words =
            if command.contains("sleep") { "has not stopped within 1 s" } else { "SIGTERM is sent instead" };
        assert!(broker.log().contains(words), "no '{words}' in {}", broker.log());
    }
}

#[test]
fn somebody_else_runs_it() {
    let definition = "[Manager]\nSupervise=external\nReadiness=file\nReadyFile=%t/there\n";
    let machine = broken(definition, "");
    let _broker = machine.start_usherd();
    // Not there yet: the login goes on without it.
    let login = logs_in(&machine, Duration::from_secs(4), &["not ready yet"]);
    machine.as_user("alice", &["touch", "/run/user/1001/there"]);
    machine.wait_for("the manager to be ready", || ready_manager(&machine).is_some());
    let next = logs_in_quietly(&machine);
    next.log_out();
    login.log_out();
    wait_nothing_left(&machine);
}

fn logs_in_quietly(machine: &Machine) -> Login<'_> {
    let start = Instant::now();
    let login = Login::of(machine, "alice");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    login
}

#[test]
fn users_and_groups_have_their_own() {
    let machine = Machine::builder()
        .config(
            "[Login]\nUserStopDelaySec=0\nManager=none\nManagerOf=alice:s6 @readers:runit @other:nonesuch\n\
             ManagerOf=root:none\n",
        )
        .boot();
    machine.sh("groupadd readers && usermod -a -G readers bob && usermod -a -G readers alice");
    let _broker = machine.start_usherd();
    let alice = Login::of(&machine, "alice");
    let bob = Login::of(&machine, "bob");
    machine.wait_for("bob's manager", || machine.try_run(&["pgrep", "-u", "bob", "runsvdir"]).ok());
    assert!(machine.try_run(&["pgrep", "-u", "alice", "s6-svscan"]).ok());
    let root = Login::of(&machine, "root");
    assert_eq!(key(&machine, &user_file(0), "USHER_MANAGER_PID"), None);
    assert_eq!(machine.run(&["usherctl", "show-user", "root", "-P", "Manager"]).text(), "none");
    for login in [root, bob, alice] {
        login.log_out();
    }
    wait_nothing_left(&machine);
}
