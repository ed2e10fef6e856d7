//! Who is killed at logout and who is not, in every combination of KillUserProcesses, KillOnlyUsers, KillExcludeUsers,
//! user and linger flag, with a real tmux as the witness: it is what people leave behind, and what they complain about.
//! The tables are contract/user-lifecycle.md section 6 ("Shall kill") read out; the code was not asked. logind 257.13 was, once:
//! it does the same in all rows but three, where KillExcludeUsers is set to nothing: it spares root then, though logind.conf(5)
//! says that an empty value takes root's exemption away, as it does here.

use nix::sys::signal::Signal;
use usher_tests::{ALICE, BOB, Machine, Person, ROOT, Usherd};

const KILLED: bool = true;
const SPARED: bool = false;

/// What a list of users says about those who log in here.
#[derive(Debug, Clone, Copy)]
enum List {
    /// Never configured.
    Unset,
    /// Configured to be empty.
    Empty,
    /// Names them, and somebody else.
    Them,
    /// Names somebody else.
    Others,
}
use List::{Empty, Others, Them, Unset};

impl List {
    fn line(self, key: &str) -> String {
        match self {
            Unset => String::new(),
            Empty => format!("{key}=\n"),
            Them => format!("{key}=alice bob carol\n{key}=root\n"),
            Others => format!("{key}=carol\n"),
        }
    }
}

/// KillOnlyUsers, KillExcludeUsers; what becomes of what people leave, and of what root leaves.
type Row = (List, List, bool, bool);

const KILL_USER_PROCESSES_NO: [Row; 12] = [
    (Unset, Unset, SPARED, SPARED),
    (Unset, Them, SPARED, SPARED),
    (Unset, Empty, SPARED, SPARED),
    (Unset, Others, SPARED, SPARED),
    (Them, Unset, KILLED, SPARED),
    (Them, Them, SPARED, SPARED),
    (Them, Empty, KILLED, KILLED),
    (Them, Others, KILLED, KILLED),
    (Others, Unset, SPARED, SPARED),
    (Others, Them, SPARED, SPARED),
    (Others, Empty, SPARED, SPARED),
    (Others, Others, SPARED, SPARED),
];

const KILL_USER_PROCESSES_YES: [Row; 12] = [
    (Unset, Unset, KILLED, SPARED),
    (Unset, Them, SPARED, SPARED),
    (Unset, Empty, KILLED, KILLED),
    (Unset, Others, KILLED, KILLED),
    (Them, Unset, KILLED, SPARED),
    (Them, Them, SPARED, SPARED),
    (Them, Empty, KILLED, KILLED),
    (Them, Others, KILLED, KILLED),
    (Others, Unset, SPARED, SPARED),
    (Others, Them, SPARED, SPARED),
    (Others, Empty, SPARED, SPARED),
    (Others, Others, SPARED, SPARED),
];

fn machine(lines: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec=0\n{lines}")).boot()
}

/// Gives usherd another configuration; whoever logs out from now on is treated by that.
fn reconfigure(machine: &Machine, broker: &mut Usherd<'_>, lines: &str) {
    let read = |broker: &Usherd<'_>| broker.log().matches("reading the configuration again").count();
    let before = read(broker);
    machine.sh(&format!("cat > /etc/usher/usher.conf <<'.'\n[Login]\nUserStopDelaySec=0\n{lines}\n."));
    broker.signal(Signal::SIGHUP);
    machine.wait_for("the configuration to be read", || read(broker) > before);
    // Answered after that is done.
    machine.run(&["usherctl", "list-sessions"]);
}

/// Logs in, leaves a tmux behind, and logs out; the number of its server.
fn leave_tmux(machine: &Machine, person: &Person) -> i32 {
    let script = "tmux -L witness new-session -d 'sleep 1000' && tmux -L witness display-message -p '#{pid}'";
    let output = machine.run(&["su", "-", person.name, "-c", script]);
    output.text().parse().unwrap_or_else(|_| panic!("no number: {output}"))
}

fn runs(machine: &Machine, pid: i32) -> bool {
    let status = machine.read(format!("/proc/{pid}/stat"));
    !status.is_empty() && !status.contains(") Z ")
}

/// Checks what has become of it, and clears up.
fn judge(machine: &Machine, person: &Person, tmux: i32, killed: bool, row: &str) {
    let name = person.name;
    if killed {
        machine.wait_for(&format!("{name}'s tmux to be killed: {row}"), || !runs(machine, tmux));
    } else {
        // What usherd had to send, it has sent before su(1) ended. The server does its duties in turn: a signal that came
        // before this question is heard before it.
        let left =
            machine.try_as_user(name, &["tmux", "-L", "witness", "list-panes", "-F", "#{pid} #{pane_dead}"]);
        assert_eq!(left.text(), format!("{tmux} 0"), "{name}'s tmux was to survive: {row}: {left}");
        let sessions = machine.sessions(person);
        let [session] = &sessions[..] else { panic!("{name} has the sessions {sessions:?}: {row}") };
        assert_eq!(machine.state_of(&format!("sessions/{session}"), "STATE"), "closing", "{name}: {row}");
        machine.as_user(name, &["tmux", "-L", "witness", "kill-server"]);
    }
    machine.wait_for(&format!("{name}'s session to be gone: {row}"), || machine.sessions(person).is_empty());
}

/// Every row of a table: alice without and bob with a linger flag, root first without, then with one.
fn check(kill: &str, table: &[Row]) {
    let machine = machine("Manager=none\n");
    let mut broker = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "bob"]);
    for root_lingers in [false, true] {
        if root_lingers {
            machine.run(&["usherctl", "enable-linger", "root"]);
        }
        for (only, exclude, people, root) in table {
            let row = format!(
                "KillUserProcesses={kill}, only {only:?}, exclude {exclude:?}, root lingers: {root_lingers}"
            );
            let lines = [only.line("KillOnlyUsers"), exclude.line("KillExcludeUsers")].concat();
            let lines = format!("Manager=none\nKillUserProcesses={kill}\n{lines}");
            reconfigure(&machine, &mut broker, &lines);
            std::thread::scope(|scope| {
                for (person, killed) in [(ALICE, *people), (BOB, *people), (ROOT, *root)] {
                    // Their rows are the same whether root lingers or not.
                    if person.uid != 0 && root_lingers {
                        continue;
                    }
                    let (machine, row) = (&machine, &row);
                    scope.spawn(move || {
                        let tmux = leave_tmux(machine, &person);
                        judge(machine, &person, tmux, killed, row);
                    });
                }
            });
        }
    }
    machine.wait_gone(&ALICE);
    for file in ["users/1002", "users/0"] {
        machine.wait_for("whoever lingers to do so", || machine.state_of(file, "STATE") == "lingering");
    }
}

#[test]
fn with_kill_user_processes_no() {
    check("no", &KILL_USER_PROCESSES_NO);
}

#[test]
fn with_kill_user_processes_yes() {
    check("yes", &KILL_USER_PROCESSES_YES);
}

/// The way out that the field's documentation names: a user service belongs to no session. It lives as long as the user is
/// kept, by a linger flag or by other processes, whatever happens to what is left in the session.
#[test]
fn a_tmux_that_is_a_user_service_lives_as_long_as_the_user_is_kept() {
    let machine = machine("KillUserProcesses=yes\nKillExcludeUsers=root\n");
    let _broker = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "bob"]);
    let script = "systemd-run --user --quiet --unit=tmux --service-type=forking tmux -L service new-session -d 'sleep 1000' && \
                  tmux -L service display-message -p '#{pid}' && \
                  tmux -L session new-session -d 'sleep 1000' && tmux -L session display-message -p '#{pid}'";
    let leave = |person: &Person| -> (i32, i32) {
        let output = machine.run(&["su", "-", person.name, "-c", script]);
        let pids: Vec<i32> = output.text().lines().filter_map(|line| line.parse().ok()).collect();
        let [service, session] = pids[..] else { panic!("{output}") };
        (service, session)
    };
    let (alices, bobs) = (leave(&ALICE), leave(&BOB));
    machine.wait_for("what was left in the sessions to be killed", || {
        !runs(&machine, alices.1) && !runs(&machine, bobs.1)
    });
    machine.wait_gone(&ALICE);
    assert!(!runs(&machine, alices.0), "with nothing that keeps her, her manager and its services go");
    machine.wait_for("bob to linger", || machine.state_of("users/1002", "STATE") == "lingering");
    let services = format!("{}/app.slice/tmux.service", BOB.service());
    assert!(machine.cgroup_procs(&services).unwrap_or_default().contains(&bobs.0), "bob's service lives on");
    // And bob finds it again.
    let again = machine.run(&["su", "-", "bob", "-c", "tmux -L service list-panes -F '#{pid} #{pane_dead}'"]);
    assert_eq!(again.text(), format!("{} 0", bobs.0));
    machine.run(&["usherctl", "disable-linger", "bob"]);
    machine.wait_gone(&BOB);
    assert!(!runs(&machine, bobs.0));
}

/// As people do it: over ssh, and back to it in the next login, which is the default.
#[test]
fn by_default_a_tmux_waits_for_the_next_login() {
    let machine = machine("");
    let _broker = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    ssh.ask("tmux new-session -d -s work 'sleep 1000'");
    let session = ssh.ask("echo $XDG_SESSION_ID");
    let pid = ssh.ask("tmux display-message -p '#{pid}'");
    ssh.close();
    machine.wait_for("the session to be closing", || {
        machine.state_of(&format!("sessions/{session}"), "STATE") == "closing"
    });
    let mut next = machine.ssh_session("alice");
    assert_eq!(next.ask("tmux list-sessions -F '#{session_name} #{pid}'"), format!("work {pid}"));
    assert_eq!(next.ask(&format!("grep ^0:: /proc/{pid}/cgroup")), format!("0::{}", ALICE.scope(&session)));
    next.ask("tmux kill-server");
    next.close();
    machine.wait_gone(&ALICE);
}
