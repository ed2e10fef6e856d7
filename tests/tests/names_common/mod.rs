//! What the tests of names, numbers and linger flags have in common: a name service and a disk with a temper of their own,
//! made of a few lines of C.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET};
use usher_tests::{Background, Machine, Person};

/// Where linger flags are.
pub(crate) const FLAGS: &str = "/var/lib/systemd/linger";
/// The name service hangs for usherd and the processes by which usherd asks it; for others it answers.
pub(crate) const USHERD_HANGS: &str = "hang usherd,exe";
/// A user whom only the late name service knows.
pub(crate) const CAROL: Person = Person { name: "carol", uid: 1003 };

/// A manager that is ready at once and costs nothing.
pub(crate) const LIGHT: &str = "[Login]\nUserStopDelaySec=0\nManager=/usr/local/bin/light\n";
/// That manager.
const MANAGER: &str = "#!/usr/bin/python3
import os, signal, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
signal.pause()
";

/// A name service that is up again is to be noticed, and the user's manager ready, within this time.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

/// Builds a shared object from C, unless that was done before, and says where it is.
pub(crate) fn shared_object(name: &str, source: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&directory).expect("a directory for what tests build");
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    let built = directory.join(format!("{name}-{:x}.so", hasher.finish()));
    if built.exists() {
        return built;
    }
    let work = tempfile::tempdir_in(&directory).expect("a directory to build in");
    let (text, new) = (work.path().join(format!("{name}.c")), work.path().join(format!("{name}.so")));
    fs::write(&text, source).expect("the C source");
    let mut compiler = Command::new("gcc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&new, &text]);
    let output = compiler.output().expect("gcc, which `cargo xtask setup` installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Whoever comes first wins: what a machine has mounted must not be replaced.
    match fs::hard_link(&new, &built) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            panic!("cannot make {}: {error}", built.display())
        }
        _ => built,
    }
}

/// A machine with a light manager and a late name service that knows carol, and others if they are given as lines of
/// passwd(5).
pub(crate) fn with_late_names(config: &str, mode: &str, others: &str) -> Machine {
    let module = shared_object("libnss_late", include_str!("nss_late.c"));
    let passwd = format!("carol:*:1003:1003::/home/carol:/bin/sh\n{others}");
    Machine::builder()
        .config(config)
        .file("/usr/local/bin/light", MANAGER, 0o755, 0)
        .file("/etc/nsswitch.conf", "passwd: files late\ngroup: files late\nshadow: files\n", 0o644, 0)
        .file("/etc/late/passwd", &passwd, 0o644, 0)
        .file("/etc/late/mode", mode, 0o644, 0)
        .file("/home/carol/.hushlogin", "", 0o644, CAROL.uid)
        .program(module, "/usr/lib/libnss_late.so.2")
        .boot()
}

/// The name service behaves that way from now on.
pub(crate) fn set_mode(machine: &Machine, mode: &str) {
    let new = machine.file("/etc/late/mode.new");
    fs::write(&new, mode).and_then(|()| fs::rename(&new, machine.file("/etc/late/mode"))).expect("a mode");
}

/// Linger flags, as an earlier boot has left them.
pub(crate) fn flags(machine: &Machine, names: &[&str]) {
    fs::create_dir_all(machine.file(FLAGS)).expect("the directory of flags");
    for name in names {
        fs::write(machine.file(format!("{FLAGS}/{name}")), "").expect("a flag");
    }
}

/// The names of the flags there are.
pub(crate) fn flagged(machine: &Machine) -> Vec<String> {
    let entries = fs::read_dir(machine.file(FLAGS)).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// How many processes look somebody up at this moment.
pub(crate) fn helpers(machine: &Machine) -> usize {
    machine.try_run(&["pgrep", "-c", "-f", "^/proc/self/exe --internal-lookup"]).text().parse().unwrap_or(0)
}

/// Whether a user's manager is ready.
pub(crate) fn is_up(machine: &Machine, uid: u32) -> bool {
    machine.state_of(&format!("users/{uid}"), "USHER_MANAGER_READY") == "1"
}

/// Starts usherd with a few more variables, and waits until it is ready.
pub(crate) fn usherd_with<'m>(machine: &'m Machine, environment: &[(&str, &str)]) -> Background<'m> {
    let environment = [environment, &[("NOTIFY_SOCKET", NOTIFY_SOCKET), ("USHERD_LOG", "debug")]].concat();
    let mut broker = machine.spawn_with(&["/usr/sbin/usherd"], None, &environment);
    let ready = format!("{} READY=1", broker.pid());
    machine.wait_for("usherd to be ready", || {
        assert!(broker.is_running(), "usherd ended: {}", broker.log());
        machine.read(NOTIFICATIONS).lines().any(|line| line == ready)
    });
    broker
}
