//! Runtime directories get another size while they are in use. Needs root and a mount namespace of one's own.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use common::{require_root, uid};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, mount_remount, unmount};
use usher_broker::sys::mount::{Removed, Wanted, create, inspect, remove, resize};
use usher_model::RuntimeForm;
use usher_model::record::{RuntimeDir, RuntimeKind};
use usher_protocol::ids::Uid;

const MIB: u64 = 1 << 20;
const GID: u32 = 4242;

fn wanted(uid: Uid, bytes: u64) -> Wanted {
    Wanted { uid, gid: GID, form: RuntimeForm::Auto, bytes, inodes: 100 }
}

fn path(uid: Uid) -> PathBuf {
    uid.runtime_path().into()
}

/// Bytes and inodes of what is mounted there.
fn limits(uid: Uid) -> (u64, u64) {
    let now = rustix::fs::statvfs(path(uid)).unwrap();
    (now.f_blocks * now.f_frsize, now.f_files)
}

/// What is to stay as it is: the mount, its flags, owner and mode of its root, the options but for the sizes.
fn rest(uid: Uid) -> (u64, String, (u32, u32, u32)) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = table.lines().rfind(|line| line.split(' ').nth(4) == path(uid).to_str()).unwrap();
    let kept: Vec<_> = line
        .split([' ', ','])
        .filter(|word| !word.starts_with("size=") && !word.starts_with("nr_inodes="))
        .collect();
    let status = fs::metadata(path(uid)).unwrap();
    (inspect(uid).unwrap().unwrap().mount_id, kept.join(" "), (status.uid(), status.gid(), status.mode()))
}

#[test]
fn a_directory_in_use_grows_and_shrinks_in_place() {
    require_root();
    let uid = uid(401);
    let dir = create(&wanted(uid, MIB), None).unwrap();
    fs::write(path(uid).join("mine"), vec![7; 512 << 10]).unwrap();
    fs::set_permissions(path(uid), fs::Permissions::from_mode(0o750)).unwrap();
    chown(path(uid).join("mine"), Some(uid.get()), Some(GID)).unwrap();
    let mut open = File::options().append(true).open(path(uid).join("mine")).unwrap();
    // An administrator's own wish stays, too.
    mount_remount(
        path(uid),
        MountFlags::BIND | MountFlags::NOEXEC | MountFlags::NOSUID | MountFlags::NODEV,
        c"",
    )
    .unwrap();
    let before = rest(uid);
    assert!(
        before.1.contains("noexec") && before.1.contains("nosuid") && before.1.contains("nodev"),
        "{before:?}"
    );

    for (bytes, inodes) in [(4 * MIB, 400), (4 * MIB, 50), (MIB, 50), (2 * MIB, 100)] {
        assert!(resize(uid, &dir, bytes, inodes).unwrap());
        assert_eq!(limits(uid), (bytes, inodes));
        assert_eq!(rest(uid), before);
        assert!(!resize(uid, &dir, bytes, inodes).unwrap(), "nothing to do");
    }
    open.write_all(&[7; 1024]).unwrap();
    assert_eq!(fs::read(path(uid).join("mine")).unwrap(), vec![7; (512 << 10) + 1024]);
    assert_eq!(remove(uid, &dir).unwrap(), Removed::Gone);
}

#[test]
fn nothing_is_made_smaller_than_what_is_in_it() {
    require_root();
    let uid = uid(402);
    let dir = create(&wanted(uid, 4 * MIB), None).unwrap();
    fs::write(path(uid).join("big"), vec![7; 2 << 20]).unwrap();
    for number in 0..50 {
        File::create(path(uid).join(number.to_string())).unwrap();
    }
    for (bytes, inodes) in [(MIB, 100), (4 * MIB, 20)] {
        let error = resize(uid, &dir, bytes, inodes).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot resize {}", path(uid).display())), "{error}");
        assert_eq!(limits(uid), (4 * MIB, 100), "{error}");
    }
    assert_eq!(fs::read(path(uid).join("big")).unwrap().len(), 2 << 20);
    assert_eq!(remove(uid, &dir).unwrap(), Removed::Gone);
}

/// Whatever is on the path: only the mount that usher has made is resized.
#[test]
fn nobody_else_s_mount_is_touched() {
    require_root();
    let uid = uid(403);
    let dir = create(&wanted(uid, MIB), None).unwrap();
    let options = c"size=3m,nr_inodes=77,mode=0700,uid=3999000403";
    mount("somebody", path(uid), "tmpfs", MountFlags::empty(), options).unwrap();
    let foreign = limits(uid);
    assert!(!resize(uid, &dir, 8 * MIB, 800).unwrap(), "mounted over");
    assert_eq!(limits(uid), foreign);
    unmount(path(uid), UnmountFlags::empty()).unwrap();
    assert_eq!(limits(uid), (MIB, 100), "nor what is below, which nobody sees");

    assert_eq!(remove(uid, &dir).unwrap(), Removed::Gone);
    assert!(!resize(uid, &dir, 8 * MIB, 800).unwrap(), "there is none");
    fs::create_dir(path(uid)).unwrap();
    mount("somebody", path(uid), "tmpfs", MountFlags::empty(), options).unwrap();
    let adopted = create(&wanted(uid, MIB), None).unwrap();
    assert_eq!(adopted.kind, RuntimeKind::Adopted);
    assert!(!resize(uid, &dir, 8 * MIB, 800).unwrap(), "in its place");
    assert_eq!(limits(uid), foreign);
    unmount(path(uid), UnmountFlags::empty()).unwrap();
    // The same file system in another mount is not the one that was made, either.
    let elsewhere = tempfile::tempdir().unwrap();
    mount("somebody", elsewhere.path(), "tmpfs", MountFlags::empty(), options).unwrap();
    mount_bind_recursive(elsewhere.path(), path(uid)).unwrap();
    assert!(!resize(uid, &RuntimeDir { mount: None, ..dir }, 8 * MIB, 800).unwrap());
    assert_eq!(limits(uid), foreign);
    for point in [path(uid).as_path(), elsewhere.path()] {
        unmount(point, UnmountFlags::empty()).unwrap();
    }
    fs::remove_dir(path(uid)).unwrap();
}
