//! What happens in child processes that are this program itself, started again: lookups in the user database and
//! deleting with a user's rights. Has a `main` of its own, which does what usherd's does with the internal arguments.
//! Needs root.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fchmod, openat, renameat_with};
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use usher_broker::sys::accounts::{Helper, LOOKUP_ARGUMENT, LookupError, Query, lookup_main};
use usher_broker::sys::mount::{REMOVE_CONTENTS_ARGUMENT, Removed, remove_as_user, remove_contents};
use usher_protocol::ids::Uid;

const TIMEOUT: Duration = Duration::from_secs(10);
/// This program with this argument and two paths is a user who makes it hard to delete what is at the first.
const ATTACK: &str = "--attack";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, LOOKUP_ARGUMENT, "uid:3999000301"] => {
            // Stands in for a user database that hangs.
            std::thread::park();
            ExitCode::FAILURE
        }
        [_, LOOKUP_ARGUMENT, query] => lookup_main(query),
        [_, REMOVE_CONTENTS_ARGUMENT, path] => match remove_contents(Path::new(path)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        [_, ATTACK, path, outside] => attack(Path::new(path), Path::new(outside)),
        // The harness's `--list` and filters mean nothing here.
        _ => {
            common::require_root();
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                lookups().await;
                contents_go_with_the_user_s_rights_only().await;
                what_is_mounted_among_the_contents_stays().await;
                nothing_outside_goes_whatever_the_user_does_meanwhile().await;
            });
            println!("kernel_children: ok");
            ExitCode::SUCCESS
        }
    }
}

async fn lookups() {
    let root = helper(Uid::ROOT).answer().await.expect("root exists");
    assert_eq!((root.name.as_str(), root.gid, root.home.as_str()), ("root", 0, "/root"));
    let nobody = helper(common::uid(300)).answer().await;
    assert!(matches!(nobody, Err(LookupError::NoSuchUser)), "{nobody:?}");
    let mut hung = helper(common::uid(301));
    let answer = tokio::time::timeout(Duration::from_millis(100), hung.answer()).await;
    assert!(answer.is_err() && !hung.is_gone(), "{answer:?}");
    tokio::time::timeout(TIMEOUT, hung.end()).await.expect("a helper that hangs can be killed");
    assert!(hung.is_killed() && hung.is_gone());
}

fn helper(uid: Uid) -> Helper {
    Helper::start(&Query::ByUid(uid)).expect("a helper can be started")
}

async fn contents_go_with_the_user_s_rights_only() {
    let uid = common::uid(302);
    let path = uid.runtime_path();
    let directory = Path::new(&path);
    fs::create_dir_all(directory.join("a/b")).expect("the directory can be made");
    fs::write(directory.join("a/b/file"), "x").expect("a file can be made");
    for part in ["", "a", "a/b"] {
        chown(directory.join(part), Some(uid.get()), Some(4242)).expect("it can be given away");
    }
    assert_eq!(remove_as_user(uid, 4242, TIMEOUT).await.expect("it is the user's"), Removed::Gone);
    assert!(!directory.exists());
    assert_eq!(remove_as_user(uid, 4242, TIMEOUT).await.expect("nothing to do"), Removed::Gone);

    fs::create_dir_all(directory.join("root-s")).expect("the directory can be made");
    fs::write(directory.join("root-s/file"), "x").expect("a file can be made");
    chown(directory, Some(uid.get()), Some(4242)).expect("it can be given away");
    let refused = remove_as_user(uid, 4242, TIMEOUT).await;
    assert!(refused.is_err() && directory.join("root-s/file").exists(), "{refused:?}");
    fs::remove_dir_all(directory).expect("it can be removed by root");
}

/// A runtime directory of the user's with something in it, and a directory of hers on the same file system.
fn prepare(uid: Uid) -> (String, String) {
    let (path, outside) = (uid.runtime_path(), format!("/run/outside-{uid}"));
    for (directory, mode) in [(&path, 0o700), (&outside, 0o755), (&format!("{path}/there"), 0o755)] {
        fs::create_dir_all(directory).expect("the directory can be made");
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).expect("it can be changed");
        chown(directory, Some(uid.get()), Some(4242)).expect("it can be given away");
    }
    let precious = format!("{outside}/precious");
    fs::write(&precious, "x").expect("a file can be made");
    chown(precious, Some(uid.get()), Some(4242)).expect("it can be given away");
    (path, outside)
}

fn assert_untouched(outside: &str) {
    let status = fs::metadata(outside).expect("it is there");
    assert_eq!(status.mode() & 0o7777, 0o755, "{outside} was made another mode");
    assert!(Path::new(outside).join("precious").exists(), "{outside} was emptied");
}

/// Of the same file system, too: the user's own things elsewhere.
async fn what_is_mounted_among_the_contents_stays() {
    let uid = common::uid(303);
    let (path, outside) = prepare(uid);
    let there = format!("{path}/there");
    mount_bind(outside.as_str(), there.as_str()).expect("it can be mounted");
    let refused =
        remove_as_user(uid, 4242, TIMEOUT).await.expect_err("something is mounted there").to_string();
    assert!(refused.contains(&path), "{refused}");
    assert_untouched(&outside);
    unmount(there.as_str(), UnmountFlags::empty()).expect("it can be unmounted");
    assert_eq!(remove_as_user(uid, 4242, TIMEOUT).await.expect("it is the user's"), Removed::Gone);
    assert_untouched(&outside);
    fs::remove_dir_all(outside).expect("it can be removed");
}

/// A process of the user's swaps directories and links, locks, nests and fills them, all the time.
async fn nothing_outside_goes_whatever_the_user_does_meanwhile() {
    let uid = common::uid(304);
    let (path, outside) = prepare(uid);
    let program = std::env::current_exe().expect("this program");
    let mut attacker = Command::new(program)
        .args([ATTACK, &path, &outside])
        .uid(uid.get())
        .gid(4242)
        .stderr(Stdio::null())
        .spawn()
        .expect("the attacker starts");
    common::wait_until("the attack", || fs::read_dir(&path).map_or(0, Iterator::count), |&names| names > 1);
    let budget = Duration::from_millis(300);
    let (mut gone, mut given_up) = (0, 0);
    for _ in 0..60 {
        let start = Instant::now();
        match remove_as_user(uid, 4242, budget).await {
            // The user had nothing in there for a moment.
            Ok(removed) => {
                assert!(removed == Removed::Gone || removed == Removed::NeedsUserCleanup, "{removed:?}");
                gone += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains(&path), "{error}");
                given_up += 1;
            }
        }
        assert!(start.elapsed() < budget + TIMEOUT, "{:?}", start.elapsed());
        assert_untouched(&outside);
        prepare(uid);
    }
    common::report(format_args!("under attack: removed {gone} times, given up {given_up} times"));
    assert!(attacker.try_wait().expect("it can be asked").is_none(), "the attacker has given up");
    attacker.kill().and_then(|()| attacker.wait()).expect("it can be killed");
    assert_eq!(remove_as_user(uid, 4242, TIMEOUT).await.expect("nobody is in the way"), Removed::Gone);
    assert_untouched(&outside);
    fs::remove_dir_all(outside).expect("it can be removed");
}

/// What it does fails as often as not: somebody deletes it meanwhile.
fn attack(path: &Path, outside: &Path) -> ExitCode {
    std::thread::scope(|scope| {
        for number in 0..3 {
            scope.spawn(move || attack_as(number, path, outside));
        }
    });
    ExitCode::SUCCESS
}

fn attack_as(number: u32, path: &Path, outside: &Path) {
    let parent = std::os::unix::process::parent_id();
    let mut turn = 0_u32;
    while std::os::unix::process::parent_id() == parent {
        turn = (turn + 1) % 7;
        let at = |name: &str| path.join(format!("{name}-{number}-{turn}"));
        let (trap, link, deep) = (at("trap"), at("link"), at("deep"));
        let _ = fs::create_dir(&trap);
        let _ = fs::create_dir_all(deep.join("er/and/deeper"));
        let _ = symlink(outside, &link);
        let _ = symlink(outside, deep.join("er/link"));
        let _ = fs::write(trap.join("file"), "x");
        // Not what a link points to: that the attack itself must not touch.
        if let Ok(opened) = openat(CWD, &trap, OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            let _ = fchmod(opened, Mode::empty());
        }
        // Now a directory that has to be unlocked, now a link to what must not be touched.
        for _ in 0..100 {
            let _ = renameat_with(CWD, &trap, CWD, &link, RenameFlags::EXCHANGE);
        }
        // Out of the tree and back.
        let aside = outside.join(format!("aside-{number}"));
        let _ = fs::rename(&deep, &aside);
        let _ = fs::rename(&aside, &deep);
    }
}
