//! A process that not even SIGKILL ends, because the kernel holds it: here one that waits for a file system whose server has
//! read the request and does not answer (fuse(4)), as others wait for a dead NFS server. It keeps what is its own, the log says
//! so, and nobody else waits for it; once the kernel lets go of it, everything goes.

mod faults_common;

use std::path::Path;
use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine};

/// A FUSE server: says hello (FUSE_INIT, linux/fuse.h), takes one more request, and never answers.
const SERVER: &str = "
import ctypes, os, struct, sys, time
place = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs(place, exist_ok=True)
fd = os.open('/dev/fuse', os.O_RDWR)
options = b'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other' % fd
if libc.mount(b'stuck', place.encode(), b'fuse.stuck', 6, options) != 0:
    raise OSError(ctypes.get_errno(), 'mount')
unique = struct.unpack_from('<IIQ', os.read(fd, 1 << 20))[2]
body = struct.pack('<IIIIHHIIHH', 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0).ljust(64, b'\\0')
os.write(fd, struct.pack('<IiQ', 16 + len(body), 0, unique) + body)
open('/tmp/serving', 'w')
os.read(fd, 1 << 20)
open('/tmp/hangs', 'w')
time.sleep(1000)
";

/// How long killed processes have before the log says that they stay.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// A machine with the server, or nothing where the kernel has no FUSE.
fn machine_with_server(lines: &str) -> Option<Machine> {
    if !Path::new("/dev/fuse").exists() {
        eprintln!("skipped: this kernel has no /dev/fuse");
        return None;
    }
    let machine = machine(&format!("[Login]\nUserStopDelaySec=0\n{lines}"));
    machine.sh("test -e /dev/fuse || mknod /dev/fuse c 10 229");
    Some(machine)
}

fn serve<'m>(machine: &'m Machine, place: &str) -> Background<'m> {
    let server = machine.spawn(&["python3", "-c", SERVER, place]);
    machine.wait_for(&format!("the file system: {}", server.log()), || machine.exists("/tmp/serving"));
    server
}

fn wait_said(machine: &Machine, broker: &usher_tests::Usherd<'_>, words: &str) -> String {
    machine.wait_some(&format!("the log to say '{words}'"), || {
        broker.log().lines().find(|line| line.contains(words)).map(str::to_owned)
    })
}

/// Others log in as if nothing were.
fn bob_does_not_notice(machine: &Machine) {
    let start = Instant::now();
    assert_eq!(machine.run(&["su", "-", "bob", "-c", "echo $XDG_RUNTIME_DIR"]).text(), "/run/user/1002");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_session_s_process_that_the_kernel_holds() {
    let lines = "Manager=none\nKillUserProcesses=yes\nSessionStopTimeoutSec=500ms\n";
    let Some(machine) = machine_with_server(lines) else { return };
    let broker = machine.start_usherd();
    let mut server = serve(&machine, "/tmp/stuck");
    let login = Login::running(&machine, "alice", "setsid stat /tmp/stuck/x & exec sleep 1000");
    machine.wait_for("it to hang", || machine.exists("/tmp/hangs"));
    let session = login.session.clone();
    machine.run(&["pkill", "-KILL", "-x", "sleep"]);
    drop(login);

    let killed =
        wait_said(&machine, &broker, &format!("processes of session {session} have not stopped in time"));
    assert!(killed.contains(&format!(" (stat) in session-{session}.scope")), "{killed}");
    bob_does_not_notice(&machine);
    let start = Instant::now();
    let stays = wait_said(&machine, &broker, "processes do not go away, not even when killed: ");
    assert!(start.elapsed() < AFTER_KILL + Duration::from_secs(5));
    assert!(stays.contains(" (stat)") && stays.contains(&format!("session={session}")), "{stays}");
    assert_eq!(state_of(&machine, &session).as_deref(), Some("closing"));

    // Her next login is a session like any other, beside that one.
    let next = Login::of(&machine, "alice");
    assert_eq!(state_of(&machine, &next.session).as_deref(), Some("active"));
    next.log_out();
    server.kill9();
    wait_nothing_left(&machine);
    assert_eq!(broker.log().matches(" (stat)").count(), 2, "{}", broker.log());
}

#[test]
fn a_manager_s_unit_that_the_kernel_holds() {
    // The manager itself ends; what it has left stays in the user's part of the tree when everything else has gone.
    let Some(machine) = machine_with_server("ManagerStopTimeoutSec=500ms\nManagerReadyWaitSec=1\n") else {
        return;
    };
    let mut broker = machine.start_usherd();
    let mut server = serve(&machine, "/tmp/stuck");
    let login = Login::running(
        &machine,
        "alice",
        "systemd-run --user --unit=held stat /tmp/stuck/x; exec sleep 1000",
    );
    machine.wait_for("it to hang", || machine.exists("/tmp/hangs"));
    login.log_out();

    let held = " (stat) in app.slice/held.service";
    let killed = wait_said(&machine, &broker, "has not stopped within 500 ms");
    assert!(killed.contains(held), "{killed}");
    bob_does_not_notice(&machine);
    // While it is waited for and afterwards, she gets in within the module's budget.
    let start = Instant::now();
    let next = Login::of(&machine, "alice");
    assert!(start.elapsed() < Duration::from_secs(1 + 5), "{:?}", start.elapsed());
    assert_eq!(state_of(&machine, &next.session).as_deref(), Some("active"));
    assert!(machine.mounted(RUNTIME).is_some());
    let stays = wait_said(&machine, &broker, "do not go away, not even when killed: ");
    assert!(stays.contains(held), "{stays}");
    next.log_out();
    let left = wait_said(&machine, &broker, "processes are left in user-1001.slice: ");
    assert!(left.contains(" (stat) in user@1001.service/app.slice/held.service"), "{left}");
    machine.wait_for("the rest to be gone", || {
        !machine.exists(user_file(ALICE)) && machine.mounted(RUNTIME).is_none()
    });

    server.kill9();
    wait_nothing_left(&machine);
    assert!(broker.is_running());
}

/// Where IPC objects are looked for, too, may be such a file system.
#[test]
fn usherd_itself_is_not_held() {
    let Some(machine) = machine_with_server("Manager=none\n") else { return };
    let mut broker = machine.start_usherd();
    let mut server = serve(&machine, "/dev/shm/stuck");
    Login::running(&machine, "alice", "touch /dev/shm/hers; exec sleep 1000").log_out();
    wait_nothing_left(&machine);
    assert!(!machine.exists("/dev/shm/hers"));
    let start = Instant::now();
    assert_eq!(broker.stop(), 0);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(!machine.exists("/tmp/hangs"), "somebody has asked the server");
    server.kill9();
}
