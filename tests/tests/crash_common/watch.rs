//! The session files, as libsystemd's monitors see them: one that is gone for a moment is a session that was removed.

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use usher_tests::Machine;

/// Follows `/run/systemd/sessions`.
pub(crate) struct Watch {
    inotify: OwnedFd,
    removed: BTreeSet<String>,
}

impl Watch {
    pub(crate) fn new(machine: &Machine) -> Self {
        // On a machine where there has never been an usherd.
        let sessions = machine.file("/run/systemd/sessions");
        fs::create_dir_all(&sessions).expect("a directory");
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("inotify");
        let flags = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        inotify::add_watch(&inotify, sessions, flags).expect("a watch");
        Self { inotify, removed: BTreeSet::new() }
    }

    /// Sessions whose files have vanished since the beginning, be it for a moment.
    pub(crate) fn removed(&mut self) -> &BTreeSet<String> {
        let mut space = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(&self.inotify, &mut space);
        loop {
            match reader.next() {
                Ok(event) => {
                    assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "too much happens");
                    let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                    self.removed.extend(name.filter(|name| !name.starts_with('.')));
                }
                Err(Errno::AGAIN) => return &self.removed,
                Err(error) => panic!("cannot read from inotify: {error}"),
            }
        }
    }
}
