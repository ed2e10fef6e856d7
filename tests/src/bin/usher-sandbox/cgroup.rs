//! The machine's directory in the host's cgroup2 tree.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use usher_tests::spec::INIT_CGROUP;

/// How long the kernel may take to let go of killed processes.
const REMOVAL: Duration = Duration::from_secs(10);

/// Makes the directory and the one for PID 1 in it.
pub(crate) fn create(directory: &Path) -> Result<()> {
    fs::create_dir(directory).with_context(|| {
        format!("make the cgroup {}: the host's cgroup2 tree must be writable for root", directory.display())
    })?;
    let init = directory.join(INIT_CGROUP);
    fs::create_dir(&init).with_context(|| format!("make the cgroup {}", init.display()))
}

/// Moves the calling process.
pub(crate) fn join(directory: &Path) -> Result<()> {
    let procs = directory.join("cgroup.procs");
    fs::write(&procs, "0").with_context(|| format!("move a process by writing {}", procs.display()))
}

/// Kills whatever is left and removes the directory with everything in it.
pub(crate) fn remove(directory: &Path) -> Result<()> {
    // Kernels before 5.14 have no such file; there the end of the pid namespace must do.
    let _ = fs::write(directory.join("cgroup.kill"), "1");
    let deadline = Instant::now() + REMOVAL;
    loop {
        match remove_tree(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("remove the cgroup {}", directory.display()));
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Depth first; the files of a cgroup directory go with it.
fn remove_tree(directory: &Path) -> std::io::Result<()> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}
