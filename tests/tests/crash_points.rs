//! usherd is killed at every point at which its doing has steps, in scenes that together pass all of them, and the usual
//! one is started again. Nobody who is logged in notices; who logs in meanwhile gets a session; nothing is left in the end.
//!
//! Each point at its first passage in each scene, those where the world is as at the point before it in one scene only;
//! `USHER_CRASH_WALK=all` walks every passage. With
//! `USHER_CRASH_ONLY=TEXT`, only those whose point or scene has that in its name.

mod crash_common;
mod faults_common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crash_common::cast::{self, Bystander, Cast};
use crash_common::scenes::{Kind, SCENES, Scene};
use crash_common::{arm, disarm, points, start_doomed, with_successor};
use usher_tests::{Machine, Usherd};

/// So many machines at a time: much of a scene is waiting.
const LANES: usize = 4;

/// A crash: in this scene, at that passage of that point.
struct Crash {
    scene: &'static Scene,
    point: String,
    passage: u64,
}

#[test]
fn nobody_notices_wherever_it_dies() {
    let listed = points(&cast::machine());
    let passages = Mutex::new(Vec::new());
    in_lanes(SCENES.iter().collect(), |lane, scene: &&'static Scene| {
        let (passed, _) = lane.play(scene, "");
        let mut count = BTreeMap::<String, u64>::new();
        passed.into_iter().for_each(|point| *count.entry(point).or_default() += 1);
        passages.lock().unwrap_or_else(PoisonError::into_inner).push((*scene, count));
    });
    let passages = passages.into_inner().unwrap_or_else(PoisonError::into_inner);
    let passed: BTreeSet<_> = passages.iter().flat_map(|(_, passed)| passed.keys().cloned()).collect();
    let missed: Vec<_> = listed.iter().filter(|point| !passed.contains(*point)).collect();
    assert!(missed.is_empty(), "no scene passes these points: {missed:?}");

    let crashes = crashes(passages);
    let (count, start) = (crashes.len(), Instant::now());
    let (reached, lived) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    in_lanes(crashes, |lane, Crash { scene, point, passage }| {
        let (_, died) = lane.play(scene, &format!("{point}:{passage}"));
        if died {
            reached.lock().unwrap_or_else(PoisonError::into_inner).insert(point.clone());
        } else if *passage == 1 && !matches!(scene.kind, Kind::Racing) {
            // How often a point is passed depends on what comes first, so for later passages this may be.
            let line = format!("{point} in the scene '{}'", scene.name);
            lived.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    let lived = lived.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(lived.is_empty(), "usherd was to die and lived: {lived:#?}");
    let reached = reached.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("died {count} times at {} points in {:?}", reached.len(), start.elapsed());
    let missed: Vec<_> =
        listed.iter().filter(|point| is_wanted(point) && !reached.contains(*point)).collect();
    assert!(std::env::var_os("USHER_CRASH_ONLY").is_some() || missed.is_empty(), "never died at {missed:?}");
}

/// Where to die, scene by scene.
fn crashes(mut passages: Vec<(&'static Scene, BTreeMap<String, u64>)>) -> Vec<Crash> {
    let every_passage = std::env::var("USHER_CRASH_WALK").is_ok_and(|walk| walk == "all");
    let long = |scene: &Scene| matches!(scene.kind, Kind::Slow | Kind::Booting(_) | Kind::Plain);
    passages.sort_by_key(|(scene, _)| long(scene));
    let mut seen = BTreeSet::new();
    let mut crashes = Vec::new();
    for (scene, passed) in passages {
        for (point, count) in passed {
            let new = seen.insert(point.clone());
            let off_track = matches!(scene.kind, Kind::Racing) && !is_about_going(&point);
            let once = long(scene) || off_track || changes_nothing(&point);
            if !is_wanted(&point) && !is_wanted(scene.name) || once && !new && !every_passage {
                continue;
            }
            for passage in 1..=if every_passage { count } else { 1 } {
                crashes.push(Crash { scene, point: point.clone(), passage });
            }
        }
    }
    crashes
}

/// Whether it is passed while a user goes.
fn is_about_going(point: &str) -> bool {
    let words =
        ["teardown", "torn-down", "unmounted", "manager-", "TearDown", "Stop", "Remove", "Create", "Start"];
    words.iter().any(|word| point.contains(word))
}

/// Whether the world is as it was at the point before: what follows an effect is the next one; words are no deeds.
fn changes_nothing(point: &str) -> bool {
    let words = ["-Announce", "-Reply", "answer-not-sent", "answer-sent", "request-read-not-handed-on"];
    point.starts_with("after-") || words.iter().any(|word| point.ends_with(word))
}

fn is_wanted(name: &str) -> bool {
    std::env::var("USHER_CRASH_ONLY").is_ok_and(|only| name.contains(&only))
        || std::env::var_os("USHER_CRASH_ONLY").is_none()
}

/// A machine where bob is logged in while usherd dies again and again.
struct Lane<'m> {
    machine: &'m Machine,
    usual: Option<Usherd<'m>>,
    bob: Option<Bystander<'m>>,
}

/// Does each of them in one of several machines.
fn in_lanes<T: Send>(work: Vec<T>, act: impl Fn(&mut Lane<'_>, &T) + Sync) {
    let work = Mutex::new(VecDeque::from(work));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let machine = cast::machine_with_terminals();
                let usual = machine.start_usherd();
                let bob = Bystander::new(&machine);
                let mut lane = Lane { machine: &machine, usual: Some(usual), bob: Some(bob) };
                loop {
                    let next = work.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    match next {
                        Some(item) => act(&mut lane, &item),
                        None => break,
                    }
                }
                Cast::new(lane.machine, lane.bob.take()).bob_goes();
            });
        }
    });
}

impl<'m> Lane<'m> {
    /// Plays a scene with these orders; the points that were passed, and whether usherd has died.
    fn play(&mut self, scene: &Scene, order: &str) -> (Vec<String>, bool) {
        let _told = TellIfItFails(format!("in the scene '{}', usherd dying at '{order}'", scene.name));
        if let Kind::Booting(_) | Kind::Plain = scene.kind {
            let machine = match scene.kind {
                Kind::Plain => cast::machine_without_mounting(),
                _ => cast::machine(),
            };
            let mut cast = Cast::new(&machine, None);
            if let Kind::Booting(down) = scene.kind {
                down(&mut cast);
            }
            let (passed, died, _usual) = die(&mut cast, scene, order);
            return (passed, died);
        }
        let mut cast = Cast::new(self.machine, self.bob.take());
        if let Some(mut usual) = self.usual.take() {
            if let Kind::Starting(down) = scene.kind {
                (scene.before)(&mut cast);
                usual.kill9();
                down(&mut cast);
            }
            usual.kill9();
        }
        let (passed, died, usual) = die(&mut cast, scene, order);
        self.usual = Some(usual);
        self.bob = cast.bob.take();
        (passed, died)
    }
}

/// usherd is started and dies, another one takes over, and all is well.
fn die<'m>(cast: &mut Cast<'m>, scene: &Scene, order: &str) -> (Vec<String>, bool, Usherd<'m>) {
    let machine = cast.machine;
    let running = !matches!(scene.kind, Kind::Starting(_) | Kind::Booting(_));
    if !running {
        arm(machine, order);
    }
    let doomed = start_doomed(machine);
    if running {
        (scene.before)(cast);
        arm(machine, order);
    }
    let (usual, died) = with_successor(machine, doomed, || (scene.act)(cast), || (scene.meanwhile)(machine));
    let passed = disarm(machine);
    cast.check();
    cast.all_but_bob_go();
    (passed, died, usual)
}

struct TellIfItFails(String);

impl Drop for TellIfItFails {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this was {}", self.0);
        }
    }
}
