//! Two hundred logins at once, each held by a process of its own, while usherd is killed again and again at moments that
//! chance chooses. `USHER_SEED=N` makes the same choices again.

mod crash_common;
mod faults_common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crash_common::cast::{CONFIG, check_open};
use crash_common::manager;
use crash_common::watch::Watch;
use faults_common::*;
use usher_tests::{Machine, PamLogin, Usherd};

const LOGINS: usize = 200;
/// Every tenth of them is a real su(1).
const OF_SU: usize = 10;
const USERS: [(&str, u32); 4] = [("alice", 1001), ("bob", 1002), ("carol", 1003), ("dave", 1004)];
/// For a session and for a manager (ManagerReadyWaitSec=2), and what two hundred at once on a busy computer add.
const BUDGET: Duration = Duration::from_secs(5 + 2 + 13);

#[test]
fn two_hundred_at_once() {
    let seed = std::env::var("USHER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now);
    println!("USHER_SEED={seed}");
    let machine = Machine::builder().config(CONFIG).user("carol", 1003).user("dave", 1004);
    let machine = machine.file(manager::PROGRAM, manager::TEXT, 0o755, 0).boot();
    let broker = machine.start_usherd();
    let descriptors = size_of(&machine, broker.pid()).0;
    let mut watch = Watch::new(&machine);
    let over = AtomicBool::new(false);
    let mut choice = Choice(seed);
    let (broker, held) = thread::scope(|scope| {
        let (machine, over) = (&machine, &over);
        let killer = scope.spawn(move || kill_again_and_again(machine, broker, Choice(!seed), over));
        let end = SetWhenDropped(over);
        let held = come_and_go(machine, &mut choice);
        drop(end);
        (killer.join().expect("the one who kills"), held)
    });
    check_held(&machine, held, &mut watch);

    machine.try_run(&["pkill", "-KILL", "-x", "sleep"]);
    wait_nothing_left(&machine);
    machine.wait_for("no temporary files", || temporary_files(&machine).is_empty());
    for (name, uid) in USERS {
        let processes = || manager::processes(&machine, uid);
        machine.wait_for("no processes", || processes().is_empty());
        assert!(!machine.exists(format!("/run/user/{uid}")), "{name}");
    }
    manager::never_two(&machine);
    let still_open = || size_of(&machine, broker.pid()).0;
    machine.wait_for("the descriptors to be closed", || still_open() <= descriptors);
}

/// Kills usherd and starts it, until it is over; with pauses that are sometimes too short for it to have done everything that
/// was left to do.
fn kill_again_and_again<'m>(
    machine: &Machine,
    mut broker: Usherd<'m>,
    mut choice: Choice,
    over: &AtomicBool,
) -> Usherd<'m> {
    let mut kills = 0;
    while !over.load(Ordering::Relaxed) {
        // Not a wait for anything: the moment is what is varied.
        thread::sleep(Duration::from_millis(choice.below(200)));
        broker.kill9();
        kills += 1;
        thread::sleep(Duration::from_millis(choice.below(30)));
        broker.start();
    }
    let without = machine.syslog().matches("continues without a session").count();
    println!("killed {kills} times; {without} logins found no usherd and had no session");
    broker
}

/// Those who are still there in the end.
struct Held<'m> {
    logins: Vec<PamLogin<'m>>,
    su: Vec<usher_tests::Background<'m>>,
}

/// Everybody comes at once; some go, some are killed, some leave a process.
fn come_and_go<'m>(machine: &'m Machine, choice: &mut Choice) -> Held<'m> {
    let mut held = Held { logins: Vec::new(), su: Vec::new() };
    let mut coming = Vec::new();
    for number in 0..LOGINS {
        let (name, _) = USERS[number % USERS.len()];
        if number % OF_SU == 0 {
            held.su.push(su(machine, name, "exec sleep 1000"));
        } else {
            coming.push(machine.pam_login(name));
        }
    }
    for mut login in coming {
        let took = login.entered().took;
        assert!(took < BUDGET, "a login of {} took {took:?}", login.user());
        match choice.below(10) {
            0..3 => login.log_out(),
            3..5 => login.kill9(),
            5 => {
                login.leave();
                login.kill9();
            }
            _ => held.logins.push(login),
        }
    }
    held.su.iter().for_each(|su| wait_in(machine, su));
    held
}

/// Nobody who is there has lost anything; and nobody is there who is not.
fn check_held(machine: &Machine, held: Held<'_>, watch: &mut Watch) {
    let Held { mut logins, su } = held;
    let mut sessions_held = BTreeSet::new();
    let mut alone = 0;
    for login in &mut logins {
        let entered = login.entered();
        if let Some(session) = entered.session {
            check_open(machine, login);
            let directory = entered.runtime_dir.expect("a runtime directory");
            assert_eq!(stacked(machine, &directory), 1);
            assert!(sessions_held.insert(session), "one session for two logins");
        } else {
            alone += 1;
        }
    }
    println!("{} are held, {alone} of them without a session, and {} by su", logins.len(), su.len());
    let vanished: Vec<_> = sessions_held.intersection(watch.removed()).collect();
    assert!(vanished.is_empty(), "files of sessions that are open were gone: {vanished:?}");
    for (name, uid) in USERS {
        if let Some(on_file) = manager::ready(machine, uid) {
            assert_eq!(manager::running(machine, uid), [on_file], "{name}'s managers");
        }
    }
    // Of those who went, only those are known who have left a process.
    machine.wait_for("the sessions of those who went to be gone", || {
        logins_on_file(machine).all(|(session, leader)| {
            sessions_held.contains(&session) || leader.is_some_and(|leader| is_there(machine, leader)) || {
                state_of(machine, &session).as_deref() == Some("closing")
                    && machine.cgroup_procs(&scope_of(machine, &session)).is_some_and(|pids| !pids.is_empty())
            }
        })
    });
    logins.into_iter().for_each(PamLogin::log_out);
    su.into_iter().for_each(|su| log_out(machine, su));
}

fn logins_on_file(machine: &Machine) -> impl Iterator<Item = (String, Option<i32>)> {
    logins(machine).into_iter().map(|session| {
        let leader = key(machine, &session_file(&session), "LEADER").and_then(|pid| pid.parse().ok());
        (session, leader)
    })
}

fn scope_of(machine: &Machine, session: &str) -> String {
    let uid = key(machine, &session_file(session), "UID").unwrap_or_default();
    format!("/user.slice/user-{uid}.slice/session-{session}.scope")
}

fn is_there(machine: &Machine, pid: i32) -> bool {
    machine.exists(format!("/proc/{pid}"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

/// Chance that can be had again: SplitMix64.
struct Choice(u64);

impl Choice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Also when a test fails.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
