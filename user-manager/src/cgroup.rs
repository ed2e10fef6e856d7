//! Into the manager's cgroup, `user@UID.service/init.scope`, which usherd has made and given to the user
//! (contract/user-lifecycle.md section 7).

use std::path::Path;

use crate::failure::{Failure, Phase};

/// Moves this process. It has no children yet, and all that it will have belong here, too.
pub(crate) fn join(directory: &Path) -> Result<(), Failure> {
    let file = directory.join("cgroup.procs");
    // cgroups(7): 0 is the writer.
    std::fs::write(&file, "0").map_err(|e| Failure {
        phase: Phase::Cgroup,
        what: format!("cannot join cgroup {}: {e}", file.display()),
        advice: "is the cgroup2 mount writable, and has something else removed usherd's cgroups?",
    })
}
