//! What a container's root file system is made of, and the tar file that is kept of it.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::{FlockOperation, flock};

use super::build;
use super::start::Start;
use crate::artefacts;

/// The recipe of a Debian root file system. It is built when somebody first needs it, and kept in cargo's target directory
/// until the recipe changes.
#[derive(Debug, Clone, Hash)]
pub struct Image {
    name: String,
    suite: String,
    packages: Vec<String>,
    files: Vec<(PathBuf, String, u32)>,
    setup: String,
}

/// What the build needs of it.
pub(super) struct Parts<'a> {
    pub(super) suite: &'a str,
    pub(super) packages: &'a [String],
    pub(super) files: &'a [(PathBuf, String, u32)],
    pub(super) setup: &'a str,
}

impl Image {
    /// Debian 13 (trixie) with its essential packages and apt, and nothing else. Of each name one version is kept: two recipes
    /// that are in use at the same time need different names. A name has letters, digits and `-`.
    pub fn debian(name: &str) -> Self {
        let empty = String::new;
        Self {
            name: name.to_owned(),
            suite: "trixie".to_owned(),
            packages: Vec::new(),
            files: Vec::new(),
            setup: empty(),
        }
    }

    /// Another release of Debian.
    #[must_use]
    pub fn suite(mut self, suite: &str) -> Self {
        suite.clone_into(&mut self.suite);
        self
    }

    /// More packages, as apt knows them; their dependencies come with them, what they only recommend does not.
    #[must_use]
    pub fn packages(mut self, packages: &[&str]) -> Self {
        self.packages.extend(packages.iter().map(|name| (*name).to_owned()));
        self
    }

    /// A file of root, put in after the packages.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, contents: &str, mode: u32) -> Self {
        self.files.push((path.into(), contents.to_owned(), mode));
        self
    }

    /// More lines of shell, run with `sh -e` as root of the new system when everything else is in it. No service runs
    /// meanwhile; apt-get works.
    #[must_use]
    pub fn setup(mut self, script: &str) -> Self {
        self.setup.push_str(script);
        self.setup.push('\n');
        self
    }

    /// A container of this image that has not been started yet.
    pub fn container(&self) -> Start<'_> {
        Start::new(self)
    }

    /// The tar file, made first if it is not there or of another recipe. One process makes it, others wait.
    ///
    /// # Errors
    /// It cannot be made, and what to do about it.
    pub fn ensure(&self) -> Result<PathBuf> {
        let well_named = !self.name.is_empty()
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ensure!(well_named, "'{}' cannot be the name of an image: letters, digits and '-' can", self.name);
        let directory = artefacts::target_dir()?.join("containers");
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        give(&directory)?;
        let lock = directory.join(format!("{}.lock", self.name));
        let file = File::create(&lock).with_context(|| format!("make {}", lock.display()))?;
        give(&lock)?;
        flock(&file, FlockOperation::LockExclusive).with_context(|| format!("lock {}", lock.display()))?;
        let tar = directory.join(format!("{}-{:016x}.tar", self.name, self.version()));
        if !tar.exists() {
            for old in self.versions(&directory)? {
                fs::remove_file(&old).with_context(|| format!("remove {}", old.display()))?;
            }
            self.build(&tar)?;
        }
        Ok(tar)
    }

    /// Complete or not there.
    fn build(&self, tar: &Path) -> Result<()> {
        let Self { suite, packages, files, setup, .. } = self;
        let new = tar.with_extension("tar.new");
        let built = build::build(&Parts { suite, packages, files, setup }, &new);
        let kept = built.and_then(|()| {
            give(&new)?;
            fs::rename(&new, tar).with_context(|| format!("rename {}", new.display()))
        });
        if kept.is_err() {
            let _ = fs::remove_file(&new);
        }
        kept.with_context(|| format!("make the image {}", self.name))
    }

    fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self, build::WAY).hash(&mut hasher);
        hasher.finish()
    }

    /// Everything that was made of recipes of this name.
    fn versions(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
        let names = entries.flatten().filter(|entry| self.is_version(&entry.file_name().to_string_lossy()));
        Ok(names.map(|entry| entry.path()).collect())
    }

    fn is_version(&self, file: &str) -> bool {
        let version = file.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
        let version = version.map(|rest| rest.strip_suffix(".new").unwrap_or(rest));
        version
            .and_then(|rest| rest.strip_suffix(".tar"))
            .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// The target directory holds only files of the one who builds.
fn give(path: &Path) -> Result<()> {
    let parent = path.parent().context("a path without a parent")?;
    let owner = fs::metadata(parent).with_context(|| format!("look at {}", parent.display()))?;
    chown(path, Some(owner.uid()), Some(owner.gid())).with_context(|| format!("chown {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn a_version_belongs_to_one_name() {
        let image = Image::debian("sysv");
        assert!(image.is_version("sysv-0123456789abcdef.tar"));
        assert!(image.is_version("sysv-0123456789abcdef.tar.new"));
        for other in
            ["sysv.lock", "sysv-other-0123456789abcdef.tar", "sysv2-0123456789abcdef.tar", "sysv-1.tar"]
        {
            assert!(!image.is_version(other), "{other}");
        }
    }

    #[test]
    fn every_part_of_a_recipe_makes_another_version() {
        let image = Image::debian("a").packages(&["dbus"]);
        let version = image.version();
        assert_eq!(image.clone().version(), version);
        for other in [
            image.clone().suite("sid"),
            image.clone().packages(&["login"]),
            image.clone().file("/etc/a", "", 0o644),
            image.clone().setup("true"),
        ] {
            assert_ne!(other.version(), version, "{other:?}");
        }
    }

    #[test]
    fn an_odd_name_is_refused() {
        for name in ["", "a/b", "a b"] {
            assert!(Image::debian(name).ensure().is_err());
        }
    }
}
