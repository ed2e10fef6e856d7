//! The directories under /run/systemd, and how files in them come and go: replaced by rename, so that no reader ever
//! sees half of one and every monitor wakes up (contract/state-files.md section 2).

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use usher_model::record::{SeatRecord, SessionRecord, UserRecord};
use usher_protocol::ids::{SeatId, SessionId, Uid};

use super::{parse, write};
use crate::crash;
use crate::sys::{Context, Result, SysError};

/// Everything that has to exist before any client looks. `machines` is machined's, but without it libsystemd's
/// monitors fail as a whole; `journal` is journald's, and a user manager that is started before journald sees what comes into
/// it only if it is there by then.
const DIRECTORIES: [&str; 7] = ["seats", "sessions", "users", "machines", "inhibit", "shutdown", "journal"];

/// Larger than any file that was written here.
const SIZE_LIMIT: u64 = 4 << 20;

/// The state files.
#[derive(Debug)]
pub struct StateFiles {
    root: PathBuf,
    /// Makes temporary names differ between runs; the counter makes them differ within one.
    seed: u64,
    counter: AtomicU64,
}

/// What was there at start.
#[derive(Debug, Default)]
pub struct Found {
    /// The sessions, in no order.
    pub sessions: Vec<SessionRecord>,
    /// The users, in no order; their `sessions` are empty.
    pub users: Vec<UserRecord>,
    /// The seats, in no order.
    pub seats: Vec<SeatRecord>,
    /// Files that are no records, and why. Nobody has touched them.
    pub unreadable: Vec<Unreadable>,
}

/// A file that is no record.
#[derive(Debug)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Default for StateFiles {
    fn default() -> Self {
        Self::in_directory("/run/systemd")
    }
}

impl StateFiles {
    /// State files somewhere else than in /run/systemd.
    pub fn in_directory(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            seed: RandomState::new().build_hasher().finish(),
            counter: AtomicU64::new(0),
        }
    }

    /// Makes the directories, and removes what a broker that was killed while writing has left in them.
    ///
    /// # Errors
    /// A directory that cannot be made or cleaned.
    pub fn prepare(&self) -> Result<()> {
        for name in DIRECTORIES {
            make_directory(&self.root.join(name))?;
        }
        for name in ["seats", "sessions", "users", "inhibit"] {
            self.remove_temporaries(&self.root.join(name))?;
        }
        Ok(())
    }

    fn remove_temporaries(&self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory).context("list", directory.display())? {
            let entry = entry.context("list", directory.display())?;
            let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
            if regular && entry.file_name().as_encoded_bytes().starts_with(b".#") {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Reads every record there is.
    ///
    /// # Errors
    /// A directory that cannot be listed. Single bad files are in [`Found::unreadable`].
    pub fn read_all(&self) -> Result<Found> {
        let mut found = Found::default();
        let bad = &mut found.unreadable;
        found.sessions =
            self.read_directory("sessions", bad, |id: &SessionId, text| parse::session(id, text))?;
        found.users = self.read_directory("users", bad, |uid: &Uid, text| parse::user(*uid, text))?;
        found.seats = self.read_directory("seats", bad, |id: &SeatId, text| parse::seat(id, text))?;
        Ok(found)
    }

    fn read_directory<N: FromStr<Err: std::fmt::Display>, R>(
        &self,
        directory: &str,
        unreadable: &mut Vec<Unreadable>,
        parse: impl Fn(&N, &str) -> Result<R, parse::ParseError>,
    ) -> Result<Vec<R>> {
        let directory = self.root.join(directory);
        let mut records = Vec::new();
        for entry in fs::read_dir(&directory).context("list", directory.display())? {
            let entry = entry.context("list", directory.display())?;
            // logind's FIFOs, and temporary files.
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if hidden || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            let name = entry.file_name();
            let record = match name.to_string_lossy().parse::<N>() {
                Ok(name) => match read_text(&entry.path()) {
                    Ok(text) => parse(&name, &text).map_err(|error| error.to_string()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => Err(error.to_string()),
                },
                Err(error) => Err(error.to_string()),
            };
            match record {
                Ok(record) => records.push(record),
                Err(reason) => unreadable.push(Unreadable { path: entry.path(), reason }),
            }
        }
        Ok(records)
    }

    /// Replaces `sessions/ID`.
    ///
    /// # Errors
    /// No room, or whatever else; the file is the old one then.
    pub fn write_session(&self, record: &SessionRecord) -> Result<()> {
        self.replace("sessions", record.id.as_str(), &write::session(record))
    }

    /// Replaces `users/UID`.
    ///
    /// # Errors
    /// As for [`Self::write_session`].
    pub fn write_user(&self, record: &UserRecord) -> Result<()> {
        self.replace("users", &record.uid.to_string(), &write::user(record))
    }

    /// Replaces `seats/SEAT`.
    ///
    /// # Errors
    /// As for [`Self::write_session`].
    pub fn write_seat(&self, record: &SeatRecord) -> Result<()> {
        self.replace("seats", record.id.as_str(), &write::seat(record))
    }

    /// Removes `sessions/ID`; not to find it is fine.
    ///
    /// # Errors
    /// Whatever keeps it from being removed.
    pub fn remove_session(&self, id: &SessionId) -> Result<()> {
        remove(&self.path("sessions", id.as_str()))
    }

    /// Removes `users/UID`; not to find it is fine.
    ///
    /// # Errors
    /// Whatever keeps it from being removed.
    pub fn remove_user(&self, uid: Uid) -> Result<()> {
        remove(&self.path("users", &uid.to_string()))
    }

    /// Removes `seats/SEAT`; not to find it is fine.
    ///
    /// # Errors
    /// Whatever keeps it from being removed.
    pub fn remove_seat(&self, id: &SeatId) -> Result<()> {
        remove(&self.path("seats", id.as_str()))
    }

    fn path(&self, directory: &str, name: &str) -> PathBuf {
        self.root.join(directory).join(name)
    }

    fn replace(&self, directory: &str, name: &str, text: &str) -> Result<()> {
        let target = self.path(directory, name);
        let tag = self.seed.wrapping_add(self.counter.fetch_add(1, Ordering::Relaxed));
        let temporary = self.path(directory, &format!(".#{name}{tag:016x}"));
        let outcome = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, &target));
        let outcome = match outcome {
            // Somebody has removed the directory below us: libsystemd needs it as much as we do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(&self.root.join(directory))?;
                write_new(&temporary, text).and_then(|()| fs::rename(&temporary, &target))
            }
            outcome => outcome,
        };
        if outcome.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        outcome.context("write", target.display())
    }
}

fn make_directory(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.context("create directory", path.display())?;
    let status = fs::symlink_metadata(path).context("examine", path.display())?;
    if status.is_dir() {
        Ok(())
    } else {
        Err(SysError::other("use", path.display(), "it is not a directory"))
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // For readers of all users: usherd has a umask (022) that takes nothing away from this mode.
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())?;
    crash::point(crash::STATE_FILE_WRITTEN);
    Ok(())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SIZE_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", path.display()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn seat(id: &str) -> SeatRecord {
        SeatRecord {
            id: id.parse().unwrap(),
            can_tty: true,
            can_graphical: false,
            active: None,
            sessions: Vec::new(),
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_come_are_replaced_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::in_directory(directory.path());
        files.prepare().unwrap();
        for name in DIRECTORIES {
            assert!(directory.path().join(name).is_dir(), "{name}");
        }
        let record = seat("seat0");
        files.write_seat(&record).unwrap();
        files.write_seat(&record).unwrap();
        let seats = directory.path().join("seats");
        assert_eq!(names(&seats), ["seat0"]);
        assert_eq!(fs::metadata(seats.join("seat0")).unwrap().permissions().mode() & 0o7777, 0o644);
        let found = files.read_all().unwrap();
        assert_eq!(found.seats, [record]);
        assert!(found.unreadable.is_empty());
        files.remove_seat(&SeatId::seat0()).unwrap();
        files.remove_seat(&SeatId::seat0()).unwrap();
        assert_eq!(names(&seats), [""; 0]);
    }

    #[test]
    fn leftovers_go_and_strangers_are_reported() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::in_directory(directory.path());
        files.prepare().unwrap();
        let sessions = directory.path().join("sessions");
        fs::write(sessions.join(".#7deadbeef"), "half").unwrap();
        fs::write(sessions.join("7"), "# nothing\n").unwrap();
        fs::write(sessions.join("not-an-id"), "UID=0\n").unwrap();
        fs::create_dir(sessions.join("8")).unwrap();
        files.prepare().unwrap();
        assert_eq!(names(&sessions), ["7", "8", "not-an-id"]);
        let found = files.read_all().unwrap();
        let mut reasons: Vec<_> = found.unreadable.iter().map(|bad| bad.reason.clone()).collect();
        reasons.sort();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.contains("UID= is missing")), "{reasons:?}");
    }

    #[test]
    fn a_lost_directory_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::in_directory(directory.path());
        files.write_seat(&seat("seat0")).unwrap();
        assert_eq!(names(&directory.path().join("seats")), ["seat0"]);
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::in_directory(directory.path());
        files.prepare().unwrap();
        fs::create_dir(directory.path().join("seats/seat0")).unwrap();
        let error = files.write_seat(&seat("seat0")).unwrap_err().to_string();
        assert!(error.contains("seats/seat0"), "{error}");
        assert_eq!(names(&directory.path().join("seats")), ["seat0"]);
    }
}
