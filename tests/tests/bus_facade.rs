//! The bus is a facade: it may be there before usherd, come after it, or never; it may die and come back with sessions open.

use std::time::Duration;

use nix::sys::signal::Signal;
use usher_tests::Machine;

/// Within this time of the bus's start the name has its owner again.
const SOON: Duration = Duration::from_secs(1);
/// What the tests wait in, on a machine that does other things, too.
const LIMIT: Duration = Duration::from_secs(10);

/// Owns logind's name, says so, and lives on.
const RIVAL: &str = "
import dbus, sys, time
bus = dbus.SystemBus()
assert bus.request_name('org.freedesktop.login1') == 1
print('owned', flush=True)
time.sleep(1000)
";

fn machine() -> Machine {
    Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot()
}

fn call(machine: &Machine, method: &[&str]) -> Result<String, String> {
    let manager = ["/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
    let words =
        ["busctl", "call", "org.freedesktop.login1"].into_iter().chain(manager).chain(method.iter().copied());
    let output = machine.try_run(&words.collect::<Vec<_>>());
    if output.ok() { Ok(output.text().to_owned()) } else { Err(output.stderr) }
}

/// What a client sees of the sessions.
fn sessions(machine: &Machine) -> String {
    call(machine, &["ListSessions"]).unwrap_or_else(|error| error)
}

fn owned(machine: &Machine) -> bool {
    call(machine, &["ListSeats"]).is_ok()
}

#[test]
fn a_bus_that_was_there_before() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    machine.wait_for("the name's owner", || owned(&machine));
    assert_eq!(sessions(&machine), "a(susso) 0");
    let shell = machine.ssh_session("alice");
    let seen = sessions(&machine);
    assert!(
        seen.starts_with("a(susso) 1 \"1\" 1001 \"alice\" \"\" \"/org/freedesktop/login1/session/_31\""),
        "{seen}"
    );
    shell.close();
    machine.wait_for("alice to have gone from the bus", || sessions(&machine) == "a(susso) 0");
}

#[test]
fn a_bus_that_comes_later_and_one_that_comes_back() {
    let machine = machine();
    let usherd = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let mut bus = machine.start_dbus();
    let took = machine.wait_within(LIMIT, "the name's owner", || owned(&machine));
    assert!(took < SOON, "the name had no owner for {took:?}");
    assert!(sessions(&machine).contains("\"alice\""));

    for round in 0..3 {
        bus.kill9();
        // Logins go on, and what the shell does, too.
        assert_eq!(machine.ssh("bob", "echo in").text(), "in");
        assert_eq!(shell.ask("echo here"), "here");
        bus = machine.start_dbus();
        let took = machine.wait_within(LIMIT, "the name's owner", || owned(&machine));
        assert!(took < SOON, "round {round}: the name had no owner for {took:?}");
        let seen = sessions(&machine);
        assert!(seen.contains("\"alice\"") && !seen.contains("\"bob\""), "{seen}");
    }
    bus.terminate();
    assert_eq!(machine.ssh("bob", "echo in").text(), "in");
    assert!(usherd.log().contains("the system bus has gone"), "{}", usherd.log());
    shell.close();
}

#[test]
fn usherd_comes_back_to_the_same_bus() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let mut usherd = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    machine.wait_for("alice on the bus", || sessions(&machine).contains("\"alice\""));
    for _ in 0..5 {
        usherd.kill9();
        // The bus may not have noticed yet that its owner is dead: no reason to take that for a rival.
        usherd.start();
        machine.wait_within(LIMIT, "the name's owner", || owned(&machine));
        assert!(sessions(&machine).contains("\"alice\""));
    }
    assert_eq!(shell.ask("echo here"), "here");
    shell.close();
}

#[test]
fn a_bus_that_hangs_holds_up_nobody() {
    let machine = machine();
    let mut bus = machine.start_dbus();
    bus.signal(Signal::SIGSTOP);
    let _usherd = machine.start_usherd();
    assert_eq!(machine.ssh("alice", "echo in").text(), "in");
    bus.signal(Signal::SIGCONT);
    machine.wait_within(LIMIT, "the name's owner", || owned(&machine));
    bus.signal(Signal::SIGSTOP);
    assert_eq!(machine.ssh("bob", "echo in").text(), "in");
    bus.signal(Signal::SIGCONT);
    machine.wait_within(LIMIT, "an empty list", || sessions(&machine) == "a(susso) 0");
}

#[test]
fn where_another_broker_owns_the_name_usherd_says_so_and_ends() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let rival = machine.spawn(&["/usr/bin/python3", "-c", RIVAL]);
    machine.wait_for("the rival", || rival.log().contains("owned"));
    let mut usherd = machine.spawn(&["/usr/sbin/usherd"]);
    let code = usherd.wait(LIMIT);
    let said = usherd.log();
    assert_eq!(code, 1, "{said}");
    for words in ["python3 (process ", "owns the name org.freedesktop.login1", "stop and disable it"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!machine.exists("/run/systemd/sessions"), "usherd has changed something");
    drop(rival);
    let _usherd = machine.start_usherd();
    machine.wait_within(LIMIT, "the name's owner", || owned(&machine));
}

/// How often any of a process's threads has been woken.
fn wakes(machine: &Machine, pid: i32) -> u64 {
    let threads = machine.sh(&format!("cat /proc/{pid}/task/*/status"));
    let counts = threads.text().lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    counts.map(|count| count.trim().parse::<u64>().unwrap()).sum()
}

#[test]
fn nothing_wakes_usherd_while_nothing_happens() {
    const QUIET: Duration = Duration::from_secs(3);
    let machine = machine();
    let bus = machine.start_dbus();
    let usherd = machine.start_usherd();
    let shell = machine.ssh_session("alice");
    machine.wait_for("alice on the bus", || sessions(&machine).contains("\"alice\""));
    let quiet = |what: &str| {
        let (mut count, mut since) = (wakes(&machine, usherd.pid()), std::time::Instant::now());
        machine.wait_for(what, || {
            let now = wakes(&machine, usherd.pid());
            if now != count {
                (count, since) = (now, std::time::Instant::now());
            }
            since.elapsed() >= QUIET
        });
    };
    quiet("usherd to sleep for a while, with a session open");
    drop(bus);
    quiet("usherd to sleep for a while, without a bus");
    shell.close();
}
