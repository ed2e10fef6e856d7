//! What containers take away, one thing after the other: a login still has a session and a runtime directory, within a
//! second; what is degraded is said in one line; and nothing is left in the end.

mod containers_common;
mod faults_common;

use containers_common::*;
use faults_common::*;
use nix::sys::signal::Signal;
use usher_tests::{Background, Machine};

/// Logins of a user and of root, a restart in between, and no trace of them.
fn works<'m>(machine: &'m Machine, mut broker: Background<'m>, start: impl Fn() -> Background<'m>) {
    logs_in_at_once(machine, "alice", RUNTIME);
    logs_in_at_once(machine, "root", "/run/user/0");
    let login = Login::running(machine, "alice", "touch $XDG_RUNTIME_DIR/mine; exec sleep 1000");
    machine.wait_for("her file", || machine.exists(format!("{RUNTIME}/mine")));
    broker.kill9();
    let mut broker = start();
    assert_eq!(state_of(machine, &login.session).as_deref(), Some("active"), "{}", broker.log());
    assert!(machine.exists(format!("{RUNTIME}/mine")));
    login.log_out();
    wait_nothing_left(machine);
    assert!(broker.is_running() && !broker.log().contains("ERROR"), "{}", broker.log());
    assert!(module_lines(machine).is_empty(), "{:?}", module_lines(machine));
}

/// A machine that was changed before usherd comes, and what usherd says of it when it starts.
fn works_after(change: &str, says: &[&str]) {
    let machine = machine(QUICK);
    machine.sh(change);
    let start = || start_in(&machine, &[]);
    let broker = start();
    if !says.is_empty() {
        says_once(&broker.log(), says);
    }
    works(&machine, broker, start);
}

const NO_CGROUPS: &[&str] = &[
    "sessions have no cgroups and end with their leaders",
    "WARN",
    "cgroup2 is mounted neither on /sys/fs/cgroup nor",
];

#[test]
fn no_right_to_mount() {
    let machine = machine(QUICK);
    let start = || start_in(&machine, &["setpriv", "--bounding-set=-sys_admin"]);
    let broker = start();
    says_once(
        &broker.log(),
        &["runtime directories are plain directories", "WARN", "give usherd CAP_SYS_ADMIN"],
    );
    works(&machine, broker, start);
}

#[test]
fn no_right_to_mount_and_no_cgroups() {
    let machine = Machine::builder().config(QUICK).cgroup_readonly().boot();
    let start = || start_in(&machine, &["setpriv", "--bounding-set=-sys_admin"]);
    let broker = start();
    says_once(&broker.log(), &["runtime directories are plain directories"]);
    says_once(
        &broker.log(),
        &[
            "sessions have no cgroups and end with their leaders",
            "WARN",
            "mounted read-only, or not delegated",
        ],
    );
    works(&machine, broker, start);
}

#[test]
fn cgroups_that_are_read_only() {
    works_after(
        "mount -o remount,ro,bind /sys/fs/cgroup",
        &["sessions have no cgroups and end with their leaders", "mounted read-only, or not delegated"],
    );
}

#[test]
fn no_cgroup_file_system() {
    works_after("umount /sys/fs/cgroup", NO_CGROUPS);
}

/// Of version 1 there may be something: a tmpfs with directories in it.
#[test]
fn cgroups_of_version_1_only() {
    works_after(
        "umount /sys/fs/cgroup; mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup; mkdir /sys/fs/cgroup/systemd; \
         mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd || true",
        NO_CGROUPS,
    );
}

#[test]
fn no_sysfs() {
    works_after("umount -l /sys", NO_CGROUPS);
}

#[test]
fn processes_that_hide_from_each_other() {
    works_after("mount -o remount,hidepid=2 /proc", &[]);
}

#[test]
fn kernel_settings_that_are_read_only() {
    works_after("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys", &[]);
}

/// Runs a program under a filter that refuses some system calls: "ERRNO NAMES PROGRAM…".
const WITHOUT: &str = r#"#!/usr/bin/python3
import ctypes, errno, os, platform, struct, sys
# The numbers of newer calls are the same everywhere.
numbers = {'open_tree': 428, 'move_mount': 429, 'fsopen': 430, 'fsconfig': 431, 'fsmount': 432, 'fspick': 433,
           'openat2': 437, 'mount_setattr': 442, 'statx': {'x86_64': 332, 'aarch64': 291}.get(platform.machine(), 9999)}
refused = [numbers[name] for name in sys.argv[2].split(',')]
ret = 0x50000 | getattr(errno, sys.argv[1])
code = [(0x20, 0, 0, 0)]
for n, number in enumerate(refused):
    code.append((0x15, len(refused) - n, 0, number))
code += [(6, 0, 0, 0x7fff0000), (6, 0, 0, ret)]
text = b''.join(struct.pack('HBBI', *line) for line in code)
buffer = ctypes.create_string_buffer(text)
program = struct.pack('HxxxxxxQ', len(code), ctypes.addressof(buffer))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0: sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[3], sys.argv[3:])
"#;

const NEW_MOUNT_CALLS: &str = "open_tree,move_mount,fsopen,fsconfig,fsmount,fspick,openat2,mount_setattr";

/// An old kernel, or a filter of a container that does not know the new calls: mount(2) does it all.
#[test]
fn no_new_calls_for_mounting() {
    let with_statx = format!("{NEW_MOUNT_CALLS},statx");
    for (errno, calls) in [("ENOSYS", with_statx.as_str()), ("EPERM", NEW_MOUNT_CALLS)] {
        let conf = "[Login]\nUserStopDelaySec=0\nManager=none\nRuntimeDirectorySize=4M\n";
        let machine =
            Machine::builder().config(conf).file("/usr/local/bin/without", WITHOUT, 0o755, 0).boot();
        let start = || start_in(&machine, &["/usr/local/bin/without", errno, calls]);
        let mut broker = start();
        assert!(!broker.log().contains("plain directories"), "{}", broker.log());
        let login = Login::of(&machine, "alice");
        let mounted = machine.mounted(RUNTIME).expect("a mount");
        for option in ["nosuid", "nodev", "mode=700", "uid=1001", "size=4096k"] {
            assert!(mounted.has(option), "{option} is missing: {mounted:?}");
        }
        let before = identity(&machine, RUNTIME);
        // Resized, lost and found again, all by the old call.
        machine.run(&["mount", "-o", "remount,bind,nosuid,nodev,noexec", RUNTIME]);
        std::fs::write(machine.file("/etc/usher/usher.conf"), conf.replace("4M", "8M")).expect("usher.conf");
        broker.signal(Signal::SIGHUP);
        machine.wait_for("another size", || machine.mounted(RUNTIME).is_some_and(|it| it.has("size=8192k")));
        let mounted = machine.mounted(RUNTIME).expect("a mount");
        assert!(["nosuid", "nodev", "noexec"].iter().all(|flag| mounted.has(flag)), "{mounted:?}");
        assert_eq!(identity(&machine, RUNTIME), before);
        machine.run(&["umount", RUNTIME]);
        Login::of(&machine, "alice").log_out();
        assert_eq!(stacked(&machine, RUNTIME), 1, "{errno}: {}", broker.log());
        login.log_out();
        wait_nothing_left(&machine);
        works(&machine, broker, start);
    }
}

/// usherd cannot work without a place for its socket: it says so, and logins go on without it.
#[test]
fn a_run_that_cannot_be_written_to() {
    let machine = machine(QUICK);
    machine.sh("mkdir -p /run/user; mount --bind /run /run; mount -o remount,bind,ro /run");
    let mut broker = machine.command(&["/usr/sbin/usherd"]);
    broker.stdin(std::process::Stdio::null());
    let ended = machine.output(broker, &["/usr/sbin/usherd"]);
    assert_eq!(ended.code, 1, "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("cannot create /run/usher") && said.contains("Read-only file system"), "{said}");
    let start = std::time::Instant::now();
    machine.run(&["su", "-", "alice", "-c", "true"]);
    assert!(start.elapsed() < WITHIN * 3, "{:?}", start.elapsed());
}
