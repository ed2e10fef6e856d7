//! Processes are moved to another cgroup without the kernel's wait.
//!
//! Before it moves a process the kernel waits for an RCU grace period: 5 to 20 ms, unless another one was moved just before.
//! While `/sys/kernel/rcu_expedited` says 1, it brings the period about by a short interrupt on each processor that is not
//! idle, which takes a fraction of a millisecond; it does the same by itself at every unmount. Where such interrupts are
//! not wanted (`rcu_normal`, as with PREEMPT_RT) the file changes nothing.
//!
//! The file is the whole machine's. It says 1 only while a process is moved, and never says 0 where somebody else has
//! written 1. A mark in /run/usher says the same for as long, and tells the next usherd, should this one die meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{debug, warn};

const SWITCH: &str = "/sys/kernel/rcu_expedited";
const MARK: &str = "/run/usher/rcu-expedited";
/// Beside the switch: says 1 where that is not heeded.
const UNHEEDED: &str = "rcu_normal";

/// What both files say.
const ON: &[u8] = b"1\n";
const OFF: &[u8] = b"0\n";

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
    /// What it said when the first of them began, and was made to say.
    now: Now,
    /// Open as soon as they were needed: after a rest, a login waits for every file that is opened.
    files: Option<Files>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// The kernel takes its time.
    Off,
    /// It hurries because of us.
    Ours,
    /// It hurries because somebody else wants it to.
    Others,
}

#[derive(Debug)]
struct Files {
    switch: File,
    mark: File,
    unheeded: Option<File>,
}

/// A move that is under way.
#[derive(Debug)]
pub struct Move {
    of: Arc<Inner>,
    hurries: bool,
}

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
        let state = State { wanted, moves: 0, now: Now::Off, files: None };
        Self(Arc::new(Inner { switch, mark, state: Mutex::new(state) }))
    }

    /// Whether moves are to be expedited from now on.
    pub fn set(&self, wanted: bool) {
        self.0.open().wanted = wanted;
    }

    /// Until the result is dropped, the kernel does not keep a move waiting, if it can be told so.
    pub fn begin(&self) -> Move {
        let mut state = self.0.open();
        if state.moves == 0 && state.wanted {
            state.now = self.0.turn_on(&mut state.files).unwrap_or_else(|error| {
                // As in most containers.
                debug!(%error, "cannot write {}: the kernel takes its time", self.0.switch.display());
                Now::Off
            });
        }
        state.moves += 1;
        Move { of: self.0.clone(), hurries: state.now != Now::Off }
    }
}

impl Move {
    /// Whether the kernel hurries.
    pub fn hurries(&self) -> bool {
        self.hurries
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn_on(&self, files: &mut Option<Files>) -> io::Result<Now> {
        let Files { switch, mark, unheeded } = match files {
            Some(files) => files,
            None => files.insert(Files::open(&self.switch, &self.mark)?),
        };
        if unheeded.as_ref().is_some_and(|file| !is_off(file).unwrap_or(true)) {
            return Ok(Now::Off);
        }
        if !is_off(switch)? {
            return Ok(Now::Others);
        }
        mark.write_all_at(ON, 0)?;
        match switch.write_all_at(ON, 0) {
            Ok(()) => Ok(Now::Ours),
            Err(error) => {
                mark.write_all_at(OFF, 0)?;
                Err(error)
            }
        }
    }
}

impl Files {
    fn open(switch: &Path, mark: &Path) -> io::Result<Self> {
        let unheeded = File::open(switch.with_file_name(UNHEEDED)).ok();
        // Most who may not write are told so here, before there is a mark.
        let switch = OpenOptions::new().read(true).write(true).open(switch)?;
        let mark = OpenOptions::new().write(true).create(true).truncate(true).open(mark)?;
        Ok(Self { switch, mark, unheeded })
    }

    fn turn_off(&self) -> io::Result<()> {
        self.switch.write_all_at(OFF, 0)?;
        self.mark.write_all_at(OFF, 0)
    }
}

fn is_off(switch: &File) -> io::Result<bool> {
    let mut text = [0; 8];
    let length = switch.read_at(&mut text, 0)?;
    Ok(text.get(..length).unwrap_or_default().trim_ascii() == b"0")
}

/// One that was killed has left a mark that does not say that it is off.
fn cleared(switch: &Path, mark: &Path) {
    let clear = || {
        match fs::read(mark) {
            Ok(text) if text == OFF => {}
            Ok(_) => OpenOptions::new().write(true).open(switch)?.write_all_at(OFF, 0)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        fs::remove_file(mark)
    };
    clear().unwrap_or_else(|error| complain(&error, switch));
}

fn complain(error: &io::Error, switch: &Path) {
    warn!(%error, "cannot set {} back to 0", switch.display());
}

impl Drop for Move {
    fn drop(&mut self) {
        let mut state = self.of.open();
        state.moves -= 1;
        if state.moves > 0 {
            return;
        }
        let ours = std::mem::replace(&mut state.now, Now::Off) == Now::Ours;
        if let Some(files) = state.files.as_ref().filter(|_| ours) {
            files.turn_off().unwrap_or_else(|error| complain(&error, &self.of.switch));
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

        /// What the switch says, and whether the mark says that it is on.
        fn now(&self) -> (String, bool) {
            let marked = fs::read(self.mark()).is_ok_and(|text| text == ON);
            (fs::read_to_string(self.switch()).unwrap().trim().to_owned(), marked)
        }
    }

    #[test]
    fn it_is_on_while_anything_is_moved() {
        let place = Place::new("0\n");
        let expediter = place.expediter(true);
        let (one, other) = (expediter.begin(), expediter.begin());
        assert!(one.hurries() && other.hurries());
        assert_eq!(place.now(), ("1".to_owned(), true));
        drop(one);
        assert_eq!(place.now(), ("1".to_owned(), true));
        // A change of mind is no reason to leave it on.
        expediter.set(false);
        drop(other);
        assert_eq!(place.now(), ("0".to_owned(), false));
        drop(expediter.begin());
        let under_way = expediter.begin();
        assert!(!under_way.hurries());
        assert_eq!(place.now(), ("0".to_owned(), false));
    }

    #[test]
    fn what_somebody_else_has_turned_on_stays_on() {
        let place = Place::new("1\n");
        let expediter = place.expediter(true);
        assert!(expediter.begin().hurries());
        assert_eq!(place.now(), ("1".to_owned(), false));
    }

    #[test]
    fn the_next_one_puts_right_what_a_dead_one_has_left() {
        let place = Place::new("0\n");
        std::mem::forget(place.expediter(true).begin());
        assert_eq!(place.now(), ("1".to_owned(), true));
        place.expediter(false);
        assert_eq!(place.now(), ("0".to_owned(), false));
        assert!(!place.mark().exists());
        // An empty one says that it is on, too.
        fs::write(place.mark(), "").unwrap();
        fs::write(place.switch(), "1\n").unwrap();
        let expediter = place.expediter(true);
        assert_eq!(place.now(), ("0".to_owned(), false));
        // One that died later leaves a mark that says that it is off, and what others have turned on since stays.
        drop(expediter.begin());
        fs::write(place.switch(), "1\n").unwrap();
        place.expediter(false);
        assert_eq!(place.now(), ("1".to_owned(), false));
    }

    #[test]
    fn where_it_is_not_heeded_it_stays_off() {
        let place = Place::new("0\n");
        let unheeded = place.0.path().join(UNHEEDED);
        for (says, hurries) in [("0\n", true), ("1\n", false), ("0\n", true)] {
            fs::write(&unheeded, says).unwrap();
            let expediter = place.expediter(true);
            assert_eq!(expediter.begin().hurries(), hurries);
            assert_eq!(place.now(), ("0".to_owned(), false));
        }
    }

    #[test]
    fn without_it_nothing_is_left_behind() {
        let place = Place::new("0\n");
        fs::remove_file(place.switch()).unwrap();
        let expediter = place.expediter(true);
        let under_way = expediter.begin();
        assert!(!under_way.hurries() && !place.mark().exists() && !place.switch().exists());
        drop(under_way);
        assert!(!place.switch().exists());
    }
}
