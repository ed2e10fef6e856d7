//! The programs that measure logins say what is so: until nothing is left of a user, what was not over in time, who answers on
//! the bus after a crash. A bench is worth no more than they are.

use std::time::{Duration, Instant};

use usher_tests::load::{self, Held, Logins, bus, processes};
use usher_tests::{DEADLINE, Machine};

const QUICK: &str = "[Login]\nUserStopDelaySec=0\nManager=none\n";
/// A PAM service whose logins take longer than anybody waits.
const SLOW: &str = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_exec.so /bin/sleep 100\n";

/// alice's runtime directory and slice.
const ALICES: [&str; 2] = ["/run/user/1001", "/sys/fs/cgroup/user.slice/user-1001.slice"];

#[test]
fn a_visit_lasts_until_nothing_is_left() {
    let machine = Machine::builder().config(QUICK).boot();
    let _usherd = machine.start_usherd_quietly();
    let visit = load::visit(&machine, "usher-bench", "alice", &ALICES).unwrap();
    assert_eq!(visit.failures, [""; 0]);
    assert!(visit.open_ns > 0 && visit.gone_ns.is_some(), "{visit:?}");

    let stays = load::visit(&machine, "usher-bench", "alice", &[ALICES[0], "/etc/passwd"]).unwrap();
    assert_eq!((stays.gone_ns, stays.failures.len()), (None, 0), "{stays:?}");
    let nobody = load::visit(&machine, "usher-bench", "no-such-user", &ALICES).unwrap();
    assert_eq!((nobody.open_ns, nobody.failures.len()), (0, 1), "{nobody:?}");
    machine.wait_no_leftovers(DEADLINE);
}

#[test]
fn what_is_not_over_in_time_is_counted() {
    let machine = Machine::builder().config(QUICK).file("/etc/pam.d/slow", SLOW, 0o644, 0).boot();
    let _usherd = machine.start_usherd_quietly();
    let slow = Logins { service: "slow", count: 5, at_once: 2, limit: 1, ..Logins::default() };
    let start = Instant::now();
    let outcome = load::cycles(&machine, slow).unwrap();
    assert_eq!((outcome.unfinished, outcome.failures.len()), (5, 0), "{outcome:?}");
    let held = Held::open(&machine, slow).unwrap();
    assert_eq!((held.opened.unfinished, held.opened.open_ns.len()), (5, 0), "{:?}", held.opened);
    let closed = held.close().unwrap();
    assert_eq!((closed.unfinished, closed.failures.len()), (0, 0), "{closed:?}");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());

    let quick = Logins { count: 5, at_once: 2, limit: 60, ..Logins::default() };
    let outcome = load::cycles(&machine, quick).unwrap();
    assert_eq!((outcome.unfinished, outcome.close_ns.len()), (0, 5), "{outcome:?}");
    assert!(outcome.client_ns > 0, "{outcome:?}");
    machine.wait_no_leftovers(DEADLINE);
}

#[test]
fn the_bus_answers_after_a_crash() {
    let machine = Machine::builder().config(QUICK).boot();
    let _bus = machine.start_dbus();
    let usherd = machine.start_usherd_quietly();
    bus::await_owner(&machine).unwrap();
    let held = Held::open(&machine, Logins { count: 3, ..Logins::default() }).unwrap();

    let answers = bus::list(&machine, 4).unwrap();
    assert_eq!(answers.sessions, 3);
    let names: Vec<(&str, usize)> =
        answers.times_ns.iter().map(|(name, times)| (name.as_str(), times.len())).collect();
    assert_eq!(names, [("ListSessions", 4)]);
    assert_eq!(bus::time(&machine, 2, &["usherctl", "list-sessions"]).unwrap().len(), 2);
    assert!(bus::time(&machine, 2, &["false"]).is_err(), "a command that fails was not timed");

    let all = || processes::named(&machine, &["usherd"]).unwrap();
    assert_eq!(all().iter().map(|process| process.pid).collect::<Vec<_>>(), [usherd.pid()]);
    let footprint = all()[0].footprint().unwrap();
    assert!(footprint.pss_kib > 0 && footprint.descriptors > 3, "{footprint:?}");
    assert!(all()[0].processor().unwrap() > Duration::ZERO);

    let revived = bus::revive(&machine, usherd.pid(), &["/usr/sbin/usherd"]).unwrap();
    assert_eq!(revived.sessions, 3);
    let after = all();
    assert!(after.iter().any(|process| process.pid != usherd.pid()), "{after:?}");
    assert_eq!(held.close().unwrap().close_ns.len(), 3);
    machine.wait_for("the sessions to be gone", || {
        bus::list(&machine, 1).is_ok_and(|answers| answers.sessions == 0)
    });
}
