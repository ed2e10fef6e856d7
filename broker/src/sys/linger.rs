//! The linger flags, in the directory that logind, podman and administrators know: an empty file for each user
//! (contract/state-files.md section 5). A change is acknowledged when it would survive a power failure.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use usher_protocol::ids::UserName;

use super::{Context, Result};
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

    /// The users with a flag. No directory, no flags.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn list(&self) -> Result<Listed> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listed::default()),
            entries => entries.context("list", self.directory.display())?,
        };
        let mut listed = Listed::default();
        for entry in entries {
            let entry = entry.context("list", self.directory.display())?;
            let name = entry.file_name();
            let user = match name.to_str() {
                _ if !entry.file_type().is_ok_and(|kind| kind.is_file()) => Err("not a regular file"),
                Some(name) => user_of(name),
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
    /// It may or may not be set then.
    pub fn set(&self, user: &UserName) -> Result<()> {
        let name = escape(user.as_str());
        let path = self.directory.join(&name);
        let directory = self.open()?;
        // NONBLOCK: should somebody have put a FIFO there, it must not hold us up.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let flag = rustix::fs::openat(&directory, &name, flags, Mode::from_raw_mode(0o644));
        let flag = flag.context("create linger flag", path.display())?;
        crash::point(crash::LINGER_FLAG_MADE);
        // Other programs read the flags as ordinary users.
        rustix::fs::fchmod(&flag, Mode::from_raw_mode(0o644)).context("chmod", path.display())?;
        rustix::fs::fsync(&flag).context("sync", path.display())?;
        rustix::fs::fsync(&directory).context("sync", self.directory.display())?;
        crash::point(crash::LINGER_FLAG_SYNCED);
        Ok(())
    }

    /// Clears a user's flag, on disk. To clear it twice is fine.
    ///
    /// # Errors
    /// It may or may not be cleared then.
    pub fn clear(&self, user: &UserName) -> Result<()> {
        let name = escape(user.as_str());
        let directory = self.open()?;
        match rustix::fs::unlinkat(&directory, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            outcome => outcome.context("remove linger flag", self.directory.join(name).display())?,
        }
        crash::point(crash::LINGER_FLAG_UNLINKED);
        rustix::fs::fsync(&directory).context("sync", self.directory.display())?;
        crash::point(crash::LINGER_FLAG_GONE);
        Ok(())
    }

    /// Opens the directory; makes it, durably, if it is not there.
    fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |path| rustix::fs::openat(CWD, path, flags, Mode::empty());
        match open(self.directory.as_path()) {
            Err(Errno::NOENT) => {}
            opened => return opened.context("open", self.directory.display()),
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.directory);
        made.context("create directory", self.directory.display())?;
        for parent in self.directory.ancestors().skip(1).filter(|path| path.is_absolute()) {
            // Best effort for what we need not have made: it may be on a read-only file system.
            let _ = open(parent).and_then(rustix::fs::fsync);
        }
        open(self.directory.as_path()).context("open", self.directory.display())
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
        assert!(!outside.exists());
        flags.clear(&user("mallory")).unwrap();
    }
}
