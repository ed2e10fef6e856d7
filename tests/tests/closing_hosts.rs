//! PAM applications that close in odd ways: from a child, without privileges, twice, not at all; and the process that
//! closed lives on for ever. The application is `usher-pam-host`, through libpam and pam_usher.so.

mod faults_common;

use faults_common::*;
use usher_tests::{Background, Machine};

/// Starts the application; its steps are words.
fn host<'m>(machine: &'m Machine, steps: &str) -> Background<'m> {
    host_of(machine, "usher-test", steps)
}

fn host_of<'m>(machine: &'m Machine, service: &str, steps: &str) -> Background<'m> {
    let words: Vec<&str> = ["usher-pam-host", service, "alice"].into_iter().chain(steps.split(' ')).collect();
    machine.spawn(&words)
}

/// The processes that have said a line, and the results: "PID STEP RESULT".
fn said(host: &Background<'_>, step: &str) -> Vec<(i32, String)> {
    let log = host.log();
    let lines = log.lines().filter_map(|line| {
        let mut words = line.splitn(3, ' ');
        let pid = words.next()?.parse().ok()?;
        (words.next()? == step).then(|| (pid, words.next().unwrap_or_default().to_owned()))
    });
    lines.collect()
}

/// Waits until a step has been taken so often, and returns who took it with what result.
fn wait_said(machine: &Machine, host: &Background<'_>, step: &str, times: usize) -> Vec<(i32, String)> {
    machine.wait_for(&format!("{times} times {step}"), || said(host, step).len() >= times);
    said(host, step)
}

/// Nothing is left of the session, everybody who took part lives, and is where the leader came from; nobody complained.
fn all_over_but_for(machine: &Machine, processes: &[i32]) {
    wait_nothing_left(machine);
    let there = machine.cgroup_procs("/init.scope").unwrap_or_default();
    assert!(processes.iter().all(|pid| there.contains(pid)), "{processes:?} in {there:?}");
    assert_eq!(module_lines(machine), Vec::<String>::new());
}

#[test]
fn a_child_closes_and_both_live_on() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    for steps in [
        "open fork close stay done stay",
        "open fork become=alice close stay done stay",
        "open fork become=nobody close stay done stay",
        // A grandchild whose parent has gone.
        "open fork fork become=nobody close stay done done stay",
    ] {
        let mut host = host(&machine, steps);
        let closed = wait_said(&machine, &host, "close", 1);
        assert_eq!(closed[0].1, "ok", "{steps}");
        let stay = wait_said(&machine, &host, "stay", 2);
        all_over_but_for(&machine, &[stay[0].0, stay[1].0]);
        assert!(closed[0].0 != host.pid() && host.is_running(), "{steps}");
        machine.run(&["kill", "-KILL", &closed[0].0.to_string()]);
    }
    assert_eq!(broker.log().matches("new session").count(), 4, "{}", broker.log());
}

#[test]
fn both_close_and_one_of_them_twice() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    for steps in [
        "open close close close stay",
        "open fork close close stay done close close stay",
        "open fork become=nobody close stay done close stay",
        // The one after the other, in either order.
        "open fork close stay done await=/tmp/go close stay",
        "open fork await=/tmp/go become=nobody close stay done close stay",
    ] {
        machine.run(&["rm", "-f", "/tmp/go"]);
        let mut host = host(&machine, steps);
        let opened = wait_said(&machine, &host, "open", 1);
        assert_ne!(opened[0].1, "none");
        machine.wait_for("the first to close", || !said(&host, "close").is_empty());
        machine.run(&["touch", "/tmp/go"]);
        let stay = wait_said(&machine, &host, "stay", 1 + steps.matches("fork").count());
        let closed = said(&host, "close");
        assert_eq!(closed.len(), steps.matches("close").count());
        assert!(closed.iter().all(|(_, result)| result == "ok"), "{steps}: {closed:?}");
        all_over_but_for(&machine, &stay.iter().map(|(pid, _)| *pid).collect::<Vec<_>>());
        host.kill9();
        for (pid, _) in stay.iter().filter(|(pid, _)| *pid != host.pid()) {
            machine.run(&["kill", "-KILL", &pid.to_string()]);
        }
    }
}

/// What a login has left in its session is none of the closer's business.
#[test]
fn others_in_the_session_stay_in_it() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let steps = "open fork stay done fork become=nobody await=/tmp/go close stay done stay";
    let host = host(&machine, steps);
    wait_said(&machine, &host, "stay", 2);
    machine.run(&["touch", "/tmp/go"]);
    let closer = wait_said(&machine, &host, "close", 1)[0].0;
    let session = said(&host, "open")[0].1.clone();
    machine
        .wait_for("the session to be closing", || state_of(&machine, &session).as_deref() == Some("closing"));
    let stay = said(&host, "stay");
    let (other, _) = *stay.iter().find(|(pid, _)| *pid != closer && *pid != host.pid()).as_ref().unwrap();
    let scope = format!("/user.slice/user-1001.slice/session-{session}.scope");
    machine.wait_for("only the other to be left", || machine.cgroup_procs(&scope) == Some(vec![*other]));
    machine.run(&["kill", "-KILL", &other.to_string()]);
    all_over_but_for(&machine, &[host.pid(), closer]);
}

#[test]
fn one_that_crashes_or_becomes_something_else() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    for steps in
        ["open abort", "open exit", "open cred uncred end-well exit", "open fork abort done wait abort"]
    {
        let mut host = host(&machine, steps);
        host.wait(usher_tests::DEADLINE);
        assert!(said(&host, "open")[0].1.parse::<u64>().is_ok(), "{steps}");
        wait_nothing_left(&machine);
    }
    // What has taken the login's place leads the session, until it ends.
    let mut host = host(&machine, "open exec sleep 1000");
    let session = wait_said(&machine, &host, "open", 1)[0].1.clone();
    machine.wait_for("the program", || machine.read(format!("/proc/{}/comm", host.pid())).trim() == "sleep");
    assert_eq!(session_led_by(&machine, host.pid()), Some(session));
    host.kill9();
    wait_nothing_left(&machine);
}

/// pam_end(3) without pam_close_session(3): with success the session lasts as long as its leader, as with logind.
#[test]
fn ending_well_without_closing_ends_nothing() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let mut host = host(&machine, "open fork end done wait end-well stay");
    wait_said(&machine, &host, "stay", 1);
    let session = said(&host, "open")[0].1.clone();
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    host.kill9();
    wait_nothing_left(&machine);
}

/// The leader dies first. Whoever closes then and lives on does not keep what is left of the session.
#[test]
fn a_child_closes_after_the_leader_has_crashed() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let mut host = host(&machine, "open fork become=nobody await=/tmp/go close stay done abort");
    host.wait(usher_tests::DEADLINE);
    let session = said(&host, "open")[0].1.clone();
    machine
        .wait_for("the session to be closing", || state_of(&machine, &session).as_deref() == Some("closing"));
    machine.run(&["touch", "/tmp/go"]);
    let closed = wait_said(&machine, &host, "close", 1);
    assert_eq!(closed[0].1, "ok");
    all_over_but_for(&machine, &[closed[0].0]);
    machine.run(&["kill", "-KILL", &closed[0].0.to_string()]);
}

#[test]
fn a_token_outlives_the_usherd_that_gave_it() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let host = host(&machine, "open fork become=nobody await=/tmp/go close stay done stay");
    wait_said(&machine, &host, "open", 1);
    broker.kill9();
    broker.start();
    machine.run(&["touch", "/tmp/go"]);
    let closed = wait_said(&machine, &host, "close", 1);
    assert_eq!(closed[0].1, "ok");
    all_over_but_for(&machine, &[host.pid(), closed[0].0]);
}

/// usherd dies while it is being told. The one who tells it lives on, in the session's cgroup: it has to tell the next one.
#[test]
fn a_usherd_that_dies_in_the_middle_is_told_again() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let host = host(&machine, "open fork become=nobody await=/tmp/go close stay done stay");
    let session = wait_said(&machine, &host, "open", 1)[0].1.clone();
    broker.sigstop();
    machine.run(&["touch", "/tmp/go"]);
    // It waits for an answer.
    let child = machine.run(&["pgrep", "-P", &host.pid().to_string()]);
    let child = format!("/proc/{}/fd", child.text());
    let waits = || machine.run(&["ls", "-l", &child]).stdout.contains("socket:");
    machine.wait_for("the child to be connected", waits);
    assert!(said(&host, "close").is_empty() && state_of(&machine, &session).is_some());
    broker.kill9();
    broker.start();
    let closed = wait_said(&machine, &host, "close", 1);
    assert_eq!(closed[0].1, "ok");
    all_over_but_for(&machine, &[host.pid(), closed[0].0]);
}

/// With KillUserProcesses=yes, too: whoever closes is a process of the application, not one of the user's.
#[test]
fn killing_what_is_left_spares_the_one_who_closed() {
    let config =
        "[Login]\nUserStopDelaySec=0\nManager=none\nKillUserProcesses=yes\nSessionStopTimeoutSec=1\n";
    let machine = machine(config);
    let _broker = machine.start_usherd();
    let steps = "open fork stay done fork become=alice await=/tmp/go close stay done stay";
    let mut host = host(&machine, steps);
    wait_said(&machine, &host, "stay", 2);
    machine.run(&["touch", "/tmp/go"]);
    let closer = wait_said(&machine, &host, "close", 1)[0].0;
    all_over_but_for(&machine, &[host.pid(), closer]);
    let stay = said(&host, "stay");
    let alive = |pid: i32| !machine.read(format!("/proc/{pid}/cmdline")).is_empty();
    assert!(alive(closer) && host.is_running());
    assert!(stay.iter().all(|(pid, _)| alive(*pid) == (*pid == closer || *pid == host.pid())), "{stay:?}");
}
