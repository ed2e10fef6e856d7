//! What happens in child processes that are this program itself, started again: lookups in the user database and
//! deleting with a user's rights. Has a `main` of its own, which does what usherd's does with the internal arguments.
//! Needs root.

#[allow(dead_code)] // each test program uses a part of it
mod common;

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use usher_broker::sys::accounts::{Helper, LOOKUP_ARGUMENT, LookupError, Query, lookup_main};
use usher_broker::sys::mount::{REMOVE_CONTENTS_ARGUMENT, Removed, remove_as_user, remove_contents};
use usher_protocol::ids::Uid;

const TIMEOUT: Duration = Duration::from_secs(10);

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
        // The harness's `--list` and filters mean nothing here.
        _ => {
            common::require_root();
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                lookups().await;
                contents_go_with_the_user_s_rights_only().await;
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
