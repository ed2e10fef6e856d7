//! What usherd keeps in memory: little for a session, next to nothing of a session that is over.

use usher_tests::load::{self, Held, Logins};
use usher_tests::{Machine, Usherd};

const COUNT: usize = 400;
/// For one session, in bytes: all there is of it, and its share of what many logins at once leave scattered.
const SESSION: u64 = 2048;
/// What may be left of all of them, in KiB.
const LEFT: u64 = 384;

fn logins(count: usize, at_once: usize) -> Logins<'static> {
    Logins { service: "usher-bench", users: "alice", count, at_once, ..Logins::default() }
}

/// Waits until usherd has no threads that have worked for logins, and has given back what it did not need any more.
fn settled(machine: &Machine, usherd: &Usherd<'_>, limit_kib: u64) -> u64 {
    let size = || machine.size_of(usherd.pid());
    machine.wait_for(&format!("usherd to take at most {limit_kib} KiB besides its program"), || {
        let size = size();
        size.threads == 1 && size.anonymous_kib <= limit_kib
    });
    let now = size().anonymous_kib;
    println!("usherd takes {now} KiB besides its program, of at most {limit_kib}");
    now
}

#[test]
fn sessions_take_little_and_leave_less() {
    let machine = Machine::boot();
    let usherd = machine.start_usherd_quietly();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    machine.wait_for("alice's manager", || {
        machine.try_run(&["usherctl", "show-user", "alice", "-p", "Manager", "--value"]).text() == "ready"
    });
    let warm = load::cycles(&machine, logins(20, 1)).unwrap();
    assert!(warm.failures.is_empty(), "{:?}", warm.failures);
    let before = settled(&machine, &usherd, 1500);
    let held = Held::open(&machine, logins(COUNT, 16)).unwrap();
    assert!(held.opened.failures.is_empty(), "{:?}", held.opened.failures);
    settled(&machine, &usherd, before + COUNT as u64 * SESSION / 1024);
    held.close().unwrap();
    settled(&machine, &usherd, before + LEFT);
}

/// It starts itself again to have its allocator keep less; nobody is to notice.
#[test]
fn usherd_is_called_usherd_and_is_who_was_started() {
    let machine = Machine::boot();
    let usherd = machine.start_usherd_quietly();
    let read = |file: &str| machine.read(format!("/proc/{}/{file}", usherd.pid()));
    assert_eq!(read("comm").trim(), "usherd");
    let words: Vec<String> = read("cmdline").split_terminator('\0').map(str::to_owned).collect();
    assert!(matches!(words.as_slice(), [program] if program.ends_with("usherd")), "{words:?}");
    let environment = read("environ");
    let wanted = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
    assert_eq!(environment.split('\0').filter(|variable| *variable == wanted).count(), 1, "{environment:?}");
}
