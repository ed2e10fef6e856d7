//! The linger flags, in the directory that logind, podman and administrators know: an empty file for each user
//! (contract/state-files.md section 5). A change is acknowledged when it would survive a power failure.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags};
use rustix::io::Errno;
use usher_protocol::ids::UserName;

use super::{Context, Result, SysError};
use crate::crash;
use crate::state::{escape, unescape};

/// The directory of flags.
#[derive(Debug, Clone)]
pub struct LingerFlags {
    directory: PathBuf,
}

/// What is in the directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The users with a flag, sorted.
    pub users: Vec<UserName>,
    /// Entries that are no flags, escaped for a log line, and why.
    pub strangers: Vec<(String, &'static str)>,
}

impl Default for LingerFlags {
    fn default() -> Self {
        Self { directory: "/var/lib/systemd/linger".into() }
    }
}

impl LingerFlags {
    /// Flags somewhere else than in /var/lib/systemd/linger.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The users with a flag. No directory, no flags. What is no flag is neither looked up nor followed nor removed.
    ///
    /// # Errors
    /// The directory cannot be listed, or is a symbolic link.
    pub fn list(&self) -> Result<Listed> {
        let directory = match self.open() {
            Err(error) if error.is_gone() => return Ok(Listed::default()),
            opened => opened?,
        };
        let mut listed = Listed::default();
        let shown = self.directory.display();
        for entry in Dir::read_from(&directory).context("list", &shown)? {
            let entry = entry.context("list", &shown)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let text = name.to_str().ok();
            let user = match text {
                _ if !is_file(&directory, &entry) => Err("not a regular file"),
                Some(text) => user_of(text),
                None => Err("not an escaped user name"),
            };
            match user {
                Ok(user) => listed.users.push(user),
                Err(reason) => listed.strangers.push((escape(&name.to_string_lossy()), reason)),
            }
        }
        listed.users.sort();
        listed.strangers.sort();
        Ok(listed)
    }

    /// Sets a user's flag, on disk. To set it twice is fine.
    ///
    /// # Errors
    /// It is as it was before, as far as that can be had.
    pub fn set(&self, user: &UserName) -> Result<()> {
        let directory = self.open_or_make()?;
        let name = escape(user.as_str());
        let is_new = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW).is_err();
        let result = self.write(&directory, &name);
        if result.is_err() && is_new {
            // Nobody shall linger after the next boot who was told that it did not work.
            let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::empty());
        }
        crash::point(crash::LINGER_FLAG_SYNCED);
        result
    }

    /// Clears a user's flag, on disk. To clear it twice is fine.
    ///
    /// # Errors
    /// It is as it was before, as far as that can be had.
    pub fn clear(&self, user: &UserName) -> Result<()> {
        let directory = match self.open() {
            Err(error) if error.is_gone() => return Ok(()),
            opened => opened?,
        };
        let name = escape(user.as_str());
        match rustix::fs::unlinkat(&directory, &name, AtFlags::empty()) {
            // Somebody else may have removed it a moment ago: that is to be on the disk, too.
            Err(Errno::NOENT) => return self.sync_directory(&directory),
            outcome => outcome.context("remove linger flag", self.directory.join(&name).display())?,
        }
        crash::point(crash::LINGER_FLAG_UNLINKED);
        let result = self.sync_directory(&directory);
        if result.is_err() {
            let _ = self.write(&directory, &name);
        }
        crash::point(crash::LINGER_FLAG_GONE);
        result
    }

    fn write(&self, directory: &OwnedFd, name: &str) -> Result<()> {
        let path = self.directory.join(name);
        // NONBLOCK: should somebody have put a FIFO there, it must not hold us up.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let flag = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o644));
        let stranger =
            || SysError::other("create linger flag", path.display(), "something else is there: remove it");
        let flag = match flag {
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(stranger()),
            flag => File::from(flag.context("create linger flag", path.display())?),
        };
        if !flag.metadata().context("look at", path.display())?.is_file() {
            return Err(stranger());
        }
        crash::point(crash::LINGER_FLAG_MADE);
        // Other programs read the flags as ordinary users.
        rustix::fs::fchmod(&flag, Mode::from_raw_mode(0o644)).context("chmod", path.display())?;
        flag.sync_all().context("sync", path.display())?;
        self.sync_directory(directory)
    }

    fn sync_directory(&self, directory: &OwnedFd) -> Result<()> {
        let directory = directory.try_clone().context("sync", self.directory.display())?;
        File::from(directory).sync_all().context("sync", self.directory.display())
    }

    fn open(&self) -> Result<OwnedFd> {
        let shown = self.directory.display();
        match open_directory(&self.directory) {
            // As root one does not write where somebody else's link leads.
            Err(Errno::NOTDIR | Errno::LOOP) => Err(SysError::other(
                "open",
                shown,
                "a symbolic link or a file is in the place of the directory",
            )),
            opened => opened.context("open", shown),
        }
    }

    /// Opens the directory; makes it, durably, if it is not there.
    fn open_or_make(&self) -> Result<OwnedFd> {
        match self.open() {
            Err(error) if error.is_gone() => {}
            opened => return opened,
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.directory);
        made.context("create directory", self.directory.display())?;
        for parent in self.directory.ancestors().skip(1).filter(|path| path.is_absolute()) {
            // Best effort for what we need not have made: it may be on a read-only file system.
            let _ = open_directory(parent).map(|parent| File::from(parent).sync_all());
        }
        self.open()
    }
}

fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
}

/// Whether an entry is a regular file itself. Some file systems leave that to be asked for.
fn is_file(directory: &OwnedFd, entry: &DirEntry) -> bool {
    match entry.file_type() {
        FileType::Unknown => rustix::fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file()),
        kind => kind.is_file(),
    }
}

/// The user whose flag has this name. Only the one spelling that setting and clearing use counts.
pub(crate) fn user_of(name: &str) -> std::result::Result<UserName, &'static str> {
    let user = unescape(name).ok_or("not an escaped user name")?;
    if escape(&user) != name {
        return Err("not the usual spelling of that user name");
    }
    user.parse().map_err(|_| "not a user name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn user(name: &str) -> UserName {
        name.parse().unwrap()
    }

    #[test]
    fn flags_are_set_listed_and_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let flags = LingerFlags::in_directory(directory.path().join("systemd/linger"));
        assert_eq!(flags.list().unwrap(), Listed::default());
        let names = ["we.ird-u", "bj\u{f6}rn", "DOMAIN\\alice"];
        for name in names {
            flags.set(&user(name)).unwrap();
            flags.set(&user(name)).unwrap();
        }
        let mut expected = names.map(user).to_vec();
        expected.sort();
        assert_eq!(flags.list().unwrap(), Listed { users: expected, strangers: vec![] });
        let file = directory.path().join("systemd/linger/bj\\303\\266rn");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o644);
        for name in names {
            flags.clear(&user(name)).unwrap();
            flags.clear(&user(name)).unwrap();
        }
        assert_eq!(flags.list().unwrap(), Listed::default());
    }

    #[test]
    fn what_is_no_flag_is_reported_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        let inside = directory.path().join("linger");
        let flags = LingerFlags::in_directory(&inside);
        fs::create_dir(&inside).unwrap();
        symlink(&outside, inside.join("mallory")).unwrap();
        fs::create_dir(inside.join("directory")).unwrap();
        for name in ["1000", "a\\x62", "\\q", "a\nb", "0x10"] {
            fs::write(inside.join(name), "").unwrap();
        }
        let listed = flags.list().unwrap();
        assert_eq!(listed.users, []);
        assert_eq!(listed.strangers.len(), 7, "{listed:?}");
        assert!(flags.set(&user("mallory")).is_err());
        assert!(flags.set(&user("directory")).is_err());
        assert!(!outside.exists() && inside.join("mallory").is_symlink(), "and nothing is removed");
        flags.clear(&user("mallory")).unwrap();
    }

    #[test]
    fn a_directory_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        let link = directory.path().join("linger");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("alice"), "").unwrap();
        symlink(&real, &link).unwrap();
        let flags = LingerFlags::in_directory(&link);
        for result in [flags.list().map(drop), flags.set(&user("bob")), flags.clear(&user("alice"))] {
            assert!(result.unwrap_err().to_string().contains("a symbolic link or a file"));
        }
        assert_eq!(fs::read_dir(&real).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_there_is_cleared_already() {
        let directory = tempfile::tempdir().unwrap();
        let flags = LingerFlags::in_directory(directory.path().join("none"));
        flags.clear(&user("alice")).unwrap();
        assert!(!directory.path().join("none").exists());
    }
}
