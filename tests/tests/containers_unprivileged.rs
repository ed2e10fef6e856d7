//! A whole unprivileged container: users, mounts and processes of its own, root in it is nobody special outside. Mounting a
//! tmpfs is permitted there, to mark it as usher's is not.

mod containers_common;
mod faults_common;

use containers_common::*;
use faults_common::*;
use usher_tests::{Background, Machine};

/// Runs a program in namespaces of its own, with its own /proc; root there is the machine's root without its rights.
const CONTAINER: &str = r#"#!/usr/bin/python3
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result != 0: sys.exit(os.strerror(ctypes.get_errno()))
mapped, map_now = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    libc.prctl(1, 9)
    check(libc.unshare(0x10000000 | 0x00020000 | 0x20000000))
    os.write(map_now[1], b'x'); os.read(mapped[0], 1)
    os.setresgid(0, 0, 0); os.setresuid(0, 0, 0)
    init = os.fork()
    if init == 0:
        libc.prctl(1, 9)
        check(libc.mount(b'proc', b'/proc', b'proc', 0, None))
        os.execvp(sys.argv[1], sys.argv[1:])
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]) & 255)
os.read(map_now[0], 1)
for name in ['uid_map', 'gid_map']:
    with open('/proc/%d/%s' % (child, name), 'w') as file: file.write('0 0 65536')
os.write(mapped[1], b'x')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
"#;

/// A command in the container.
fn inside(init: &str) -> Vec<&str> {
    vec!["nsenter", "--target", init, "--user", "--mount", "--pid"]
}

fn text_inside(machine: &Machine, init: &str, script: &str) -> String {
    machine.run(&[&inside(init)[..], &["sh", "-c", script]].concat()).text().to_owned()
}

#[test]
fn logins_work_and_leave_nothing() {
    let machine =
        Machine::builder().config(QUICK).file("/usr/local/bin/container", CONTAINER, 0o755, 0).boot();
    // Something has to stay when usherd is restarted: PID 1 of the container is a program that only waits.
    let container: Background<'_> = machine.spawn(&["/usr/local/bin/container", "sleep", "1000"]);
    let init = machine.wait_some("the container", || {
        let found = machine.try_run(&["pgrep", "-x", "sleep"]);
        (found.text().lines().count() == 1).then(|| found.text().to_owned())
    });
    let within = inside(&init);
    let mut broker = start_in(&machine, &within);
    logs_in_by(&machine, &[&within[..], &["su", "-", "alice"]].concat(), RUNTIME);
    logs_in_by(&machine, &[&within[..], &["su", "-", "root"]].concat(), "/run/user/0");

    let words = [
        &within[..],
        &["su", "-", "alice", "-c", "echo I am in; touch $XDG_RUNTIME_DIR/mine; exec sleep 1000"],
    ];
    let mut su = machine.spawn(&words.concat());
    wait_in(&machine, &su);
    let mounted = text_inside(&machine, &init, &format!("grep ' {RUNTIME} ' /proc/self/mountinfo"));
    assert!(mounted.contains("nosuid,nodev") && mounted.contains(" - tmpfs tmpfs "), "{mounted}");
    assert_eq!(text_inside(&machine, &init, &format!("stat -c '%u %a' {RUNTIME}")), "1001 700");

    // It knows its own by the number.
    machine.run(&["pkill", "-KILL", "-x", "usherd"]);
    broker.wait(usher_tests::DEADLINE);
    let broker = start_in(&machine, &within);
    let files = text_inside(&machine, &init, "cat /run/systemd/users/1001");
    assert!(files.contains("USHER_RUNTIME=mount"), "{files}");
    assert_eq!(text_inside(&machine, &init, &format!("ls {RUNTIME}")), "mine");
    machine.run(&["pkill", "-KILL", "-u", "alice", "sleep"]);
    su.wait(usher_tests::DEADLINE);
    let left = || {
        text_inside(
            &machine,
            &init,
            "ls /run/user /run/systemd/users; grep -c ' /run/user/' /proc/self/mountinfo || true",
        )
    };
    machine.wait_for("nothing to be left", || left() == "/run/systemd/users:\n\n/run/user:\n0");
    assert!(!broker.log().contains("ERROR"), "{}", broker.log());
    drop(container);
}
