//! Runtime directories against the real kernel. Needs root and a mount namespace of one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{GID, make, require_root, uid, wanted};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use usher_broker::sys::mount::{
    Problem, Removed, TableWatch, Wanted, create, inspect, present, remove, remove_bare,
};
use usher_model::RuntimeForm;
use usher_model::record::{RuntimeDir, RuntimeKind};
use usher_protocol::ids::Uid;

fn kind(made: Result<RuntimeDir, Problem>) -> RuntimeKind {
    made.unwrap().kind
}

const PLAIN: RuntimeDir = RuntimeDir { kind: RuntimeKind::Plain, mount: None };
/// A mount that there was and is not any more.
const MADE_ONCE: RuntimeDir = RuntimeDir { kind: RuntimeKind::Mount, mount: Some(u64::MAX) };

fn path(uid: Uid) -> PathBuf {
    uid.runtime_path().into()
}

/// The line of the mount table, if the user's directory has one.
fn table_line(uid: Uid) -> Option<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().find(|line| line.split(' ').nth(4) == path(uid).to_str()).map(str::to_owned)
}

fn mounts(uid: Uid) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == path(uid).to_str()).count()
}

fn foreign_mount(uid: Uid, options: &str) {
    fs::create_dir_all(path(uid)).unwrap();
    let options = std::ffi::CString::new(options).unwrap();
    mount("somebody", path(uid), "tmpfs", MountFlags::empty(), Some(&*options)).unwrap();
}

#[test]
fn a_bare_directory_goes_and_anything_else_stays() {
    require_root();
    let uid = uid(120);
    remove_bare(uid).unwrap();
    fs::create_dir_all(path(uid)).unwrap();
    remove_bare(uid).unwrap();
    assert!(!path(uid).exists());

    foreign_mount(uid, "size=4k");
    remove_bare(uid).unwrap();
    assert_eq!(mounts(uid), 1);
    unmount(path(uid), UnmountFlags::DETACH).unwrap();
    fs::write(path(uid).join("precious"), "").unwrap();
    remove_bare(uid).unwrap();
    assert!(path(uid).join("precious").exists());
    fs::remove_dir_all(path(uid)).unwrap();
    symlink("/tmp", path(uid)).unwrap();
    remove_bare(uid).unwrap();
    assert!(path(uid).is_symlink());
    fs::remove_file(path(uid)).unwrap();
}

#[test]
fn a_directory_is_mounted_whole_and_removed_whole() {
    require_root();
    let uid = uid(101);
    assert_eq!(inspect(uid).unwrap(), None);
    assert_eq!(present(uid, None).unwrap(), None);
    let made = make(uid).unwrap();
    assert_eq!(made.kind, RuntimeKind::Mount);

    let status = fs::metadata(path(uid)).unwrap();
    assert_eq!((status.uid(), status.gid(), status.mode() & 0o7777), (uid.get(), GID, 0o700));
    let line = table_line(uid).unwrap();
    for wanted in ["nosuid", "nodev", "shared:", " - tmpfs tmpfs ", "mode=700", "size=1024k", "nr_inodes=100"]
    {
        assert!(line.contains(wanted), "{wanted} is missing in {line}");
    }
    assert!(!line.contains("noexec"), "{line}");
    assert!(inspect(uid).unwrap().unwrap().ours);
    assert_eq!(present(uid, None).unwrap(), Some(make(uid).unwrap()));

    fs::set_permissions(path(uid), fs::Permissions::from_mode(0o755)).unwrap();
    let id = inspect(uid).unwrap().unwrap().mount_id;
    assert_eq!(kind(make(uid)), RuntimeKind::Mount, "its owner may change its mode");
    assert_eq!((inspect(uid).unwrap().unwrap().mount_id, mounts(uid)), (id, 1), "nothing stacked");

    fs::create_dir(path(uid).join("fuse")).unwrap();
    mount("x", path(uid).join("fuse"), "tmpfs", MountFlags::empty(), None).unwrap();
    let held = fs::File::create(path(uid).join("held")).unwrap();
    assert_eq!(remove(uid, &made).unwrap(), Removed::Gone, "even with mounts and open files in it");
    assert!(!path(uid).exists());
    assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
    drop(held);
}

#[test]
fn somebody_else_s_mount_is_used_if_it_is_fit_and_never_touched() {
    require_root();
    let uid = uid(102);
    foreign_mount(uid, &format!("mode=0700,uid={uid},gid={GID}"));
    let adopted = make(uid).unwrap();
    assert_eq!(adopted.kind, RuntimeKind::Adopted);
    assert_eq!(make(uid).unwrap(), adopted);
    assert_eq!(present(uid, Some(adopted)).unwrap(), Some(adopted));
    assert_eq!(remove(uid, &adopted).unwrap(), Removed::LeftAlone);
    assert_eq!(mounts(uid), 1);
    unmount(path(uid), UnmountFlags::empty()).unwrap();
    assert_eq!(remove(uid, &PLAIN).unwrap(), Removed::Gone);
}

#[test]
fn a_mount_that_is_not_fit_is_refused_with_a_way_out() {
    require_root();
    for (number, options, told) in
        [(103, "mode=0700,uid=0", "uid 0"), (104, "mode=0755,uid=3999000104", "mode 0755")]
    {
        let uid = uid(number);
        foreign_mount(uid, options);
        let problem = make(uid).unwrap_err();
        assert!(matches!(problem, Problem::ForeignMount { .. }), "{problem}");
        let text = problem.to_string();
        for wanted in [&uid.runtime_path(), told, "tmpfs", "umount"] {
            assert!(text.contains(wanted), "{wanted} is missing in: {text}");
        }
        assert_eq!(mounts(uid), 1, "nothing stacked");
        unmount(path(uid), UnmountFlags::empty()).unwrap();
        let made = make(uid).unwrap();
        assert_eq!(made.kind, RuntimeKind::Mount, "the way out works");
        assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
    }
}

#[test]
fn links_and_files_are_refused() {
    require_root();
    let uid = uid(105);
    fs::create_dir_all("/run/user").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), path(uid)).unwrap();
    let problem = make(uid).unwrap_err().to_string();
    assert!(problem.contains("a symbolic link"), "{problem}");
    assert!(remove(uid, &MADE_ONCE).is_err());
    assert_eq!(fs::metadata(elsewhere.path()).unwrap().uid(), 0, "nothing happened at the other end");
    fs::remove_file(path(uid)).unwrap();
    fs::write(path(uid), "x").unwrap();
    let problem = make(uid).unwrap_err().to_string();
    assert!(problem.contains("a file"), "{problem}");
    fs::remove_file(path(uid)).unwrap();
}

#[test]
fn nobody_sees_a_half_made_directory() {
    require_root();
    let uid = uid(106);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let observer = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let Ok(status) = fs::symlink_metadata(path(uid)) else { continue };
                let owner = (status.uid(), status.gid(), status.mode() & 0o7777);
                // Until it is the user's, nobody but root can do anything with it.
                assert!([(0, 0, 0o700), (uid.get(), GID, 0o700)].contains(&owner), "{owner:?}");
                seen += 1;
            }
            seen
        });
        for _ in 0..300 {
            let made = make(uid).unwrap();
            assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
        }
        done.store(true, Ordering::Relaxed);
        assert!(observer.join().unwrap() > 0);
    });
}

/// Runs something in a thread that may not mount, as in a container.
fn without_mounting<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sets = capabilities(None).unwrap();
            sets.effective.remove(CapabilitySet::SYS_ADMIN);
            sets.permitted.remove(CapabilitySet::SYS_ADMIN);
            sets.inheritable.remove(CapabilitySet::SYS_ADMIN);
            set_capabilities(None, sets).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

#[test]
fn where_mounting_is_not_permitted_a_plain_directory_will_do() {
    require_root();
    let uid = uid(107);
    without_mounting(|| {
        assert_eq!(kind(make(uid)), RuntimeKind::Plain);
        let status = fs::metadata(path(uid)).unwrap();
        assert_eq!((status.uid(), status.gid(), status.mode() & 0o7777), (uid.get(), GID, 0o700));
        fs::write(path(uid).join("mine"), "x").unwrap();
        assert_eq!(kind(make(uid)), RuntimeKind::Plain, "found again");
        assert_eq!(present(uid, Some(PLAIN)).unwrap(), Some(PLAIN));
        assert_eq!(remove(uid, &PLAIN).unwrap(), Removed::NeedsUserCleanup);
        fs::remove_file(path(uid).join("mine")).unwrap();
        assert_eq!(remove(uid, &PLAIN).unwrap(), Removed::Gone);
    });
}

#[test]
fn a_plain_directory_with_somebody_else_s_things_in_it_is_refused() {
    require_root();
    let uid = uid(108);
    fs::create_dir_all(path(uid)).unwrap();
    without_mounting(|| {
        fs::write(path(uid).join("root-s"), "x").unwrap();
        let problem = make(uid).unwrap_err();
        assert!(matches!(problem, Problem::Occupied { owner: 0, .. }), "{problem}");
        fs::remove_file(path(uid).join("root-s")).unwrap();
        assert_eq!(kind(make(uid)), RuntimeKind::Plain, "empty and root's: nobody misses it");
        chown(path(uid), Some(1), None).unwrap();
        assert!(matches!(make(uid), Err(Problem::Occupied { owner: 1, .. })));
    });
    fs::remove_dir(path(uid)).unwrap();
}

#[test]
fn the_form_is_what_was_asked_for() {
    require_root();
    let uid = uid(109);
    let make = |form| create(&Wanted { form, ..wanted(uid) }, None);
    assert_eq!(make(RuntimeForm::Directory).unwrap(), PLAIN);
    assert_eq!(mounts(uid), 0);
    assert_eq!(make(RuntimeForm::Directory).unwrap(), PLAIN, "found again");
    assert_eq!(remove(uid, &PLAIN).unwrap(), Removed::Gone);
    without_mounting(|| {
        let problem = make(RuntimeForm::Tmpfs).unwrap_err().to_string();
        assert!(problem.contains("RuntimeDirectory=tmpfs") && problem.contains("CAP_SYS_ADMIN"), "{problem}");
        assert!(!path(uid).exists());
    });
    let made = make(RuntimeForm::Tmpfs).unwrap();
    assert_eq!(made.kind, RuntimeKind::Mount);
    assert_eq!(make(RuntimeForm::Directory).unwrap(), made, "what is there is used");
    assert_eq!(remove(uid, &made).unwrap(), Removed::Gone);
}

#[test]
fn a_change_of_the_mount_table_is_told_and_nothing_else_is() {
    require_root();
    let place = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = |watch: &TableWatch, within| {
        runtime.block_on(async {
            tokio::time::timeout(within, watch.changed()).await.is_ok_and(|told| told.is_ok())
        })
    };
    let (moment, long) = (Duration::from_millis(50), Duration::from_secs(10));
    for unmounts in [false, true] {
        // Other tests mount things, too, hundreds in one go: a quiet moment comes.
        let deadline = std::time::Instant::now() + long;
        let watch = std::iter::repeat_with(|| runtime.block_on(async { TableWatch::begin() }).unwrap())
            .take_while(|_| std::time::Instant::now() < deadline)
            .find(|watch| !told(watch, moment));
        let watch = watch.expect("a moment in which nothing is mounted, and nothing is told");
        if unmounts {
            unmount(place.path(), UnmountFlags::DETACH).unwrap();
        } else {
            mount("none", place.path(), "tmpfs", MountFlags::empty(), None).unwrap();
        }
        assert!(told(&watch, long));
    }
}
