//! Waiting for many processes at once: one epoll instance holds all pidfds, so that one more session costs one
//! descriptor and no task. In the kernel an entry takes a file and an epoll item, together about half a KiB; here, one
//! entry in each of two maps.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::{Context, Result};

/// The processes whose end is waited for.
#[derive(Debug)]
pub struct ExitWatch<K> {
    epoll: OwnedFd,
    watched: BTreeMap<K, OwnedFd>,
    /// By the descriptor's number, which is what the kernel calls it by. A descriptor is open as long as it is in here, so that no
    /// other has its number.
    keys: BTreeMap<i32, K>,
}

impl<K: Clone + Ord + Display> ExitWatch<K> {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("create", "epoll instance")?;
        Ok(Self { epoll, watched: BTreeMap::new(), keys: BTreeMap::new() })
    }

    /// Watches a process under a key of the caller's choice, in place of the one that had the key before. A process
    /// that has exited already is reported by the next [`Self::drain`].
    ///
    /// # Errors
    /// The descriptor is no pidfd, or the kernel's limit on watches is reached.
    pub fn add(&mut self, pidfd: OwnedFd, key: K) -> Result<()> {
        self.add_for(pidfd, key, epoll::EventFlags::IN)
    }

    /// Watches the reading end of a FIFO, in the same way: its end is that there was a writer and is none any more. What is
    /// written to it is no end.
    ///
    /// # Errors
    /// As for [`Self::add`].
    pub fn add_fifo(&mut self, fifo: OwnedFd, key: K) -> Result<()> {
        // A hang-up is always reported.
        self.add_for(fifo, key, epoll::EventFlags::empty())
    }

    fn add_for(&mut self, fd: OwnedFd, key: K, what: epoll::EventFlags) -> Result<()> {
        self.remove(&key);
        let number = fd.as_raw_fd();
        let data = epoll::EventData::new_u64(u64::from(number.cast_unsigned()));
        epoll::add(&self.epoll, &fd, data, what).context("watch descriptor of", &key)?;
        self.keys.insert(number, key.clone());
        self.watched.insert(key, fd);
        Ok(())
    }

    /// Stops watching. The descriptor comes back, for whoever wants to send one last signal.
    pub fn remove(&mut self, key: &K) -> Option<OwnedFd> {
        let pidfd = self.watched.remove(key)?;
        self.keys.remove(&pidfd.as_raw_fd());
        let _ = epoll::delete(&self.epoll, &pidfd);
        Some(pidfd)
    }

    /// The pidfd that is watched under a key.
    pub fn get(&self, key: &K) -> Option<BorrowedFd<'_>> {
        self.watched.get(key).map(AsFd::as_fd)
    }

    /// The keys of the processes that have exited, which are no longer watched from now on. Never waits.
    ///
    /// # Errors
    /// The kernel's.
    pub fn drain(&mut self) -> Result<Vec<K>> {
        let mut exited = Vec::new();
        loop {
            let mut events = Vec::with_capacity(64);
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&now)) {
                Ok(0) => return Ok(exited),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).context("wait for", "watched processes"),
            }
            for event in events {
                // What was put there are those 32 bits.
                let number = (event.data.u64() as u32).cast_signed();
                if let Some(key) = self.keys.get(&number).cloned() {
                    self.remove(&key);
                    exited.push(key);
                }
            }
        }
    }
}

/// Readable when [`ExitWatch::drain`] has something to say: for [`Readiness`](super::Readiness).
impl<K> AsFd for ExitWatch<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Readiness, pidfd};
    use super::*;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    fn child() -> (Child, OwnedFd) {
        // Lives until its standard input ends.
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let fd = pidfd::open(child.id()).unwrap();
        (child, fd)
    }

    #[test]
    fn exits_are_reported_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = ExitWatch::new().unwrap();
            let readiness = Readiness::of(&watch).unwrap();
            let mut children = Vec::new();
            for key in 0..10 {
                let (child, fd) = child();
                watch.add(fd, key).unwrap();
                children.push(child);
            }
            assert!(watch.drain().unwrap().is_empty());
            assert!(watch.remove(&9).is_some() && watch.remove(&9).is_none());
            for child in &mut children {
                child.stdin.take();
            }
            let mut exited = Vec::new();
            let all = async {
                while exited.len() < 9 {
                    readiness.wait().await.unwrap();
                    exited.extend(watch.drain().unwrap());
                }
            };
            tokio::time::timeout(Duration::from_secs(10), all).await.unwrap();
            exited.sort_unstable();
            assert_eq!(exited, (0..9).collect::<Vec<_>>());
            assert!(watch.drain().unwrap().is_empty());
            for mut child in children {
                child.wait().unwrap();
            }
        });
    }

    #[test]
    fn an_earlier_exit_and_a_second_owner_of_a_key() {
        let mut watch = ExitWatch::new().unwrap();
        let ((mut first, first_fd), (mut second, second_fd)) = (child(), child());
        drop(second.stdin.take());
        second.wait().unwrap();
        watch.add(first_fd, 1).unwrap();
        watch.add(second_fd, 1).unwrap();
        assert_eq!(watch.drain().unwrap(), [1]);
        assert!(watch.get(&1).is_none());
        drop(first.stdin.take());
        first.wait().unwrap();
    }
}
