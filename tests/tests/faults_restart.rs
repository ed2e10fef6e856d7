//! usherd goes and comes back: killed or stopped, with people logged in, in the middle of a login, in the stop delay.

mod faults_common;

use std::thread;
use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::Machine;

/// Everything that must be the same before and after.
fn picture(machine: &Machine, ids: &[&str]) -> Vec<String> {
    // What changes by itself or with the order of writing is not part of it.
    let steady = |text: String| -> String {
        let keys = [
            "UID=",
            "STATE=",
            "CLASS=",
            "SCOPE=",
            "LEADER=",
            "SERVICE=",
            "REALTIME=",
            "MONOTONIC=",
            "USHER_",
        ];
        let of_user = ["NAME=", "RUNTIME=", "DISPLAY=", "SESSIONS=", "GC_MODE=", "STOPPING="];
        let wanted = |line: &&str| keys.iter().chain(&of_user).any(|key| line.starts_with(key));
        text.lines().filter(wanted).collect::<Vec<_>>().join("\n")
    };
    let mut picture =
        vec![format!("{:?}", identity(machine, RUNTIME)), steady(machine.read(user_file(ALICE)))];
    picture.extend(ids.iter().map(|id| steady(machine.read(session_file(id)))));
    picture.push(format!("{:?}", machine.cgroup_children("/user.slice/user-1001.slice")));
    picture
}

#[test]
fn killed_and_restarted_nothing_has_changed_and_everything_goes_on() {
    let machine = machine(WITH_MANAGER);
    let mut broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let login = Login::of(&machine, "alice");
    let ssh = shell.ask("echo $XDG_SESSION_ID");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    machine.wait_for("the manager's own session", || sessions(&machine).len() == 3);
    let ids = [ssh.as_str(), login.session.as_str()];
    let (before, manager) = (picture(&machine, &ids), manager(&machine));

    broker.kill9();
    assert_eq!(shell.ask("touch $XDG_RUNTIME_DIR/while-down; echo works"), "works");
    broker.start();

    assert_eq!(picture(&machine, &ids), before);
    assert_eq!(faults_common::manager(&machine), manager);
    assert_eq!(managers(&machine).len(), 1);
    assert_eq!(stacked(&machine, RUNTIME), 1);
    assert_eq!(shell.ask("usherctl show-session $XDG_SESSION_ID -p State --value"), "active");
    assert_eq!(shell.ask("systemctl --user is-active default.target"), "active");
    assert_eq!(shell.ask("ls $XDG_RUNTIME_DIR/while-down"), format!("{RUNTIME}/while-down"));

    shell.close();
    machine.wait_for("the ssh session to end", || !sessions(&machine).contains(&ssh));
    assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn stopped_and_started_nothing_has_changed() {
    let machine = machine(WITH_MANAGER);
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    machine.wait_for("the manager's own session", || sessions(&machine).len() == 2);
    let before = picture(&machine, &[&login.session]);
    assert_eq!(broker.stop(), 0);
    assert_eq!(picture(&machine, &[&login.session]), before, "a clean stop leaves everything as it is");
    broker.start();
    broker.restart();
    assert_eq!(picture(&machine, &[&login.session]), before);
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn leaders_are_watched_after_a_restart() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let mut first = Login::of(&machine, "alice");
    let second = Login::of(&machine, "alice");
    broker.kill9();
    broker.start();
    // The leader only: what it has started lives on, and so does the session, closing.
    first.su.kill9();
    machine.wait_for("the session to be closing", || {
        state_of(&machine, &first.session).as_deref() == Some("closing")
    });
    machine.run(&["usherctl", "kill-session", "-s", "KILL", &first.session]);
    first.wait_gone();
    assert_eq!(state_of(&machine, &second.session).as_deref(), Some("active"));
    second.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn what_ended_while_it_was_down_is_cleaned_up() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let (stays, closes, mut dies) =
        (Login::of(&machine, "alice"), Login::of(&machine, "alice"), Login::of(&machine, "bob"));
    let (closed, died) = (closes.session.clone(), dies.session.clone());
    broker.kill9();
    closes.log_out();
    dies.su.kill9();
    machine.run(&["pkill", "-KILL", "-u", "bob"]);
    broker.start();
    machine.wait_for("the ended sessions to go", || sessions(&machine) == [stays.session.clone()]);
    machine.wait_for("bob to go", || {
        !machine.exists("/run/systemd/users/1002") && !machine.exists("/run/user/1002")
    });
    assert!(
        !machine.cgroup_children("/user.slice/user-1001.slice").contains(&format!("session-{closed}.scope"))
    );
    // No number is given twice.
    let next = Login::of(&machine, "bob");
    let number = |id: &str| id.parse::<u64>().unwrap();
    assert!(number(&next.session) > number(&died), "{} after {died}", next.session);
    next.log_out();
    stays.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn ids_are_not_used_again_even_if_nobody_is_left_who_had_one() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let mut last = 0;
    for _ in 0..4 {
        let login = Login::of(&machine, "alice");
        let id: u64 = login.session.parse().unwrap();
        assert!(id > last, "{id} after {last}");
        last = id;
        login.log_out();
        wait_nothing_left(&machine);
        broker.kill9();
        broker.start();
    }
}

/// What nobody has on file, because /run was full for instance, still has its cgroup.
#[test]
fn nor_are_those_of_sessions_that_were_forgotten() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    broker.kill9();
    machine.sh("rm /run/usher/next-session /run/systemd/sessions/* /run/systemd/users/*");
    broker.start();
    let next = Login::of(&machine, "alice");
    assert_ne!(next.session, login.session);
    next.log_out();
}

#[test]
fn a_login_while_it_is_down_succeeds_at_once_without_a_session() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    broker.kill9();
    let start = Instant::now();
    let output = machine.run(&[
        "su",
        "-",
        "alice",
        "-c",
        "echo in; echo ${XDG_SESSION_ID-none} ${XDG_RUNTIME_DIR-none}",
    ]);
    let took = start.elapsed();
    assert_eq!(output.text(), "in\nnone none");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let lines = module_lines(&machine);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("connecting to usherd") && lines[0].contains("start usherd"), "{lines:?}");
    broker.start();
    assert!(sessions(&machine).is_empty());
}

#[test]
fn restarted_in_the_stop_delay_nothing_is_left() {
    let machine = machine("[Login]\nUserStopDelaySec=2\n");
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let session = login.session.clone();
    login.log_out();
    machine.wait_for("the logout", || !sessions(&machine).contains(&session));
    broker.kill9();
    assert!(
        machine.mounted(RUNTIME).is_some(),
        "the stop delay is over before usherd was killed: a slow machine?"
    );
    broker.start();
    wait_nothing_left(&machine);
    assert_eq!(managers(&machine), Vec::<String>::new());
}

#[test]
fn a_restart_after_the_stop_delay_has_passed_leaves_nothing() {
    let machine = machine("[Login]\nUserStopDelaySec=1\n");
    let mut broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    broker.kill9();
    login.log_out();
    broker.start();
    wait_nothing_left(&machine);
    assert_eq!(managers(&machine), Vec::<String>::new());
}

/// Killed at moments spread over the first milliseconds of a first login; restarted at once, as a service manager would.
#[test]
fn killed_during_a_first_login_there_is_one_manager_afterwards() {
    thread::scope(|scope| {
        for lane in 0..2 {
            scope.spawn(move || {
                let machine = machine(WITH_MANAGER);
                let mut broker = machine.start_usherd();
                let mut with_session = 0;
                for step in 0..9 {
                    // Not a wait for anything: the moment of the crash is what is varied.
                    let moment = Duration::from_millis(2 * (2 * step + lane) + 3);
                    let su = su(&machine, "alice", "exec sleep 1000");
                    thread::sleep(moment);
                    broker.kill9();
                    if step % 3 == 2 {
                        // Nobody is left when it comes back.
                        log_out(&machine, su);
                        broker.start();
                        wait_nothing_left(&machine);
                        assert_eq!(managers(&machine), Vec::<String>::new(), "after {moment:?}");
                        continue;
                    }
                    broker.start();
                    let leader = su.pid();
                    let alone = || {
                        let of_su = |line: &str| line.contains(&format!("su[{leader}]: pam_usher"));
                        machine.syslog().lines().any(|line| of_su(line) && line.contains("without a session"))
                    };
                    let mut session = None;
                    machine.wait_for("a session, or a word that there is none", || {
                        session = session_led_by(&machine, leader);
                        session.is_some() || alone()
                    });
                    // usherd was gone before su had connected: a login without a session. Else it asks again.
                    if session.is_some() {
                        machine.wait_for("the manager", || ready_manager(&machine).is_some());
                        assert_eq!(managers(&machine).len(), 1, "after {moment:?}: {:?}", managers(&machine));
                        assert_eq!(stacked(&machine, RUNTIME), 1);
                        assert_eq!(logins(&machine).len(), 1);
                        assert!(!alone(), "a session, and a word that there is none: {}", machine.syslog());
                        with_session += 1;
                    }
                    log_out(&machine, su);
                    wait_nothing_left(&machine);
                    assert_eq!(managers(&machine), Vec::<String>::new());
                }
                assert!(with_session > 0, "never in the middle of a login");
            });
        }
    });
}
