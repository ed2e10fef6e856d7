//! Sessions whose cgroup is another daemon's, as on a cluster, and sessions that have none at all.

use usher_tests::{ALICE, Machine, Shell};

/// What a batch system's PAM module does: it puts the login into the user's job.
const TAKE: &str =
    "#!/bin/sh\nmkdir -p /sys/fs/cgroup/jobs/1\necho $PPID > /sys/fs/cgroup/jobs/1/cgroup.procs\n";

const JOB: &str = "/jobs/1";

fn machine(cgroup: &str) -> Machine {
    Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\nManager=none\n[Service sshd]\nCgroup={cgroup}\n"))
        .file("/etc/take.sh", TAKE, 0o755, 0)
        .pam_line("sshd", "account required pam_exec.so /etc/take.sh")
        .pam_line("sudo", "session optional pam_usher.so")
        .boot()
}

/// A login from within the job; it has a session and a runtime directory, and is still there.
fn in_job<'a>(machine: &'a Machine, cgroup: &str) -> (Shell<'a>, String) {
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    machine.wait_for("one session", || machine.sessions(&ALICE) == [id.as_str()]);
    assert_eq!(ssh.ask("grep ^0:: /proc/self/cgroup"), format!("0::{JOB}"));
    assert_eq!(ssh.ask("stat -c %u $XDG_RUNTIME_DIR"), "1001");
    let record = machine.state(&format!("sessions/{id}"));
    assert_eq!(record.get("SCOPE"), None, "{record:?}");
    assert_eq!(record.get("USHER_CGROUP").map(String::as_str), Some(cgroup), "{record:?}");
    assert_eq!(record.get("USHER_ORIGIN").map(String::as_str), Some(JOB), "{record:?}");
    (ssh, id)
}

/// She is logged out, whatever of hers is left in the job.
fn wait_logged_out(machine: &Machine) {
    machine.wait_for("alice to be logged out", || {
        machine.all_sessions(&ALICE).is_empty()
            && !machine.exists("/run/systemd/users/1001")
            && !machine.exists("/run/user/1001")
    });
}

#[test]
fn off_leaves_the_login_where_it_is_and_ends_with_its_leader() {
    let machine = machine("off");
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = in_job(&machine, "off");
    // sudo inside is known to be inside, though no cgroup says so.
    let inside = ssh.ask("sudo sh -c 'grep ^0:: /proc/self/cgroup; echo $XDG_SESSION_ID'");
    assert_eq!(inside.trim_end(), format!("0::{JOB}"));
    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);
    ssh.ask("setsid -f sleep 1000");
    ssh.close();
    // What is left in the job is nobody's concern.
    wait_logged_out(&machine);
    machine.wait_for("sshd itself to have left the job", || {
        machine.cgroup_procs(JOB).is_some_and(|left| left.len() == 1)
    });
    assert!(!machine.exists("/sys/fs/cgroup/user.slice/user-1001.slice"));
}

#[test]
fn adopt_ends_with_its_leader_where_nothing_is_left() {
    let machine = machine("adopt");
    let _usherd = machine.start_usherd();
    let (ssh, _) = in_job(&machine, "adopt");
    ssh.close();
    machine.wait_gone(&ALICE);
    // It is not usher's to remove.
    assert_eq!(machine.cgroup_procs(JOB), Some(vec![]));
}

#[test]
fn adopt_waits_for_what_is_left_and_kills_nothing() {
    let machine = machine("adopt");
    let mut usherd = machine.start_usherd();
    let (mut first, one) = in_job(&machine, "adopt");
    let (second, two) = {
        let mut ssh = machine.ssh_session("alice");
        let id = ssh.ask("echo $XDG_SESSION_ID");
        (ssh, id)
    };
    first.ask("setsid -f sleep 1000");
    first.close();
    // The other session stands for what both leave there.
    machine.wait_for("the first to go", || machine.sessions(&ALICE) == [two.as_str()]);
    second.close();
    machine.wait_for("the second to close", || {
        machine.exists(format!("/run/systemd/sessions/{two}"))
            && machine.state_of(&format!("sessions/{two}"), "STATE") == "closing"
    });
    usherd.restart();
    assert_eq!(machine.state_of(&format!("sessions/{two}"), "STATE"), "closing", "after {one}");
    let sleep = machine.wait_some("only the sleep to be left", || match machine.cgroup_procs(JOB)?[..] {
        [sleep] => Some(sleep),
        _ => None,
    });
    machine.run(&["kill", &sleep.to_string()]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_termination_ends_the_leader_and_nobody_else() {
    let machine = machine("adopt");
    let _usherd = machine.start_usherd();
    let (mut ssh, id) = in_job(&machine, "adopt");
    ssh.ask("setsid -f sleep 1000");
    let refused = machine.try_run(&["usherctl", "kill-session", &id]);
    assert!(!refused.ok(), "{refused}");
    machine.run(&["usherctl", "terminate-session", &id]);
    wait_logged_out(&machine);
    let left = machine.cgroup_procs(JOB).expect("the job's cgroup");
    let command = |pid: &i32| machine.read(format!("/proc/{pid}/cmdline")).starts_with("sleep\0");
    assert!(left.iter().any(command), "the job itself lives on: {left:?}");
}

/// Where nobody has moved the login, its cgroup is the one of sshd: that would never be empty.
#[test]
fn the_daemons_own_cgroup_is_not_adopted() {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n[Service sshd]\nCgroup=adopt\n")
        .boot();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let id = ssh.ask("echo $XDG_SESSION_ID");
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "USHER_CGROUP"), "off");
    ssh.close();
    machine.wait_gone(&ALICE);
}
