//! The points of a program that heeds them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Signal, getpid, kill_process};

use super::{AROUND_EFFECTS, INSIDE_EDGES};

/// The argument that lists the points, one a line.
pub(crate) const LIST_ARGUMENT: &str = "--list-crash-points";

/// What the environment says, and how often the point in question was passed.
struct Orders {
    from_start: Option<Target>,
    control: Option<PathBuf>,
    passed: Mutex<Passed>,
}

#[derive(Default)]
struct Passed {
    since_start: u64,
    since_control: u64,
}

/// A point, and which of its passages is the last.
struct Target {
    name: String,
    passage: u64,
}

impl Target {
    /// `NAME` or `NAME:N`; nothing else is a point.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, passage) = match text.split_once(':') {
            Some((name, number)) => (name, number.parse().ok()?),
            None => (text, 1),
        };
        Some(Self { name: name.to_owned(), passage })
    }
}

/// Names every point.
pub(crate) fn list() -> ExitCode {
    for name in AROUND_EFFECTS.iter().chain(INSIDE_EDGES) {
        println!("{name}");
    }
    ExitCode::SUCCESS
}

/// Dies here, if that was ordered.
pub(crate) fn point(name: &'static str) {
    static ORDERS: OnceLock<Orders> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| Orders {
        from_start: std::env::var("USHERD_CRASH_POINT").ok().and_then(|text| Target::parse(&text)),
        control: std::env::var_os("USHERD_CRASH_CONTROL").map(PathBuf::from),
        passed: Mutex::default(),
    });
    // Held until the end, so that no two threads count or die at once.
    let mut passed = orders.passed.lock().unwrap_or_else(PoisonError::into_inner);
    let Passed { since_start, since_control } = &mut *passed;
    if is_reached(orders.from_start.as_ref(), name, since_start) {
        die();
    }
    let Some(control) = &orders.control else { return };
    let Ok(text) = fs::read_to_string(control) else {
        *since_control = 0;
        return;
    };
    let mut note = control.clone().into_os_string();
    note.push(".passed");
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(note) {
        // A test that misses a passage says so.
        let _ = writeln!(file, "{name}");
    }
    if is_reached(Target::parse(&text).as_ref(), name, since_control) {
        die();
    }
}

fn is_reached(target: Option<&Target>, name: &str, count: &mut u64) -> bool {
    let Some(target) = target.filter(|target| target.name == name) else { return false };
    *count += 1;
    *count == target.passage
}

/// No destructor runs, no buffer is flushed, no other thread gets any further; or only for as long as somebody wants.
fn die() {
    if std::env::var_os("USHERD_CRASH_STOPS").is_some() {
        let _ = kill_process(getpid(), Signal::STOP);
        return;
    }
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
