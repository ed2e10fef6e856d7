//! RemoveIPC: all five kinds of objects that outlive their processes go with the last logout of a person, and nobody else's.
//! They are made by the system calls, and looked for where the kernel lists them.

use nix::sys::signal::Signal;
use usher_tests::{ALICE, BOB, Machine, Person};

/// Makes one of each: SysV shared memory (shmget(2)), semaphores (semget(2)) and message queue (msgget(2)), POSIX shared memory
/// (shm_open(3)) and message queue (mq_open(3)). IPC_PRIVATE is 0, IPC_CREAT 01000.
const MAKE: &str = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
name = ('/of-%d' % os.getuid()).encode()
made = [
    libc.shmget(0, 4096, 0o1600),
    libc.semget(0, 3, 0o1600),
    libc.msgget(0, 0o1600),
    libc.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600),
    libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, None),
]
assert min(made) >= 0, (made, ctypes.get_errno())
";

/// What a user has: kinds of objects, sorted.
fn owned(machine: &Machine, uid: u32) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for kind in ["shm", "sem", "msg"] {
        let table = machine.read(format!("/proc/sysvipc/{kind}"));
        // This file is of the reader's own namespace: it is the machine that has to read it.
        assert!(table.is_empty() || table.starts_with("       key"), "{table}");
        let list = machine.run(&["cat", &format!("/proc/sysvipc/{kind}")]).stdout;
        let mut lines = list.lines();
        let column =
            lines.next().unwrap_or_default().split_whitespace().position(|name| name == "uid").unwrap();
        if lines.any(|line| line.split_whitespace().nth(column) == Some(&uid.to_string())) {
            kinds.push(kind);
        }
    }
    for (directory, kind) in [("/dev/mqueue", "mqueue"), ("/dev/shm", "posix shm")] {
        if machine.exists(format!("{directory}/of-{uid}")) {
            kinds.push(kind);
        }
    }
    kinds
}

const ALL: [&str; 5] = ["shm", "sem", "msg", "mqueue", "posix shm"];
const NONE: [&str; 0] = [];

fn machine(lines: &str) -> Machine {
    Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\nManager=none\n{lines}"))
        .user("daemonic", 990)
        .user("carol", 1003)
        .boot()
}

/// Makes the objects in a session and logs out.
fn visit(machine: &Machine, name: &str) {
    machine.run(&["su", "-", name, "-c", &format!("python3 -c \"{MAKE}\"")]);
}

fn wait_gone(machine: &Machine, uid: u32) {
    machine
        .wait_for(&format!("user {uid} to be gone"), || !machine.exists(format!("/run/systemd/users/{uid}")));
}

#[test]
fn all_five_kinds_go_with_the_last_logout_and_nobody_else_s() {
    let machine = machine("");
    let _broker = machine.start_usherd();
    // bob is logged in, root and carol are not, and nor are their things.
    let mut bob = machine.ssh_session("bob");
    bob.ask(&format!("python3 -c \"{MAKE}\""));
    machine.run(&["python3", "-c", MAKE]);
    machine.as_user("carol", &["python3", "-c", MAKE]);

    let mut first = machine.ssh_session("alice");
    first.ask(&format!("python3 -c \"{MAKE}\""));
    assert_eq!(owned(&machine, ALICE.uid), ALL);
    // Another session of hers keeps them.
    let second = machine.ssh_session("alice");
    first.close();
    machine.wait_for("one session", || machine.sessions(&ALICE).len() == 1);
    assert_eq!(owned(&machine, ALICE.uid), ALL);
    second.close();
    machine.wait_gone(&ALICE);
    assert_eq!(owned(&machine, ALICE.uid), NONE);
    for uid in [0, BOB.uid, 1003] {
        assert_eq!(owned(&machine, uid), ALL, "of {uid}");
    }
    bob.close();
    machine.wait_gone(&BOB);
    assert_eq!((owned(&machine, BOB.uid), owned(&machine, 1003)), (NONE.to_vec(), ALL.to_vec()));
}

#[test]
fn they_stay_for_system_users_for_root_and_where_the_configuration_says_so() {
    let machine = machine("");
    let mut broker = machine.start_usherd();
    // login.defs(5): SYS_UID_MAX is 999 unless it says otherwise.
    for (name, uid) in [("daemonic", 990), ("root", 0)] {
        visit(&machine, name);
        wait_gone(&machine, uid);
        assert_eq!(owned(&machine, uid), ALL, "of {name}");
    }
    machine.sh("printf '[Login]\nUserStopDelaySec=0\nManager=none\nRemoveIPC=no\n' > /etc/usher/usher.conf");
    broker.signal(Signal::SIGHUP);
    machine.wait_for("the configuration to be read", || {
        broker.log().contains("reading the configuration again")
    });
    machine.run(&["usherctl", "list-users"]);
    visit(&machine, "alice");
    machine.wait_gone(&ALICE);
    assert_eq!(owned(&machine, ALICE.uid), ALL);
}

#[test]
fn a_linger_flag_keeps_them_and_so_does_the_stop_delay() {
    let machine = machine("");
    let mut broker = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let lingers =
        |person: &Person| machine.state_of(&format!("users/{}", person.uid), "STATE") == "lingering";
    machine.wait_for("alice to linger", || lingers(&ALICE));
    visit(&machine, "alice");
    machine.wait_for("alice to linger again", || lingers(&ALICE));
    assert_eq!(owned(&machine, ALICE.uid), ALL);
    machine.run(&["usherctl", "disable-linger", "alice"]);
    machine.wait_gone(&ALICE);
    assert_eq!(owned(&machine, ALICE.uid), NONE);

    machine.sh("printf '[Login]\nUserStopDelaySec=infinity\nManager=none\n' > /etc/usher/usher.conf");
    broker.signal(Signal::SIGHUP);
    machine.wait_for("the configuration to be read", || {
        broker.log().contains("reading the configuration again")
    });
    machine.run(&["usherctl", "list-users"]);
    visit(&machine, "bob");
    machine.wait_for("bob to be closing", || machine.state_of("users/1002", "STATE") == "closing");
    assert_eq!(owned(&machine, BOB.uid), ALL);
    machine.run(&["usherctl", "terminate-user", "bob"]);
    machine.wait_gone(&BOB);
    assert_eq!(owned(&machine, BOB.uid), NONE);
}

/// What a user puts into /dev/shm beside objects (links, directories with anything in them) leads nowhere else.
#[test]
fn nothing_is_followed_out_of_the_places_of_objects() {
    let machine = machine("");
    let broker = machine.start_usherd();
    machine.sh("mkdir /tmp/precious && touch /tmp/precious/file && chown -R alice: /tmp/precious");
    let script = "cd /dev/shm && ln -s /tmp/precious link && ln -s /tmp/precious/file linked && mkdir -p deep/er && \
                  ln -s /tmp/precious deep/er/link && touch deep/file && ln /tmp/precious/file hard 2>&1; true";
    machine.run(&["su", "-", "alice", "-c", script]);
    machine.wait_gone(&ALICE);
    assert!(machine.exists("/tmp/precious/file"));
    assert!(
        !machine.exists("/dev/shm/link") && !machine.exists("/dev/shm/linked"),
        "links are the user's files"
    );
    assert!(!machine.exists("/dev/shm/deep"), "nor do directories stay, which need memory, too");
    assert!(!broker.log().contains("ERROR"), "{}", broker.log());
}
