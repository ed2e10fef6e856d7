//! Processes are moved to another cgroup without the kernel's wait.
//!
//! Before it moves a process the kernel waits for an RCU grace period: 5 to 20 ms, unless another one was moved just before.
//! While `/sys/kernel/rcu_expedited` says 1, it brings the period about by a short interrupt on each processor that is not
//! idle, which takes a fraction of a millisecond; it does the same by itself at every unmount. Where such interrupts are
//! not wanted (`rcu_normal`, as with PREEMPT_RT) the file changes nothing.
//!
//! The file is the whole machine's. It says 1 only while a process is moved, and never says 0 where somebody else has
//! written 1. A mark beside it tells the next usherd, should this one die meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{debug, warn};

const SWITCH: &str = "/sys/kernel/rcu_expedited";
const MARK: &str = "/run/usher/rcu-expedited";

/// The switch, and who needs it on.
#[derive(Debug, Clone)]
pub struct Expediter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    switch: PathBuf,
    mark: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wanted: bool,
    /// How many moves are under way.
    moves: usize,
    /// Whether it says 1 because of them.
    ours: bool,
}

/// A move that is under way.
#[derive(Debug)]
pub struct Move(Arc<Inner>);

/// Puts right what an usherd has left that ended in the middle of a move.
pub fn clear() {
    cleared(SWITCH.as_ref(), MARK.as_ref());
}

impl Expediter {
    /// Puts right what an usherd has left that ended in the middle of a move.
    pub fn new(wanted: bool) -> Self {
        Self::at(SWITCH.into(), MARK.into(), wanted)
    }

    fn at(switch: PathBuf, mark: PathBuf, wanted: bool) -> Self {
        cleared(&switch, &mark);
        let state = State { wanted, moves: 0, ours: false };
        Self(Arc::new(Inner { switch, mark, state: Mutex::new(state) }))
    }

    /// Whether moves are to be expedited from now on.
    pub fn set(&self, wanted: bool) {
        self.0.open().wanted = wanted;
    }

    /// Until the result is dropped, the kernel does not keep a move waiting.
    pub fn begin(&self) -> Move {
        let mut state = self.0.open();
        if state.moves == 0 && state.wanted {
            state.ours = self.0.turn_on().unwrap_or_else(|error| {
                // As in most containers.
                debug!(%error, "cannot write {}: the kernel takes its time", self.0.switch.display());
                false
            });
        }
        state.moves += 1;
        Move(self.0.clone())
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was off before.
    fn turn_on(&self) -> io::Result<bool> {
        if fs::read_to_string(&self.switch)?.trim() != "0" {
            return Ok(false);
        }
        // Most who may not write are told so here, before there is a mark.
        let mut switch = OpenOptions::new().write(true).open(&self.switch)?;
        fs::write(&self.mark, "")?;
        let written = switch.write_all(b"1");
        if written.is_err() {
            let _ = fs::remove_file(&self.mark);
        }
        written.map(|()| true)
    }
}

fn turn_off(switch: &Path, mark: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(switch)?.write_all(b"0")?;
    match fs::remove_file(mark) {
        // Somebody else has ended it first.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn turned_off(switch: &Path, mark: &Path) {
    if let Err(error) = turn_off(switch, mark) {
        warn!(%error, "cannot set {} back to 0", switch.display());
    }
}

fn cleared(switch: &Path, mark: &Path) {
    if mark.exists() {
        turned_off(switch, mark);
    }
}

impl Drop for Move {
    fn drop(&mut self) {
        let mut state = self.0.open();
        state.moves -= 1;
        if state.moves == 0 && std::mem::take(&mut state.ours) {
            turned_off(&self.0.switch, &self.0.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new(text: &str) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            fs::write(place.switch(), text).unwrap();
            place
        }

        fn switch(&self) -> PathBuf {
            self.0.path().join("switch")
        }

        fn mark(&self) -> PathBuf {
            self.0.path().join("mark")
        }

        fn expediter(&self, wanted: bool) -> Expediter {
            Expediter::at(self.switch(), self.mark(), wanted)
        }

        /// What the switch says, and whether there is a mark.
        fn now(&self) -> (String, bool) {
            (fs::read_to_string(self.switch()).unwrap().trim().to_owned(), self.mark().exists())
        }
    }

    #[test]
    fn it_is_on_while_anything_is_moved() {
        let place = Place::new("0\n");
        let expediter = place.expediter(true);
        let (one, other) = (expediter.begin(), expediter.begin());
        assert_eq!(place.now(), ("1".to_owned(), true));
        drop(one);
        assert_eq!(place.now(), ("1".to_owned(), true));
        // A change of mind is no reason to leave it on.
        expediter.set(false);
        drop(other);
        assert_eq!(place.now(), ("0".to_owned(), false));
        drop(expediter.begin());
        let _move = expediter.begin();
        assert_eq!(place.now(), ("0".to_owned(), false));
    }

    #[test]
    fn what_somebody_else_has_turned_on_stays_on() {
        let place = Place::new("1\n");
        let expediter = place.expediter(true);
        drop(expediter.begin());
        assert_eq!(place.now(), ("1".to_owned(), false));
    }

    #[test]
    fn the_next_one_puts_right_what_a_dead_one_has_left() {
        let place = Place::new("0\n");
        std::mem::forget(place.expediter(true).begin());
        assert_eq!(place.now(), ("1".to_owned(), true));
        place.expediter(false);
        assert_eq!(place.now(), ("0".to_owned(), false));
    }

    #[test]
    fn without_it_nothing_is_left_behind() {
        let place = Place::new("0\n");
        fs::remove_file(place.switch()).unwrap();
        let expediter = place.expediter(true);
        let under_way = expediter.begin();
        assert!(!place.mark().exists() && !place.switch().exists());
        drop(under_way);
        assert!(!place.switch().exists());
    }
}
