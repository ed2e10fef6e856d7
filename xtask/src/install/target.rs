//! The file system that is installed to: a machine's own, or a staging directory. Reads, and changes in single steps.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{AccessFlags, access};

/// Where the machine's root is.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    root: PathBuf,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A file's bytes, links followed.
    File(Vec<u8>),
    /// What a link says that leads to no file, or that stands where a link is expected.
    Link(PathBuf),
    /// A directory or something stranger.
    Other,
}

impl Target {
    /// The machine itself, or the one that is staged at `destdir`.
    pub(crate) fn new(destdir: Option<&Path>) -> Result<Self> {
        let root = destdir.unwrap_or(Path::new("/"));
        let root = std::path::absolute(root).with_context(|| format!("--destdir {}", root.display()))?;
        Ok(Self { root })
    }

    /// Where a path of the machine is.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What is there now.
    pub(crate) fn find(&self, path: &Path, as_link: bool) -> Result<Found> {
        let path = self.at(path);
        let read = || -> io::Result<Found> {
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_symlink() && (as_link || !path.exists()) {
                return Ok(Found::Link(fs::read_link(&path)?));
            }
            Ok(if path.is_file() { Found::File(fs::read(&path)?) } else { Found::Other })
        };
        match read() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            found => found.with_context(|| format!("look at {}", path.display())),
        }
    }

    /// Whether files can be put into a directory and taken away, whether it exists or has to be made first.
    pub(crate) fn check_writable(&self, directory: &Path) -> Result<()> {
        let wanted = self.at(directory);
        let there = wanted.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
        if there.symlink_metadata().is_ok_and(|_| !there.is_dir()) {
            bail!("{} is in the way: it is not a directory, and one has to be there", there.display());
        }
        access(there, AccessFlags::W_OK | AccessFlags::X_OK).with_context(|| {
            format!(
                "cannot write to {}: run the same as root (nothing is built again), or choose another --destdir or --prefix",
                there.display()
            )
        })
    }

    /// Makes a directory and those above it; the ones that were missing, outermost first.
    pub(crate) fn make_directory(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let missing: Vec<&Path> = directory.ancestors().take_while(|path| !self.at(path).is_dir()).collect();
        let mut made = Vec::new();
        for directory in missing.into_iter().rev() {
            let path = self.at(directory);
            let make = || {
                fs::create_dir(&path)?;
                // Whatever the caller's umask: others have to get through.
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            };
            make().with_context(|| format!("make the directory {}", path.display()))?;
            made.push(directory.to_owned());
        }
        Ok(made)
    }

    /// Puts a file in place, whole or not at all: a program that runs goes on running.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let path = self.at(path);
        let new = beside(&path);
        let write = || {
            let _ = fs::remove_file(&new);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
            file.write_all(bytes)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            drop(file);
            fs::rename(&new, &path)
        };
        write().map_err(|error| clean_up(&new, error)).with_context(|| format!("write {}", path.display()))
    }

    /// The same for a link.
    pub(crate) fn link(&self, path: &Path, target: &Path) -> Result<()> {
        let path = self.at(path);
        let new = beside(&path);
        let write = || {
            let _ = fs::remove_file(&new);
            symlink(target, &new)?;
            fs::rename(&new, &path)
        };
        write()
            .map_err(|error| clean_up(&new, error))
            .with_context(|| format!("make the link {}", path.display()))
    }

    /// The mode of a file.
    pub(crate) fn mode(&self, path: &Path) -> Option<u32> {
        fs::metadata(self.at(path)).ok().map(|metadata| metadata.permissions().mode() & 0o7777)
    }

    /// Removes a file or a link. That it is gone already is no mistake.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        let path = self.at(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.with_context(|| format!("remove {}", path.display())),
        }
    }

    /// Removes a directory if nothing is in it.
    pub(crate) fn remove_directory(&self, path: &Path) -> Result<()> {
        let path = self.at(path);
        match fs::remove_dir(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Ok(())
            }
            done => done.with_context(|| format!("remove the directory {}", path.display())),
        }
    }
}

/// A name that no program takes for the file itself.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.usher-install"))
}

fn clean_up(new: &Path, error: io::Error) -> io::Error {
    let _ = fs::remove_file(new);
    error
}
