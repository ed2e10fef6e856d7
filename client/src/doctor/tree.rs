//! The machine's files, from a root directory on, so that a test can have others. To look at something asks no file system
//! that a user may have mounted for newer attributes, and to read waits for no writer.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, OFlags, StatxFlags, statx};
use rustix::io::Errno;

/// More than any configuration file.
const SIZE_LIMIT: u64 = 1 << 20;
/// More than any directory of configuration files has.
const ENTRIES_LIMIT: usize = 10_000;

/// A file system tree.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What kind of thing.
    pub kind: FileType,
    /// Its owner.
    pub uid: u32,
    /// Its permissions.
    pub mode: u32,
}

impl Tree {
    /// The tree below a directory; `/` is the machine.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an absolute path is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What is at a path; a link is a link.
    ///
    /// # Errors
    /// There is nothing, or it does not let itself be looked at.
    pub fn look(&self, path: impl AsRef<Path>) -> io::Result<Seen> {
        self.statx(path.as_ref(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// What is at the end of links.
    ///
    /// # Errors
    /// There is nothing, or it does not let itself be looked at.
    pub fn look_through(&self, path: impl AsRef<Path>) -> io::Result<Seen> {
        self.statx(path.as_ref(), AtFlags::empty())
    }

    /// Whether there is something, at the end of links.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.statx(path.as_ref(), AtFlags::empty()).is_ok()
    }

    /// Whether there is something; a link counts, wherever it leads.
    pub fn has_entry(&self, path: impl AsRef<Path>) -> bool {
        self.look(path).is_ok()
    }

    fn statx(&self, path: &Path, flags: AtFlags) -> io::Result<Seen> {
        let path = self.path(path);
        let flags = flags | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        match statx(CWD, &path, flags, StatxFlags::TYPE | StatxFlags::UID | StatxFlags::MODE) {
            Ok(status) => Ok(Seen {
                kind: FileType::from_raw_mode(status.stx_mode.into()),
                uid: status.stx_uid,
                mode: u32::from(status.stx_mode) & 0o7777,
            }),
            // Before Linux 4.11.
            Err(Errno::NOSYS) => fs::symlink_metadata(&path).map(|status| Seen {
                kind: FileType::from_raw_mode(status.mode()),
                uid: status.uid(),
                mode: status.mode() & 0o7777,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A regular file's text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is no regular file of a sensible size.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let bytes = self.head(path, SIZE_LIMIT + 1)?;
        if bytes.len() as u64 > SIZE_LIMIT {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first bytes of a regular file.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is no regular file.
    pub fn head(&self, path: impl AsRef<Path>, length: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.path(path))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The names in a directory, sorted; those that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// It is not there, or cannot be listed.
    pub fn list(&self, directory: impl AsRef<Path>) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path(directory))?.take(ENTRIES_LIMIT);
        let text = |name: OsString| String::from_utf8_lossy(&name.into_vec()).into_owned();
        let mut names = entries
            .map(|entry| entry.map(|entry| text(entry.file_name())))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// Where a symbolic link leads, as it is written.
    pub fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        fs::read_link(self.path(path)).ok()
    }
}
