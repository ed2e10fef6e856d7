//! What others mount on a runtime directory's path, against the real kernel: known by its mount, never by its looks, and
//! never waited for. Needs root and a mount namespace of one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use common::{GID, SIZE, make, require_root, uid, wanted};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use usher_broker::sys::mount::{Problem, Removed, at_path, create, inspect, present, remove, resize};
use usher_model::record::{AtPath, RuntimeDir, RuntimeKind};
use usher_protocol::ids::Uid;

fn path(uid: Uid) -> PathBuf {
    uid.runtime_path().into()
}

fn mounts(uid: Uid) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == path(uid).to_str()).count()
}

fn foreign_mount(uid: Uid, flags: MountFlags, options: &str) {
    fs::create_dir_all(path(uid)).unwrap();
    mount("somebody", path(uid), "tmpfs", flags, &*CString::new(options).unwrap()).unwrap();
}

fn unmount_one(uid: Uid) {
    unmount(path(uid), UnmountFlags::empty()).unwrap();
}

/// A FUSE file system on the user's directory whose server never says a word. `None` where there is no FUSE.
fn hung_fuse(uid: Uid, options: &str) -> Option<File> {
    let device = match File::options().read(true).write(true).open("/dev/fuse") {
        Ok(device) => device,
        Err(error) => {
            common::report(format_args!("skipped: no FUSE here: {error}"));
            return None;
        }
    };
    let options = format!("fd={},rootmode=40000,user_id={uid},group_id={GID}{options}", device.as_raw_fd());
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("hung", path(uid), "fuse.hung", flags, &*CString::new(options).unwrap()).unwrap();
    Some(device)
}

/// Runs something that must not wait for anybody.
fn at_once<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("it waits: {what}"))
}

#[test]
fn a_directory_is_what_is_mounted_and_not_what_it_is_called() {
    require_root();
    let uid = uid(501);
    assert_eq!(at_path(uid), AtPath::Nothing);
    let first = make(uid).unwrap();
    assert_eq!(at_path(uid), AtPath::Mount(first.mount.unwrap()));
    assert!(first.is_at(at_path(uid)));

    // Unmounted, and another one that looks the same put in its place: the kernel gives the number in its table again.
    unmount_one(uid);
    assert_eq!(at_path(uid), AtPath::Directory);
    foreign_mount(uid, MountFlags::empty(), &format!("mode=0700,uid={uid},gid={GID}"));
    assert!(!first.is_at(at_path(uid)));
    let present_now = present(uid, Some(first)).unwrap().unwrap();
    assert_eq!(present_now.kind, RuntimeKind::Adopted, "it is fit for use, and not ours");
    assert_eq!(remove(uid, &first).unwrap(), Removed::LeftAlone, "nor is it ours to unmount");
    assert_eq!(mounts(uid), 1);
    unmount_one(uid);

    foreign_mount(uid, MountFlags::empty(), "mode=0755");
    assert_eq!(present(uid, Some(first)).unwrap(), None, "not even fit");
    assert_eq!(remove(uid, &first).unwrap(), Removed::LeftAlone);
    unmount_one(uid);
    assert_eq!(make(uid).unwrap().kind, RuntimeKind::Mount);
    let second = present(uid, Some(first)).unwrap().unwrap();
    assert_ne!(second, first, "made by another usherd, perhaps: it bears the mark");
    assert_eq!(second.kind, RuntimeKind::Mount);
    assert_eq!(remove(uid, &second).unwrap(), Removed::Gone);
}

/// Without the mark, as in a user namespace, the number alone tells.
#[test]
fn a_directory_without_a_mark_is_known_by_its_number() {
    require_root();
    let uid = uid(502);
    let made = make(uid).unwrap();
    rustix::fs::removexattr(path(uid), "trusted.usher.runtime-directory").unwrap();
    assert_eq!(present(uid, Some(made)).unwrap(), Some(made));
    assert_eq!(create(&wanted(uid), Some(made)).unwrap(), made);
    assert_eq!(make(uid).unwrap().kind, RuntimeKind::Adopted, "whoever does not know it cannot tell");
    assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
}

#[test]
fn what_is_mounted_over_a_directory_goes_with_it() {
    require_root();
    let uid = uid(503);
    let made = make(uid).unwrap();
    foreign_mount(uid, MountFlags::empty(), "mode=0755");
    assert!(matches!(create(&wanted(uid), Some(made)), Err(Problem::ForeignMount { .. })));
    assert_eq!(mounts(uid), 2);
    assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
    assert_eq!(mounts(uid), 0);
    assert!(!path(uid).exists());
}

#[test]
fn what_cannot_be_written_to_is_refused() {
    require_root();
    let uid = uid(504);
    foreign_mount(uid, MountFlags::RDONLY, &format!("mode=0700,uid={uid}"));
    let problem = make(uid).unwrap_err().to_string();
    assert!(problem.contains("tmpfs, read-only") && problem.contains("umount"), "{problem}");
    unmount_one(uid);
    // One that programs cannot be started from is no worse than what some administrators want.
    foreign_mount(uid, MountFlags::NOEXEC, &format!("mode=0700,uid={uid}"));
    assert_eq!(make(uid).unwrap().kind, RuntimeKind::Adopted);
    unmount_one(uid);
    fs::remove_dir(path(uid)).unwrap();
}

#[test]
fn a_mount_on_a_plain_directory_stays_and_is_named() {
    require_root();
    let uid = uid(505);
    foreign_mount(uid, MountFlags::empty(), "mode=0700");
    let plain = RuntimeDir { kind: RuntimeKind::Plain, mount: None };
    assert!(!plain.is_at(at_path(uid)));
    let problem = remove(uid, &plain).unwrap_err().to_string();
    assert!(problem.contains("stays: tmpfs is mounted on it"), "{problem}");
    unmount_one(uid);
    assert_eq!(remove(uid, &plain).unwrap(), Removed::Gone);
}

/// A user may mount over his own directory what he serves himself, and stop serving.
#[test]
fn a_file_system_whose_server_hangs_keeps_nobody_waiting() {
    require_root();
    for (number, options) in [(506, ",allow_other"), (507, "")] {
        let uid = uid(number);
        let made = make(uid).unwrap();
        let Some(_device) = hung_fuse(uid, options) else { return };
        assert!(!at_once("at_path", move || made.is_at(at_path(uid))));
        let mounted = at_once("inspect", move || inspect(uid).unwrap().unwrap());
        assert_eq!((mounted.fs_type.as_str(), mounted.ours), ("fuse.hung", false));
        assert_eq!(at_once("present", move || present(uid, Some(made)).unwrap()), None);
        assert!(!at_once("resize", move || resize(uid, &made, 2 * SIZE, 200).unwrap()));
        for known in [None, Some(made)] {
            let problem = at_once("create", move || create(&wanted(uid), known).unwrap_err().to_string());
            assert!(problem.contains("fuse.hung, a file system that a process serves"), "{problem}");
        }
        assert_eq!(at_once("remove", move || remove(uid, &made).unwrap()), Removed::Gone);
        assert!(!path(uid).exists() && mounts(uid) == 0);
    }
}

/// The same where nothing of usher's is below.
#[test]
fn a_hung_file_system_in_place_of_a_directory_stays() {
    require_root();
    let uid = uid(508);
    fs::create_dir_all(path(uid)).unwrap();
    let Some(_device) = hung_fuse(uid, ",allow_other") else { return };
    let gone = RuntimeDir { kind: RuntimeKind::Mount, mount: Some(u64::MAX) };
    assert_eq!(at_once("remove", move || remove(uid, &gone).unwrap()), Removed::LeftAlone);
    assert_eq!(mounts(uid), 1);
    unmount(path(uid), UnmountFlags::DETACH).unwrap();
    fs::remove_dir(path(uid)).unwrap();
}

/// Somebody with root's rights plays tricks with the path all the time: what is outside is never touched.
#[test]
fn a_path_that_changes_all_the_time_leads_nowhere() {
    require_root();
    let uid = uid(509);
    let elsewhere = tempfile::tempdir().unwrap();
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "x").unwrap();
    fs::create_dir(elsewhere.path().join("empty")).unwrap();
    let before = fs::metadata(elsewhere.path()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            let mut turns = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                swap(&path(uid), elsewhere.path());
                turns += 1;
            }
            turns
        });
        for _ in 0..200 {
            if let Ok(made) = make(uid) {
                let _ = remove(uid, &made);
            }
            let _ = remove(uid, &RuntimeDir { kind: RuntimeKind::Plain, mount: None });
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(attacker.join().unwrap() > 0);
    });
    use std::os::unix::fs::MetadataExt;
    let after = fs::metadata(elsewhere.path()).unwrap();
    assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
    assert!(precious.exists() && elsewhere.path().join("empty").is_dir());
    let _ = fs::remove_file(path(uid));
    while mounts(uid) > 0 {
        unmount(path(uid), UnmountFlags::DETACH).unwrap();
    }
    let _ = fs::remove_dir(path(uid));
}

/// A link to somewhere else appears and goes.
fn swap(path: &Path, elsewhere: &Path) {
    let aside = path.with_extension("aside");
    let _ = std::os::unix::fs::symlink(elsewhere, &aside);
    // Only over what is no directory; a mount point cannot be renamed over.
    let _ = rustix::fs::renameat_with(
        rustix::fs::CWD,
        &aside,
        rustix::fs::CWD,
        path,
        rustix::fs::RenameFlags::NOREPLACE,
    );
    let _ = rustix::fs::openat(rustix::fs::CWD, path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty());
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(&aside);
}
