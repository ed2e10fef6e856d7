//! Files in /etc/pam.d: where they really are, who may change them now, and how a new one takes the old one's place.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, XattrFlags};
use usher_pam_setup::CANDIDATE;

/// Where copies of files are kept.
const BACKUPS: &str = "var/lib/usher/pam-backup";

/// The candidate that is to become the file.
pub(crate) const NEW: &str = "new";
/// The one that says what the file says now.
pub(crate) const OLD: &str = "old";

/// /etc/pam.d, held so that no other usher-pam-setup changes it. The lock goes with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    path: PathBuf,
    directory: File,
}

/// One file in it.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its path; no symbolic link.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl Store {
    /// Takes the lock. For looking only, `change` is false and nothing is locked.
    pub(crate) fn open(root: &Path, change: bool) -> Result<Self> {
        let root = fs::canonicalize(root).with_context(|| format!("look for {}", root.display()))?;
        let path = root.join("etc/pam.d");
        let real = fs::canonicalize(&path).with_context(|| format!("look for {}", path.display()))?;
        if !real.starts_with(&root) {
            bail!("{} is a link to {}, out of {}", path.display(), real.display(), root.display());
        }
        let directory = File::open(&real).with_context(|| format!("open {}", real.display()))?;
        if change {
            match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    bail!("another usher-pam-setup is at work on {}: wait until it has ended", real.display())
                }
                Err(error) => return Err(error).with_context(|| format!("lock {}", real.display())),
            }
        }
        let store = Self { root, path: real, directory };
        if change {
            // What a killed run has left.
            [NEW, OLD]
                .iter()
                .try_for_each(|kind| store.forget(&store.path.join(format!("{CANDIDATE}{kind}"))))?;
        }
        Ok(store)
    }

    /// A file to change. Links within the directory are followed, and others refused: their files belong to a tool.
    pub(crate) fn target(&self, name: &str) -> Result<Target> {
        let path = self.path.join(name);
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{} does not exist; if the distribution has it in /usr/lib/pam.d, copy it to /etc/pam.d first: a file \
                 of a package is not edited",
                path.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("look at {}", path.display())),
        };
        let real = fs::canonicalize(&path).with_context(|| format!("follow {}", path.display()))?;
        if kind.is_symlink() && real.parent() != Some(self.path.as_path()) {
            bail!(
                "{} is a link to {}, out of {}: whatever made it writes that file (authselect?), and is the one to \
                 tell; nothing was changed",
                path.display(),
                real.display(),
                self.path.display()
            );
        }
        let file = File::open(&real).with_context(|| format!("open {}", real.display()))?;
        if !file.metadata().with_context(|| format!("look at {}", real.display()))?.is_file() {
            bail!("{} is not a regular file", real.display());
        }
        let bytes = fs::read(&real).with_context(|| format!("read {}", real.display()))?;
        Ok(Target { path: real, bytes })
    }

    /// A file beside the target, with its owner, mode and extended attributes, on the disk. `service` is the name that
    /// libpam knows it by.
    pub(crate) fn candidate(&self, target: &Target, bytes: &[u8], kind: &str) -> Result<Candidate> {
        let service = format!("{CANDIDATE}{kind}");
        let path = self.path.join(&service);
        self.forget(&path)?;
        let candidate = Candidate { path, service };
        copy_as(&target.path, &candidate.path, bytes)?;
        Ok(candidate)
    }

    fn forget(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Gives the candidate the target's name. Fails, changing nothing, when the target is no longer what was read.
    pub(crate) fn put_in_place(&self, target: &Target, candidate: &Candidate) -> Result<()> {
        let now = fs::read(&target.path).with_context(|| format!("read {}", target.path.display()))?;
        if now != target.bytes {
            bail!("{} has changed meanwhile: run this again", target.path.display());
        }
        self.rename(&target.path, candidate)
    }

    /// Puts the target's old text back, whatever stands there now.
    pub(crate) fn put_back(&self, target: &Target) -> Result<()> {
        let candidate = self.candidate(target, &target.bytes, OLD)?;
        self.rename(&target.path, &candidate)
    }

    fn rename(&self, path: &Path, candidate: &Candidate) -> Result<()> {
        fs::rename(&candidate.path, path).with_context(|| format!("rename a file to {}", path.display()))?;
        self.directory.sync_all().with_context(|| format!("write {} to the disk", self.path.display()))
    }

    /// Keeps a copy, with owner and mode; its path.
    pub(crate) fn back_up(&self, target: &Target) -> Result<PathBuf> {
        let directory = self.backups()?;
        let name = target.path.file_name().unwrap_or_default().to_string_lossy();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for attempt in 0..100 {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            let path = directory.join(format!("{name}.{seconds}{suffix}"));
            if !path.exists() {
                copy_as(&target.path, &path, &target.bytes)?;
                sync(&directory)?;
                return Ok(path);
            }
        }
        bail!("{} is full of copies of {name}", directory.display())
    }

    /// The directory of copies; made when it is not there.
    pub(crate) fn backups(&self) -> Result<PathBuf> {
        let mut directory = self.root.clone();
        for name in BACKUPS.split('/') {
            directory.push(name);
            let mode = if name == "pam-backup" { 0o700 } else { 0o755 };
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
            match builder.create(&directory) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(error).with_context(|| format!("make {}", directory.display()));
                }
                _ => {}
            }
        }
        let real =
            fs::canonicalize(&directory).with_context(|| format!("look for {}", directory.display()))?;
        if !real.starts_with(&self.root) {
            bail!("{} is a link out of {}", directory.display(), self.root.display());
        }
        Ok(real)
    }
}

/// A file that libpam can read, and that is gone when it is not put in place.
#[derive(Debug)]
pub(crate) struct Candidate {
    path: PathBuf,
    /// Its name as a service.
    pub(crate) service: String,
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // Gone already when it has got the target's name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a new file with another one's owner, mode and extended attributes.
fn copy_as(model: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let what = || format!("write {}", path.display());
    let metadata = fs::metadata(model).with_context(|| format!("look at {}", model.display()))?;
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(what)?;
    file.write_all(bytes).with_context(what)?;
    attributes(model, &file)
        .with_context(|| format!("copy the extended attributes of {}", model.display()))?;
    // The owner first: a change of owner clears bits of the mode.
    let now = file.metadata().with_context(what)?;
    if (now.uid(), now.gid()) != (metadata.uid(), metadata.gid()) {
        fchown(&file, Some(metadata.uid()), Some(metadata.gid())).with_context(what)?;
    }
    file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777)).with_context(what)?;
    file.sync_all().with_context(what)
}

/// Security labels, ACLs. A file system without any has none to copy.
fn attributes(model: &Path, file: &File) -> rustix::io::Result<()> {
    let mut names = vec![0; 1 << 16];
    let length = match rustix::fs::listxattr(model, &mut names[..]) {
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    names.truncate(length);
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::getxattr(model, name, &mut value[..])?;
        rustix::fs::fsetxattr(file, name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

fn sync(directory: &Path) -> Result<()> {
    let opened = File::open(directory).and_then(|directory| directory.sync_all());
    opened.with_context(|| format!("write {} to the disk", directory.display()))
}
