//! What a user leaves behind: runtime directory, slice, IPC objects.

use std::sync::Arc;
use std::time::Duration;

use usher_model::Reaped;
use usher_model::record::{RuntimeDir, RuntimeKind};
use usher_protocol::ids::Uid;

use crate::sys::cgroup::CgroupRoot;
use crate::sys::ipc;
use crate::sys::mount::{self, Removed};
use crate::{crash, manager};

/// How long removing directories among the shared memory may take: a login may be waiting, within its budget.
const SHARED_TIMEOUT: Duration = Duration::from_secs(2);
/// How long removing the contents of a plain runtime directory may take.
const CONTENTS_TIMEOUT: Duration = Duration::from_secs(60);

/// Removes it all; goes on after a failure, and reports everything that is left.
pub(crate) async fn run(
    uid: Uid,
    gid: u32,
    runtime: Option<RuntimeDir>,
    remove_ipc: bool,
    cgroups: Option<Arc<CgroupRoot>>,
) -> Result<(), String> {
    let mut problems = Vec::new();
    manager::clear(uid, cgroups.clone()).await;
    crash::point(crash::TEARDOWN_MANAGER_CLEARED);
    let removed = match runtime {
        Some(dir) => remove_runtime_dir(uid, gid, dir).await,
        None => mount::remove_bare(uid).map_err(|error| error.to_string()),
    };
    if let Err(error) = removed {
        problems.push(error);
    }
    crash::point(crash::TEARDOWN_RUNTIME_REMOVED);
    if remove_ipc && let Err(error) = remove_shared_directories(uid, gid).await {
        problems.push(error);
    }
    let rest = move || {
        let mut problems = Vec::new();
        if remove_ipc && let Err(error) = ipc::remove_ipc(uid) {
            problems.push(error.to_string());
        }
        crash::point(crash::TEARDOWN_IPC_REMOVED);
        if let Some(cgroups) = cgroups {
            match cgroups.remove_slice(uid) {
                Err(error) => problems.push(error.to_string()),
                Ok(Reaped::Busy) => {
                    let slice = cgroups.slice_path(uid);
                    let left = cgroups.survivors(&slice, &slice);
                    problems.push(format!("processes are left in {}: {left}", uid.slice()));
                }
                Ok(Reaped::Gone) => {}
            }
        }
        crash::point(crash::TEARDOWN_SLICE_REMOVED);
        problems
    };
    match tokio::task::spawn_blocking(rest).await {
        Ok(more) => problems.extend(more),
        Err(error) => problems.push(error.to_string()),
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Directories among the shared memory, all of them in the time that there is.
async fn remove_shared_directories(uid: Uid, gid: u32) -> Result<(), String> {
    let directories = tokio::task::spawn_blocking(move || ipc::directories(uid)).await;
    let directories = directories.map_err(|error| error.to_string())?;
    let deadline = tokio::time::Instant::now() + SHARED_TIMEOUT;
    let mut failed = None;
    for path in directories {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let emptied = mount::remove_contents_as_user(&path, uid, gid, left).await;
        // Only if it is an empty directory: whatever else it may be by now stays.
        let removed = emptied.map_err(|error| error.to_string()).and_then(|()| {
            std::fs::remove_dir(&path).map_err(|error| format!("cannot remove {}: {error}", path.display()))
        });
        failed = failed.or(removed.err());
    }
    failed.map_or(Ok(()), Err)
}

async fn remove_runtime_dir(uid: Uid, gid: u32, dir: RuntimeDir) -> Result<(), String> {
    let removed = tokio::task::spawn_blocking(move || mount::remove(uid, &dir)).await;
    let mut removed = removed.map_err(|error| error.to_string())?;
    if let (Ok(Removed::NeedsUserCleanup), RuntimeKind::Plain) = (&removed, dir.kind) {
        // Never as root in a user's directory: what is in there is removed as the user.
        removed = mount::remove_as_user(uid, gid, CONTENTS_TIMEOUT).await;
    }
    match removed.map_err(|error| error.to_string())? {
        Removed::Gone | Removed::LeftAlone => Ok(()),
        Removed::NeedsUserCleanup => {
            let path = uid.runtime_path();
            Err(format!("{path} stays, because it is not empty: look at what is in it and remove it"))
        }
    }
}
