//! Where PAM's configuration lies, under a root that need not be this machine's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// libpam's directories, in the order in which it looks for a service (pam.d(5)): the administrator's, the
/// distribution's, and where openSUSE keeps the latter.
const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// Where modules lie, beside one directory for each architecture in /lib and /usr/lib.
const MODULES: [&str; 6] = [
    "/lib/security",
    "/usr/lib/security",
    "/lib64/security",
    "/usr/lib64/security",
    "/lib/pam",
    "/usr/lib/pam",
];

/// A PAM file that is bigger is none.
const LARGEST: u64 = 1 << 20;

/// The beginning of the names of files that `usher-pam-setup` tries a stack with, for a moment.
pub const CANDIDATE: &str = "usher-pam-setup.";

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file in any of libpam's directories.
    #[error("there is no PAM file '{0}' in /etc/pam.d or /usr/lib/pam.d")]
    Missing(String),
    /// The machine has no /etc/pam.d.
    #[error("{root}/etc/pam.d does not exist: is PAM installed? /etc/pam.conf alone is not supported")]
    NoDirectory {
        /// The root that was looked under.
        root: String,
    },
    /// It is there, but cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file, with the root.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// A PAM file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path, as the machine it belongs to sees it.
    pub path: String,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// The PAM configuration of the machine under a root. Reads files when asked, and keeps none.
#[derive(Debug, Clone)]
pub struct PamConfig {
    root: PathBuf,
    replaced: BTreeMap<String, Vec<u8>>,
}

impl PamConfig {
    /// The configuration under a root directory; `/` is this machine.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), replaced: BTreeMap::new() }
    }

    /// The same configuration, with the file `name` of /etc/pam.d saying something else: to look at a change before
    /// it is made.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.replaced.insert(name.to_owned(), bytes.into());
        self
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of that name, or with that absolute path, as libpam finds it.
    ///
    /// # Errors
    /// When there is none, it cannot be read, is no regular file, or has more than a mebibyte.
    pub fn read(&self, name: &str) -> Result<Found, ConfigError> {
        if name.starts_with('/') {
            let bytes = self.open(name)?;
            let path = name.to_owned();
            return bytes
                .map(|bytes| Found { path, bytes })
                .ok_or_else(|| ConfigError::Missing(name.to_owned()));
        }
        if let Some(bytes) = self.replaced.get(name) {
            return Ok(Found { path: format!("/etc/pam.d/{name}"), bytes: bytes.clone() });
        }
        for directory in DIRECTORIES {
            let path = format!("{directory}/{name}");
            if let Some(bytes) = self.open(&path)? {
                return Ok(Found { path, bytes });
            }
        }
        Err(ConfigError::Missing(name.to_owned()))
    }

    /// The names of all services and shared files, sorted; backups of editors and package managers are no services.
    ///
    /// # Errors
    /// When there is no /etc/pam.d.
    pub fn names(&self) -> Result<Vec<String>, ConfigError> {
        let mut names: BTreeSet<String> = self.replaced.keys().cloned().collect();
        if !self.root.join("etc/pam.d").is_dir() && names.is_empty() {
            return Err(ConfigError::NoDirectory {
                root: self.root.display().to_string().trim_end_matches('/').to_owned(),
            });
        }
        for directory in DIRECTORIES {
            let directory = self.root.join(directory.trim_start_matches('/'));
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
            names.extend(
                files
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .filter(|name| is_service(name)),
            );
        }
        Ok(names.into_iter().collect())
    }

    /// Where a module of that name lies, as the machine sees it.
    pub fn module(&self, module: &str) -> Option<String> {
        let under = |path: &str| self.root.join(path.trim_start_matches('/'));
        if module.starts_with('/') {
            return under(module).exists().then(|| module.to_owned());
        }
        let by_architecture = ["/lib", "/usr/lib"].into_iter().flat_map(|lib| {
            let entries = std::fs::read_dir(under(lib)).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            names.map(move |name| format!("{lib}/{name}/security")).collect::<Vec<_>>()
        });
        let fixed = MODULES.into_iter().map(str::to_owned);
        let paths = fixed.chain(by_architecture).map(|directory| format!("{directory}/{module}"));
        paths.into_iter().find(|path| under(path).is_file())
    }

    /// The contents of a file; `None` when it is not there.
    fn open(&self, path: &str) -> Result<Option<Vec<u8>>, ConfigError> {
        let unreadable = |error| {
            let path = self.root.join(path.trim_start_matches('/')).display().to_string();
            ConfigError::Unreadable { path, error }
        };
        match self.open_in_root(path) {
            Ok(file) => read(File::from(file)).map(Some).map_err(unreadable),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Opens a path as a process with this root directory would: absolute symbolic links stay inside.
    fn open_in_root(&self, path: &str) -> io::Result<OwnedFd> {
        // No waiting for a FIFO, no controlling terminal.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        if self.root == Path::new("/") {
            return Ok(rustix::fs::open(path, flags, Mode::empty())?);
        }
        let root =
            rustix::fs::open(&self.root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?)
    }
}

fn read(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is bigger than a PAM file can be (1 MiB)"));
    }
    Ok(bytes)
}

fn is_service(name: &str) -> bool {
    let leftover =
        [".bak", ".orig", ".rpmnew", ".rpmsave", ".rpmorig", ".pacnew", ".pacsave", ".apk-new", ".swp"];
    let own = name.starts_with(CANDIDATE);
    let dpkg = name.contains(".dpkg-") || name.contains(".pam-") || name.contains(".usher-");
    !(name.starts_with('.')
        || name.ends_with('~')
        || dpkg
        || own
        || leftover.iter().any(|end| name.ends_with(end)))
}
