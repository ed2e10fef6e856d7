//! What happens while usherd dies. Together the scenes pass every point at which it can.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use usher_tests::Machine;

use super::cast::{Cast, IN_A_JOB, ON_THE_SEAT, OVER_THE_BUS};
use super::{arm, manager, start_doomed};
use crate::faults_common::*;

/// One of alice's days.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Before anything bad happens.
    pub(crate) before: fn(&mut Cast<'_>),
    /// usherd dies somewhere in here.
    pub(crate) act: fn(&mut Cast<'_>),
    /// What happens while there is no usherd.
    pub(crate) meanwhile: fn(&Machine),
}

/// What kind of a scene it is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// It begins with an usherd that runs.
    Running,
    /// The same, but what it passes depends on who is faster: others pass all of that, too.
    Racing,
    /// The same, but it takes its time: only for points that no other scene passes.
    Slow,
    /// It begins with the start of one, after the one that ran before was killed and this has happened.
    Starting(fn(&mut Cast<'_>)),
    /// The same in a machine where there has never been one, and for points that no other scene passes.
    Booting(fn(&mut Cast<'_>)),
    /// As `Running`, in a machine of its own where usherd may not mount anything, and for points that no other scene passes.
    Plain,
}

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a first login",
        kind: Kind::Running,
        before: |_| {},
        act: |cast| {
            cast.log_in();
            cast.manager();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a second login and its end",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            cast.log_in();
            cast.log_out();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "the last logout",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            cast.log_out();
            cast.wait_alice_gone();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a leader dies and leaves a process",
        kind: Kind::Running,
        before: |cast| {
            alice_is_in(cast);
            cast.log_in();
            cast.logins[1].leave();
        },
        act: |cast| {
            let session = cast.die();
            cast.machine.wait_for("the session to be closing", || {
                state_of(cast.machine, &session).as_deref() == Some("closing")
            });
            end_session(cast, &["kill-session", "-s", "KILL"], &session);
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a session is terminated",
        kind: Kind::Running,
        before: |cast| {
            alice_is_in(cast);
            cast.log_in();
            cast.logins[1].leave_stubborn();
        },
        act: |cast| {
            let mut login = cast.logins.pop().expect("a login");
            end_session(cast, &["terminate-session"], &login.session());
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a user is terminated",
        kind: Kind::Running,
        before: |cast| {
            alice_is_in(cast);
            cast.log_in();
        },
        act: |cast| {
            let _logins = std::mem::take(&mut cast.logins);
            let gone = || !cast.machine.exists(user_file(ALICE));
            cast.control_unless(&["terminate-user", "alice"], gone);
            cast.wait_alice_gone();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "processes are signalled",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            let session = cast.logins[0].session();
            // One that nobody minds.
            cast.control(&["kill-session", "-s", "CONT", "--kill-whom=leader", &session]);
            cast.control(&["kill-session", "-s", "CONT", &session]);
            cast.control(&["kill-user", "-s", "CONT", "alice"]);
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "linger is enabled and disabled",
        kind: Kind::Running,
        before: |_| {},
        act: |cast| {
            cast.control(&["enable-linger", "alice"]);
            cast.lingers = true;
            cast.manager();
            cast.control(&["disable-linger", "alice"]);
            cast.lingers = false;
            cast.wait_alice_gone();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a login over the bus, and its end",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            cast.log_in_at_last_by(OVER_THE_BUS);
            let session = cast.die();
            cast.wait_session_gone(&session);
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a login in a job ends and leaves a process there",
        kind: Kind::Running,
        before: |cast| {
            alice_is_in(cast);
            cast.log_in_at_last_by(IN_A_JOB);
            cast.dead = vec![cast.logins[1].leave().to_string()];
        },
        act: |cast| {
            let session = cast.die();
            cast.machine.wait_for("the session to be closing", || {
                state_of(cast.machine, &session).as_deref() == Some("closing")
            });
            let left = cast.dead.pop().expect("a process");
            cast.machine.sh(&format!("kill -KILL {left}"));
            cast.wait_session_gone(&session);
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a session is to come to the foreground",
        kind: Kind::Running,
        before: |cast| {
            alice_is_in(cast);
            cast.log_in_at_last_by(ON_THE_SEAT);
        },
        act: |cast| {
            let session = cast.logins[1].session();
            cast.control(&["activate", &session]);
            cast.log_out();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a manager dies",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            let first = cast.manager();
            signal(cast.machine, first, "KILL");
            cast.machine.wait_for("another manager", || {
                manager::ready(cast.machine, ALICE).is_some_and(|pid| pid != first)
            });
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a manager does not stop",
        kind: Kind::Slow,
        before: |cast| {
            let stubborn = cast.machine.file(manager::STUBBORN);
            fs::write(&stubborn, "").expect("a file");
            alice_is_in(cast);
            fs::remove_file(&stubborn).expect("to remove a file");
        },
        act: |cast| {
            cast.log_out();
            cast.wait_alice_gone();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a start among people who are logged in",
        kind: Kind::Starting(|cast| {
            let (left, ended) = (cast.die(), cast.die());
            cast.dead = vec![left, ended];
        }),
        before: |cast| {
            alice_is_in(cast);
            cast.log_in();
            cast.log_in();
            cast.logins[2].leave();
        },
        act: |cast| {
            let dead = std::mem::take(&mut cast.dead);
            cast.wait_session_gone(&dead[1]);
            end_session(cast, &["kill-session", "-s", "KILL"], &dead[0]);
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a boot with a linger flag",
        kind: Kind::Booting(|cast| {
            cast.machine.sh("mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/alice");
            cast.machine.sh("echo LingerStart=home-available >> /etc/usher/usher.conf");
            cast.lingers = true;
        }),
        before: |_| {},
        act: |cast| {
            cast.manager();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a login and its end where mounting is not permitted",
        kind: Kind::Plain,
        before: |_| {},
        act: |cast| {
            cast.log_in();
            cast.machine.as_user("alice", &["touch", "/run/user/1001/something"]);
            cast.log_out();
            cast.wait_alice_gone();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a first login that gives up while there is no usherd",
        kind: Kind::Running,
        before: |_| {},
        act: |cast| {
            log_in_for_a_moment(cast);
            cast.wait_alice_gone();
        },
        meanwhile: alice_dies,
    },
    Scene {
        name: "another login while everybody of the user goes and there is no usherd",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            log_in_for_a_moment(cast);
            cast.logins.clear();
            cast.wait_alice_gone();
        },
        meanwhile: alice_dies,
    },
    Scene {
        name: "a first login, and the manager dies while there is no usherd",
        kind: Kind::Running,
        before: |_| {},
        act: |cast| {
            cast.log_in();
            cast.manager();
        },
        meanwhile: |machine| {
            machine.try_run(&["pkill", "-KILL", "-u", "alice"]);
        },
    },
    Scene {
        name: "a login while the same user goes",
        kind: Kind::Racing,
        before: alice_is_in,
        act: |cast| {
            cast.log_out();
            cast.log_in_at_last();
            cast.manager();
        },
        meanwhile: NOTHING,
    },
    Scene {
        name: "a first login, and the next usherd dies, too",
        kind: Kind::Running,
        before: |_| {},
        act: |cast| {
            cast.log_in_at_last();
            cast.manager();
        },
        meanwhile: the_next_one_dies_too,
    },
    Scene {
        name: "the last logout, and the next usherd dies, too",
        kind: Kind::Running,
        before: alice_is_in,
        act: |cast| {
            cast.log_out();
            cast.wait_alice_gone();
        },
        meanwhile: the_next_one_dies_too,
    },
];

/// Where the second one dies, in turn: while it starts and does what was left to do.
const SECOND_DEATHS: [&str; 14] = [
    "start-files-read",
    "start-restored-nothing-done",
    "before-SaveUser",
    "before-SaveSession",
    "before-CreateRuntimeDir",
    "tmpfs-attached-not-shared",
    "before-CreateScope",
    "before-StartManager",
    "before-AdoptManager",
    "before-TearDownUser",
    "runtime-unmounted-directory-there",
    "before-RemoveUser",
    "start-done-nobody-served",
    "start-socket-made-not-in-place",
];

fn the_next_one_dies_too(machine: &Machine) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let point = SECOND_DEATHS[TURN.fetch_add(1, Ordering::Relaxed) % SECOND_DEATHS.len()];
    arm(machine, point);
    let mut next = start_doomed(machine);
    // It may have had nothing of that kind to do.
    next.kill9();
}

const NOTHING: fn(&Machine) = |_| {};

fn alice_is_in(cast: &mut Cast<'_>) {
    cast.log_in();
    cast.manager();
}

/// Ends what is left of a session, by usherctl and these words. An usherd that died before it could say so may have done it.
fn end_session(cast: &Cast<'_>, words: &[&str], session: &str) {
    let gone = || !cast.machine.exists(session_file(session));
    cast.control_unless(&[words, &[session]].concat(), gone);
    cast.wait_session_gone(session);
}

/// A login that ends without a word, be it because it was killed.
fn log_in_for_a_moment(cast: &mut Cast<'_>) {
    let mut login = cast.machine.pam_login("alice");
    let _ = login.try_entered();
    login.kill9();
}

fn alice_dies(machine: &Machine) {
    machine.try_run(&["pkill", "-KILL", "-f", "^usher-pam-login.* alice$"]);
}
