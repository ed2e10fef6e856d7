//! Where configuration texts come from. The only part of `config` that touches the file system.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A larger file is no configuration file.
const SIZE_LIMIT: u64 = 1 << 20;

/// Somewhere to read files from.
pub trait Files {
    /// Whether there is a file of this name.
    fn exists(&self, path: &Path) -> bool;

    /// A file's text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// Whatever keeps the file from being read.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The names in a directory.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory, or whatever keeps it from being listed.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
}

/// The machine's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

/// The files of a machine whose root is a directory of this one: a staged installation, a mounted disk.
#[derive(Debug, Clone)]
pub struct FilesBelow(pub PathBuf);

impl FilesBelow {
    fn at(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Files for FilesBelow {
    fn exists(&self, path: &Path) -> bool {
        SystemFiles.exists(&self.at(path))
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        SystemFiles.read(&self.at(path))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        SystemFiles.list(&self.at(directory))
    }
}

impl Files for SystemFiles {
    fn exists(&self, path: &Path) -> bool {
        // A link that leads nowhere is there, too: it is not to be passed over in silence.
        path.symlink_metadata().is_ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        // Not to wait for a writer, should somebody have put a FIFO there. /dev/null is a common way to mask a file.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
        let kind = file.metadata()?;
        if !kind.is_file() && path.canonicalize()? != Path::new("/dev/null") {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > SIZE_LIMIT {
            return Err(io::Error::other("larger than 1 MiB, which no configuration file is"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_files_and_dev_null_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), b"[Login]\n\xff").unwrap();
        symlink("/dev/null", path("masked")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo"), rustix::fs::Mode::RWXU).unwrap();
        fs::write(path("huge"), vec![b' '; (SIZE_LIMIT + 1) as usize]).unwrap();
        assert_eq!(SystemFiles.read(&path("file")).unwrap(), "[Login]\n\u{fffd}");
        assert_eq!(SystemFiles.read(&path("masked")).unwrap(), "");
        for bad in ["fifo", "huge", "none", "."] {
            assert!(SystemFiles.read(&path(bad)).is_err(), "{bad}");
        }
        assert_eq!(SystemFiles.list(directory.path()).unwrap().len(), 4);
        let below = FilesBelow(directory.path().to_owned());
        assert!(below.exists(Path::new("/file")) && !below.exists(Path::new("/etc")));
        assert_eq!(below.read(Path::new("/file")).unwrap(), "[Login]\n\u{fffd}");
        assert_eq!(below.list(Path::new("/")).unwrap().len(), 4);
        assert_eq!(SystemFiles.list(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
