//! Waiting for cgroups to become empty: one inotify instance on the `cgroup.events` of those that are closing.
//!
//! A wake-up says "look again", no more: the kernel may merge or lose events. Whoever adds a watch, and whoever is woken,
//! reads [`populated`](super::cgroup::populated) afresh.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify;
use rustix::io::Errno;

use super::{Context, Result};

/// The cgroups that are watched, each under a key of the caller's.
#[derive(Debug)]
pub struct ScopeWatch<K> {
    inotify: OwnedFd,
    keys: HashMap<i32, K>,
    watches: HashMap<K, i32>,
}

impl<K: Clone + Eq + Hash> ScopeWatch<K> {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// Out of descriptors, or of inotify instances (`fs.inotify.max_user_instances`).
    pub fn new() -> Result<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let inotify = inotify::init(flags).context("create", "inotify instance")?;
        Ok(Self { inotify, keys: HashMap::new(), watches: HashMap::new() })
    }

    /// Watches the cgroup at `directory`. `false`: it is gone already, so there is nothing to wait for.
    ///
    /// # Errors
    /// Out of watches (`fs.inotify.max_user_watches`).
    pub fn watch(&mut self, directory: &Path, key: K) -> Result<bool> {
        self.unwatch(&key);
        let file = directory.join("cgroup.events");
        match inotify::add_watch(&self.inotify, &file, inotify::WatchFlags::MODIFY) {
            Ok(watch) => {
                if let Some(previous) = self.keys.insert(watch, key.clone()) {
                    self.watches.remove(&previous);
                }
                self.watches.insert(key, watch);
                Ok(true)
            }
            Err(Errno::NOENT | Errno::NODEV) => Ok(false),
            Err(error) => Err(error).context("watch", file.display()),
        }
    }

    /// Stops watching. To be called when the cgroup has been removed, too.
    pub fn unwatch(&mut self, key: &K) {
        if let Some(watch) = self.watches.remove(key) {
            self.keys.remove(&watch);
            // It fails for a watch that ended with its cgroup.
            let _ = inotify::remove_watch(&self.inotify, watch);
        }
    }

    /// The keys of the cgroups to look at again, each once. Never waits.
    ///
    /// # Errors
    /// The kernel's.
    pub fn drain(&mut self) -> Result<Vec<K>> {
        let mut changed: Vec<i32> = Vec::new();
        let mut lost = false;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    lost |= event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
                    changed.push(event.wd());
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("read", "inotify instance"),
            }
        }
        if lost {
            return Ok(self.watches.keys().cloned().collect());
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed.iter().filter_map(|watch| self.keys.get(watch)).cloned().collect())
    }
}

/// Readable when [`ScopeWatch::drain`] has something to say: for [`Readiness`](super::Readiness).
impl<K> AsFd for ScopeWatch<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Plain files stand in for the kernel's here; the real ones are in tests/kernel_cgroup.rs.
    #[test]
    fn changes_are_reported_by_key_until_unwatched() {
        let directory = tempfile::tempdir().unwrap();
        let scope = |name: &str| directory.path().join(name);
        let mut watch = ScopeWatch::new().unwrap();
        assert!(!watch.watch(&scope("gone"), "gone").unwrap());
        for name in ["a", "b"] {
            fs::create_dir(scope(name)).unwrap();
            fs::write(scope(name).join("cgroup.events"), "populated 1\n").unwrap();
            assert!(watch.watch(&scope(name), name).unwrap());
        }
        assert!(watch.drain().unwrap().is_empty());
        for _ in 0..2 {
            fs::write(scope("a").join("cgroup.events"), "populated 0\n").unwrap();
        }
        assert_eq!(watch.drain().unwrap(), ["a"]);
        watch.unwatch(&"a");
        fs::write(scope("a").join("cgroup.events"), "populated 1\n").unwrap();
        fs::write(scope("b").join("cgroup.events"), "populated 0\n").unwrap();
        assert_eq!(watch.drain().unwrap(), ["b"]);
        fs::remove_file(scope("b").join("cgroup.events")).unwrap();
        watch.unwatch(&"b");
        assert!(watch.drain().unwrap().is_empty());
    }
}
