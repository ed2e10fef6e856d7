//! Logins without a terminal: ssh with a command, many of them, and cron jobs.

use std::collections::BTreeSet;

use usher_tests::{ALICE, BOB, Machine, Usherd};

fn machine(delay: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec={delay}\n")).boot()
}

fn descriptors(machine: &Machine, usherd: &Usherd<'_>) -> usize {
    machine.run(&["ls", &format!("/proc/{}/fd", usherd.pid())]).stdout.lines().count()
}

#[test]
fn ssh_with_a_command_is_a_session_while_it_runs() {
    let machine = machine("0");
    let _usherd = machine.start_usherd();
    let script =
        "usherctl show-session self -P State -P TTY -P Type -a; cat /run/systemd/sessions/$XDG_SESSION_ID";
    let answer = machine.ssh("alice", script);
    assert!(answer.stdout.starts_with("\ntty\nactive\n"), "{answer}");
    assert!(answer.stdout.contains("\nSERVICE=sshd\n") && !answer.stdout.contains("\nTTY="), "{answer}");
    machine.wait_gone(&ALICE);
    // A command that fails is a logout all the same.
    assert_eq!(machine.try_ssh("alice", "kill -KILL $$").code, 255);
    machine.wait_gone(&ALICE);
}

#[test]
fn twenty_in_a_row_leave_nothing_behind() {
    // Between two of them the user stays, as in a loop of ssh or a fleet manager.
    let machine = machine("infinity");
    let usherd = machine.start_usherd();
    let before = descriptors(&machine, &usherd);
    let (mut sessions, mut managers) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20 {
        sessions.insert(machine.ssh("alice", "echo $XDG_SESSION_ID").text().to_owned());
        managers.insert(machine.manager(&ALICE));
    }
    assert_eq!(sessions.len(), 20, "{sessions:?}");
    assert!(!sessions.contains(""));
    assert_eq!(managers.len(), 1, "{managers:?}");
    machine.run(&["usherctl", "terminate-user", "alice"]);
    machine.wait_gone(&ALICE);
    machine.wait_for("usherd's descriptors to be closed", || descriptors(&machine, &usherd) == before);
}

#[test]
fn eight_at_once_leave_nothing_behind() {
    let machine = machine("0");
    let usherd = machine.start_usherd();
    machine.start_sshd();
    let before = descriptors(&machine, &usherd);
    // Each waits until all are there, so that they are sessions of one time; then all go at once.
    let script = "touch ~/$XDG_SESSION_ID.here; until test -e ~/go; do sleep 0.02; done; \
                  test -w $XDG_RUNTIME_DIR && systemctl --user is-active basic.target";
    std::thread::scope(|scope| {
        let machine = &machine;
        let logins: Vec<_> = (0..8).map(|_| scope.spawn(move || machine.ssh("alice", script))).collect();
        machine.wait_for("eight sessions", || machine.sessions(&ALICE).len() == 8);
        let here = || machine.run(&["sh", "-c", "ls /home/alice | grep -c here || true"]).text() == "8";
        machine.wait_for("eight shells", here);
        assert_eq!(machine.state_of("users/1001", "STATE"), "active");
        machine.as_user("alice", &["touch", "/home/alice/go"]);
        for login in logins {
            assert_eq!(login.join().unwrap().text(), "active");
        }
    });
    machine.wait_gone(&ALICE);
    machine.wait_for("usherd's descriptors to be closed", || descriptors(&machine, &usherd) == before);
}

#[test]
fn two_users_coming_and_going_at_once() {
    let machine = machine("0");
    let _usherd = machine.start_usherd();
    machine.start_sshd();
    std::thread::scope(|scope| {
        for person in [ALICE, BOB, ALICE, BOB] {
            let machine = &machine;
            scope.spawn(move || {
                for _ in 0..3 {
                    let answer =
                        machine.ssh(person.name, "test -O $XDG_RUNTIME_DIR/systemd && echo $XDG_RUNTIME_DIR");
                    assert_eq!(answer.text(), person.runtime_dir());
                }
            });
        }
    });
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

const JOB: &str = "\
exec > ~/job.new 2>&1
env | grep ^XDG_ | sort
grep ^0:: /proc/self/cgroup
systemctl --user is-active basic.target
mv ~/job.new ~/job
read line < ~/go
";

#[test]
fn a_cron_job_is_a_background_session() {
    let machine = Machine::builder()
        // As on a machine where somebody wants jobs to have all that people have.
        .config("[Login]\nUserStopDelaySec=0\n[Service cron]\nClass=\n")
        .pam_line("cron", "session optional pam_usher.so")
        .file("/home/alice/job.sh", JOB, 0o644, 1001)
        .boot();
    let _usherd = machine.start_usherd();
    machine.as_user("alice", &["mkfifo", "/home/alice/go"]);
    machine.sh("echo '@reboot sh ~/job.sh' | crontab -u alice -");
    let _cron = machine.start_cron();
    machine.wait_for("the job", || machine.exists("/home/alice/job"));
    let sessions = machine.sessions(&ALICE);
    let [id] = &sessions[..] else { panic!("{sessions:?}") };
    let expected = format!(
        "XDG_RUNTIME_DIR=/run/user/1001\nXDG_SESSION_CLASS=background\nXDG_SESSION_ID={id}\n\
         XDG_SESSION_TYPE=unspecified\n0::{}\nactive\n",
        ALICE.scope(id)
    );
    assert_eq!(machine.read("/home/alice/job"), expected);
    let record = machine.state(&format!("sessions/{id}"));
    for (key, value) in
        [("SERVICE", "cron"), ("CLASS", "background"), ("TYPE", "unspecified"), ("REMOTE", "0")]
    {
        assert_eq!(record.get(key).map(String::as_str), Some(value), "{key} in {record:?}");
    }
    assert_eq!(record.get("TTY"), None);
    // A job stands for nobody.
    assert_eq!(machine.state("users/1001").get("DISPLAY"), None);
    machine.as_user("alice", &["sh", "-c", "echo > ~/go"]);
    machine.wait_gone(&ALICE);
}
