//! sd-login(3), every function of an unmodified libsystemd that reads usher's files (contract/state-files.md section 6),
//! for sessions at the computer; monitors that wake up at every change; and the lists of who is logged in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirEntryExt;

use usher_tests::{ALICE, BOB, Machine};

/// Calls what its first argument says, one call a line as `FUNCTION KIND [ARGUMENT…]`, and prints each answer on a line: a
/// negative number for an error. Of libsystemd's version that it does not have, it says `missing`.
const ASK: &str = r#"
import ctypes, sys
sd = ctypes.CDLL("libsystemd.so.0")

def words(out):
    found = []
    while out and out[len(found)]:
        found.append(out[len(found)].decode())
    return ",".join(found)

for line in sys.argv[1].splitlines():
    name, kind, *given = line.split()
    if not hasattr(sd, name):
        print("missing")
        continue
    given = [int(word) if word.lstrip("-").isdigit() and not word.startswith("0s") else word.removeprefix("0s").encode()
             for word in given]
    if kind == "code":
        print(getattr(sd, name)(*given))
        continue
    lists = ctypes.POINTER(ctypes.c_char_p)
    outs = {"text": [ctypes.c_char_p], "u": [ctypes.c_uint], "t": [ctypes.c_uint64], "words": [lists],
            "text+u": [ctypes.c_char_p, ctypes.c_uint], "words+uids": [lists, ctypes.POINTER(ctypes.c_uint), ctypes.c_uint],
            "uids": [ctypes.POINTER(ctypes.c_uint)]}[kind]
    outs = [out() for out in outs]
    code = getattr(sd, name)(*given, *[ctypes.byref(out) for out in outs])
    if code < 0:
        print(code)
    elif kind == "words":
        print(code, words(outs[0]))
    elif kind == "words+uids":
        print(code, words(outs[0]), ",".join(str(outs[1][i]) for i in range(outs[2].value)))
    elif kind == "uids":
        print(code, ",".join(str(uid) for uid in sorted(outs[0][i] for i in range(code))))
    else:
        print(" ".join(out.value.decode() if isinstance(out.value, bytes) else str(out.value) for out in outs))
"#;

/// Says which files there are, by their names and inodes, whenever a monitor of what it is told (`all`: everything) wakes up.
const WATCH: &str = r#"
import os, select, sys
from systemd import login
category = sys.argv[1]
monitor = login.Monitor(None if category == "all" else category)
poll = select.poll()
poll.register(monitor, monitor.get_events())
def picture():
    found = []
    for directory in {"session": ["sessions"], "seat": ["seats"], "uid": ["users"]}.get(category, ["sessions", "seats", "users"]):
        with os.scandir("/run/systemd/" + directory) as entries:
            found += [f"{entry.name}:{entry.inode()}" for entry in entries
                      if entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")]
    return ",".join(sorted(found))
print("watching", picture(), flush=True)
while True:
    poll.poll()
    monitor.flush()
    print("woken", picture(), flush=True)
"#;

/// Controls a session for as long as it lives, and does what its lines say: `METHOD [WORD]`.
const CONTROL: &str = r#"
import dbus, os, sys, time
bus = dbus.SystemBus()
session = dbus.Interface(bus.get_object("org.freedesktop.login1", sys.argv[1]), "org.freedesktop.login1.Session")
session.TakeControl(False)
print("controls", flush=True)
done = 0
while True:
    lines = open("/run/orders").read().splitlines() if os.path.exists("/run/orders") else []
    for line in lines[done:]:
        method, *words = line.split()
        words = [dbus.Boolean(word == "true") if word in ("true", "false") else word for word in words]
        getattr(session, method)(*words)
        print("did", line, flush=True)
    done = max(done, len(lines))
    time.sleep(0.01)
"#;

/// ENODATA, ENXIO and EINVAL, as libsystemd gives them.
const NO_DATA: &str = "-61";
const NO_SUCH: &str = "-6";
const INVALID: &str = "-22";

fn machine() -> Machine {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .user("carol", 1003)
        .file("/etc/ask.py", ASK, 0o644, 0)
        .file("/etc/watch.py", WATCH, 0o644, 0)
        .file("/etc/control.py", CONTROL, 0o644, 0)
        .file(
            "/etc/seat",
            "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\nXDG_SESSION_DESKTOP=My-Desk\n",
            0o644,
            0,
        )
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .boot();
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

/// What libsystemd says, to bob, to each of these.
fn assert_says(machine: &Machine, expected: &[(&str, &str)]) {
    let calls: Vec<&str> = expected.iter().map(|(call, _)| *call).collect();
    let answers = machine.as_user("bob", &["/usr/bin/python3", "/etc/ask.py", &calls.join("\n")]).stdout;
    assert_eq!(answers.lines().count(), expected.len(), "{answers}");
    for ((call, expected), answer) in expected.iter().zip(answers.lines()) {
        // A function that came later than this computer's libsystemd.
        assert!(
            answer == "missing" || answer == *expected,
            "{call}: {answer}, not {expected}\n{}",
            machine.dump()
        );
    }
}

#[test]
fn every_function() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    // ids that are numbers alone are texts here: 0s.
    let mut first = machine.pam_login_by("lightdm", "alice");
    let alice = first.session();
    let mut second = machine.pam_login_by("lightdm", "bob");
    let bob = second.session();
    let mut third = machine.pam_login("alice");
    let elsewhere = third.session();
    let (leader, leader_of_bob) = (first.entered().pid.to_string(), second.entered().pid.to_string());
    let file: BTreeMap<_, _> = machine.state(&format!("sessions/{alice}"));
    let users: BTreeMap<_, _> = machine.state("users/1001");
    let calls = [
        // Of sessions.
        (format!("sd_session_is_active code 0s{alice}"), "0"),
        (format!("sd_session_is_active code 0s{bob}"), "1"),
        (format!("sd_session_is_active code 0s{elsewhere}"), "1"),
        (format!("sd_session_is_remote code 0s{alice}"), "0"),
        (format!("sd_session_get_state text 0s{alice}"), "online"),
        (format!("sd_session_get_state text 0s{bob}"), "active"),
        (format!("sd_session_get_uid u 0s{alice}"), "1001"),
        (format!("sd_session_get_username text 0s{alice}"), "alice"),
        (format!("sd_session_get_seat text 0s{alice}"), "seat0"),
        (format!("sd_session_get_seat text 0s{elsewhere}"), NO_DATA),
        (format!("sd_session_get_tty text 0s{alice}"), "test"),
        (format!("sd_session_get_vt u 0s{alice}"), NO_DATA),
        (format!("sd_session_get_service text 0s{alice}"), "lightdm"),
        (format!("sd_session_get_type text 0s{alice}"), "wayland"),
        (format!("sd_session_get_class text 0s{alice}"), "user"),
        (format!("sd_session_get_desktop text 0s{alice}"), "My-Desk"),
        (format!("sd_session_get_desktop text 0s{elsewhere}"), NO_DATA),
        (format!("sd_session_get_display text 0s{alice}"), NO_DATA),
        (format!("sd_session_get_remote_user text 0s{alice}"), NO_DATA),
        (format!("sd_session_get_remote_host text 0s{alice}"), NO_DATA),
        (format!("sd_session_get_leader u 0s{alice}"), leader.as_str()),
        (format!("sd_session_get_start_time t 0s{alice}"), &file["REALTIME"]),
        ("sd_session_get_state text 0snope".to_owned(), NO_SUCH),
        ("sd_session_get_state text 0s../../etc/passwd".to_owned(), INVALID),
        // Of users.
        ("sd_uid_get_state text 1001".to_owned(), "active"),
        ("sd_uid_get_state text 1002".to_owned(), "active"),
        ("sd_uid_get_state text 4242".to_owned(), "offline"),
        ("sd_uid_get_display text 1001".to_owned(), alice.as_str()),
        ("sd_uid_get_display text 1002".to_owned(), bob.as_str()),
        ("sd_uid_get_login_time t 1001".to_owned(), &users["REALTIME"]),
        ("sd_uid_is_on_seat code 1001 0 0sseat0".to_owned(), "1"),
        ("sd_uid_is_on_seat code 1001 1 0sseat0".to_owned(), "0"),
        ("sd_uid_is_on_seat code 1002 1 0sseat0".to_owned(), "1"),
        ("sd_uid_get_sessions words 1001 0".to_owned(), &format!("2 {elsewhere},{alice}")),
        ("sd_uid_get_sessions words 1001 1".to_owned(), &format!("1 {elsewhere}")),
        ("sd_uid_get_sessions words 1001 -1".to_owned(), &format!("2 {elsewhere},{alice}")),
        ("sd_uid_get_seats words 1001 0".to_owned(), "1 seat0"),
        ("sd_uid_get_seats words 1001 1".to_owned(), "0 "),
        ("sd_uid_get_seats words 1002 1".to_owned(), "1 seat0"),
        // Of the seat.
        ("sd_seat_get_active text+u 0sseat0".to_owned(), &format!("{bob} 1002")),
        ("sd_seat_get_sessions words+uids 0sseat0".to_owned(), &format!("2 {bob},{alice} 1002,1001")),
        ("sd_seat_can_tty code 0sseat0".to_owned(), "0"),
        ("sd_seat_can_graphical code 0sseat0".to_owned(), "0"),
        ("sd_seat_can_multi_session code 0sseat0".to_owned(), "1"),
        ("sd_seat_can_tty code 0sseat9".to_owned(), NO_SUCH),
        // Of the machine.
        ("sd_get_seats words".to_owned(), "1 seat0"),
        ("sd_get_uids uids".to_owned(), "2 1001,1002"),
        ("sd_get_machine_names words".to_owned(), "0 "),
        // Of processes.
        (format!("sd_pid_get_session text {leader}"), alice.as_str()),
        (format!("sd_pid_get_unit text {leader}"), &format!("session-{alice}.scope")),
        (format!("sd_pid_get_slice text {leader}"), "user-1001.slice"),
        (format!("sd_pid_get_owner_uid u {leader_of_bob}"), "1002"),
        (format!("sd_pid_get_user_unit text {leader}"), NO_DATA),
    ]
    .map(|(call, answer)| (call, answer.to_owned()));
    let calls: Vec<_> = calls.iter().map(|(call, answer)| (call.as_str(), answer.as_str())).collect();
    assert_says(&machine, &calls);
    // And its own binding for Python agrees.
    let script =
        "from systemd import login; print(sorted(login.sessions()), login.seats(), sorted(login.uids()))";
    let mut ids = [alice, bob, elsewhere];
    ids.sort();
    let said = machine.as_user("bob", &["/usr/bin/python3", "-c", script]);
    assert_eq!(said.text(), format!("{:?} ['seat0'] [1001, 1002]", ids).replace('"', "'"));
}

/// The same of now.
fn picture(machine: &Machine, category: &str) -> String {
    let directories = match category {
        "session" => &["sessions"][..],
        "seat" => &["seats"],
        "uid" => &["users"],
        _ => &["sessions", "seats", "users"],
    };
    let mut found = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(machine.file(format!("/run/systemd/{directory}"))).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && !name.starts_with('.') {
                found.push(format!("{name}:{}", entry.ino()));
            }
        }
    }
    found.sort();
    found.join(",")
}

#[test]
fn monitors_wake_up_at_every_change() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    machine.wait_for("usherd on the bus", || {
        machine.try_run(&["busctl", "status", "org.freedesktop.login1"]).ok()
    });
    let watches = ["session", "seat", "uid", "all"].map(|category| {
        let watch = machine.spawn_as("carol", &["/usr/bin/python3", "/etc/watch.py", category]);
        machine.wait_for("the monitor to watch", || watch.log().starts_with("watching "));
        (category, watch)
    });
    // Each of these that something changes has been woken after the change, so that its last picture is that of now.
    let wakes = |what: &str, of: &[&str], act: &mut dyn FnMut()| {
        let concerned = || watches.iter().filter(|(category, _)| of.contains(category));
        let before: Vec<_> = concerned().map(|(category, _)| picture(&machine, category)).collect();
        act();
        machine.wait_for(&format!("monitors of {of:?} to wake at {what}"), || {
            let mut pairs = concerned().zip(&before);
            pairs.all(|((category, watch), before)| {
                let (log, now) = (watch.log(), picture(&machine, category));
                now != *before && log.ends_with(&format!("woken {now}\n"))
            })
        });
    };
    let mut logins = Vec::new();
    wakes("a login elsewhere", &["session", "uid", "all"], &mut || {
        let mut login = machine.pam_login("bob");
        login.entered();
        logins.push(login);
    });
    wakes("a login at the seat", &["session", "seat", "uid", "all"], &mut || {
        let mut login = machine.pam_login_by("lightdm", "alice");
        login.entered();
        logins.push(login);
    });
    let alice = logins[1].session();
    wakes("somebody else there", &["session", "seat", "uid", "all"], &mut || {
        let mut login = machine.pam_login_by("lightdm", "bob");
        login.entered();
        logins.push(login);
    });
    wakes("a switch of the seat", &["session", "seat", "uid", "all"], &mut || {
        machine.run(&["usherctl", "activate", &alice]);
    });
    assert_eq!(machine.state_of("seats/seat0", "ACTIVE"), alice);

    let path = format!("/org/freedesktop/login1/session/_3{alice}");
    let control = std::cell::OnceCell::new();
    wakes("a controller", &["session", "all"], &mut || {
        let started = machine.spawn_as("alice", &["/usr/bin/python3", "/etc/control.py", &path]);
        machine.wait_for("the controller", || started.log().starts_with("controls\n"));
        let _ = control.set(started);
    });
    let control = control.into_inner().unwrap();
    for (order, key, value) in [
        ("SetType x11", "TYPE", "x11"),
        ("SetDisplay :7", "DISPLAY", ":7"),
        ("SetLockedHint true", "USHER_LOCKED", "1"),
        ("SetLockedHint false", "USHER_LOCKED", "0"),
        ("SetType wayland", "TYPE", "wayland"),
    ] {
        wakes(order, &["session", "all"], &mut || {
            machine.sh(&format!("echo '{order}' >> /run/orders"));
            machine.wait_for(order, || control.log().contains(&format!("did {order}\n")));
        });
        assert_eq!(machine.state_of(&format!("sessions/{alice}"), key), value, "{order}");
    }
    assert_says(
        &machine,
        &[
            (&format!("sd_session_get_type text 0s{alice}"), "wayland"),
            (&format!("sd_session_get_display text 0s{alice}"), ":7"),
        ],
    );
    wakes("the controller's end", &["session", "all"], &mut || {
        let pid = control.pid().to_string();
        machine.run(&["kill", "-9", &pid]);
    });
    machine.wait_for("no controller", || {
        machine.state_of(&format!("sessions/{alice}"), "CONTROLLER").is_empty()
    });
    wakes("a linger flag", &["uid", "all"], &mut || {
        machine.run(&["usherctl", "enable-linger", "carol"]);
    });
    for mut login in logins.into_iter().rev() {
        wakes("a logout", &["session", "uid", "all"], &mut || {
            login.close();
            login.kill9();
        });
    }
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

/// utmp is sshd's and login's to write; usher leaves it alone. procps reads it, or, in later versions, asks libsystemd.
#[test]
fn w_and_who_show_a_login() {
    let machine = machine();
    machine.sh("touch /run/utmp && chgrp utmp /run/utmp && chmod 664 /run/utmp");
    let _usherd = machine.start_usherd();
    let mut ssh = machine.ssh_session("alice");
    let tty = ssh.ask("tty");
    let tty = tty.trim_start_matches("/dev/");
    for command in ["who", "w"] {
        let shown = machine.run(&[command]);
        let line = shown.stdout.lines().find(|line| line.starts_with("alice "));
        let line = line.unwrap_or_else(|| panic!("{command} does not show alice: {shown}"));
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words[1] == tty || words[1] == "sshd", "{command}: {line}");
        assert!(line.contains("127.0.0.1"), "{command}: {line}");
    }
    ssh.close();
    machine.wait_gone(&ALICE);
    assert!(!machine.run(&["who"]).stdout.contains("alice"));
}
