//! An unmodified libsystemd agrees: what sd-login(3) says of a login, by way of the state files and the cgroups.

use std::collections::BTreeMap;

use usher_tests::{ALICE, BOB, Machine};

/// Calls libsystemd for the process, session and user given, and prints one line for each answer.
const ASK: &str = r#"
import ctypes, sys
sd = ctypes.CDLL("libsystemd.so.0")
libc = ctypes.CDLL(None)
pid, session, uid = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])

def text(name, *arguments):
    out = ctypes.c_char_p()
    code = getattr(sd, name)(*arguments, ctypes.byref(out))
    print(name, out.value.decode() if code >= 0 else code)

def number(name, *arguments):
    out = ctypes.c_uint32()
    code = getattr(sd, name)(*arguments, ctypes.byref(out))
    print(name, out.value if code >= 0 else code)

def words(name, *arguments):
    out = ctypes.POINTER(ctypes.c_char_p)()
    code = getattr(sd, name)(*arguments, ctypes.byref(out))
    found = []
    while code > 0 and out[len(found)]:
        found.append(out[len(found)].decode())
    print(name, " ".join(sorted(found)) if code >= 0 else code)

for name in ["session", "unit", "user_unit", "slice"]:
    text("sd_pid_get_" + name, pid)
number("sd_pid_get_owner_uid", pid)
for name in ["class", "type", "state", "service", "remote_host", "seat", "tty", "display", "desktop"]:
    text("sd_session_get_" + name, session)
number("sd_session_get_uid", session)
if hasattr(sd, "sd_session_get_leader"): # libsystemd 254
    number("sd_session_get_leader", session)
for name in ["is_active", "is_remote"]:
    print("sd_session_" + name, getattr(sd, "sd_session_" + name)(session))
text("sd_uid_get_state", uid)
text("sd_uid_get_display", uid)
words("sd_uid_get_sessions", uid, 0)
words("sd_uid_get_seats", uid, 0)
words("sd_get_sessions")
words("sd_get_seats")
print("sd_get_uids", sd.sd_get_uids(None))
print("sd_seat_can_tty", sd.sd_seat_can_tty(b"seat0"))
"#;

/// Says how many sessions there are whenever sd_login_monitor_new(3) wakes it up.
const WATCH: &str = r#"
import ctypes, select
sd = ctypes.CDLL("libsystemd.so.0")
monitor = ctypes.c_void_p()
assert sd.sd_login_monitor_new(None, ctypes.byref(monitor)) >= 0
poll = select.poll()
poll.register(sd.sd_login_monitor_get_fd(monitor), sd.sd_login_monitor_get_events(monitor))
print("watching", flush=True)
while True:
    poll.poll()
    sd.sd_login_monitor_flush(monitor)
    print("sessions", sd.sd_get_sessions(None), "users", sd.sd_get_uids(None), flush=True)
"#;

/// ENODATA and ENXIO, as negative numbers.
const NO_DATA: &str = "-61";
const NO_SUCH: &str = "-6";

fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\n")
        .file("/etc/ask.py", ASK, 0o644, 0)
        .file("/etc/watch.py", WATCH, 0o644, 0)
        .boot()
}

fn ask(machine: &Machine, pid: &str, session: &str, uid: u32) -> BTreeMap<String, String> {
    let answers = machine.as_user("bob", &["python3", "/etc/ask.py", pid, session, &uid.to_string()]);
    let lines = answers.stdout.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, answer)| (name.to_owned(), answer.to_owned())).collect()
}

fn assert_answers(answers: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, answer) in expected {
        assert_eq!(answers.get(*name).map(String::as_str), Some(*answer), "{name} in {answers:#?}");
    }
}

#[test]
fn libsystemd_sees_a_remote_login() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let (pid, id) = (ssh.ask("echo $$"), ssh.ask("echo $XDG_SESSION_ID"));
    let all = machine.all_sessions(&ALICE).into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" ");
    let leader = machine.state_of(&format!("sessions/{id}"), "LEADER");
    let unit = format!("session-{id}.scope");
    let answers = ask(&machine, &pid, &id, 1001);
    assert_answers(
        &answers,
        &[
            ("sd_pid_get_session", &id),
            ("sd_pid_get_unit", &unit),
            ("sd_pid_get_slice", "user-1001.slice"),
            ("sd_pid_get_user_unit", NO_DATA),
            ("sd_pid_get_owner_uid", "1001"),
            ("sd_session_get_class", "user"),
            ("sd_session_get_type", "tty"),
            ("sd_session_get_state", "active"),
            ("sd_session_get_service", "sshd"),
            ("sd_session_get_remote_host", "127.0.0.1"),
            ("sd_session_get_seat", NO_DATA),
            ("sd_session_get_tty", NO_DATA),
            ("sd_session_get_uid", "1001"),
            ("sd_session_is_active", "1"),
            ("sd_session_is_remote", "1"),
            ("sd_uid_get_state", "active"),
            ("sd_uid_get_display", &id),
            ("sd_uid_get_sessions", &all),
            ("sd_uid_get_seats", ""),
            ("sd_get_sessions", &all),
            ("sd_get_seats", "seat0"),
            ("sd_get_uids", "1"),
        ],
    );

    if let Some(answer) = answers.get("sd_session_get_leader") {
        assert_eq!(*answer, leader);
    }

    // A service of the user manager belongs to the user and to no session.
    ssh.ask("systemd-run --user --quiet --unit=stays sleep 1000");
    let stays = machine.cgroup_procs(&format!("{}/app.slice/stays.service", ALICE.service())).unwrap()[0];
    let answers = ask(&machine, &stays.to_string(), &id, 1001);
    assert_answers(
        &answers,
        &[
            ("sd_pid_get_session", NO_DATA),
            ("sd_pid_get_unit", "user@1001.service"),
            ("sd_pid_get_user_unit", "stays.service"),
            ("sd_pid_get_owner_uid", "1001"),
        ],
    );

    ssh.close();
    machine.wait_gone(&ALICE);
    let answers = ask(&machine, "1", &id, 1001);
    assert_answers(
        &answers,
        &[
            ("sd_pid_get_session", NO_DATA),
            ("sd_session_get_state", NO_SUCH),
            ("sd_uid_get_state", "offline"),
            ("sd_get_sessions", ""),
        ],
    );
}

#[test]
fn libsystemd_sees_a_login_on_a_terminal_and_states_change() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let mut login = machine.login("alice");
    let (pid, id, tty) = (login.ask("echo $$"), login.ask("echo $XDG_SESSION_ID"), login.ask("tty"));
    let answers = ask(&machine, &pid, &id, 1001);
    let tty = tty.trim_start_matches("/dev/");
    let expected =
        [("sd_session_get_tty", tty), ("sd_session_get_service", "login"), ("sd_session_is_remote", "0")];
    assert_answers(&answers, &expected);
    let stays = login.ask("(setsid sleep 1000 > /dev/null 2>&1 & echo $!)");
    login.close();
    machine.wait_for("the session to be closing", || {
        ask(&machine, "1", &id, 1001)["sd_session_get_state"] == "closing"
    });
    assert_eq!(ask(&machine, "1", &id, 1001)["sd_uid_get_state"], "closing");
    machine.run(&["kill", &stays]);
    machine.wait_gone(&ALICE);

    machine.run(&["usherctl", "enable-linger", "bob"]);
    machine.wait_for("bob to linger", || ask(&machine, "1", &id, BOB.uid)["sd_uid_get_state"] == "lingering");
}

#[test]
fn a_monitor_wakes_up_at_login_and_logout() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let watch = machine.spawn_as("bob", &["python3", "/etc/watch.py"]);
    machine.wait_for("the monitor to watch", || watch.log().starts_with("watching\n"));
    let ssh = machine.ssh_session("alice");
    machine.wait_for("the login to be seen", || watch.log().ends_with("sessions 2 users 1\n"));
    ssh.close();
    machine.wait_for("the logout to be seen", || watch.log().ends_with("sessions 0 users 0\n"));
}
