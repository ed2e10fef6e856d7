//! The container's root file system: made by mmdebstrap from the mirror that this computer's apt uses, kept as one tar file
//! in cargo's target directory (a tree there would hold files of root), made again when the recipe changes.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};

use crate::artefacts;
use crate::machine::command::finish;

/// With logind 257.
const SUITE: &str = "trixie";
const PACKAGES: &str = "systemd,dbus,libpam-systemd,login";
/// Nobody reads manuals there.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*"];
/// Run in the new root: the people, and no login prompt on the console.
const SETUP: &str = "useradd --create-home --shell /bin/sh --uid 1001 alice; \
    useradd --create-home --shell /bin/sh --uid 1002 bob; \
    systemctl mask console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer systemd-tmpfiles-clean.timer";
/// Some 25 s, most of it the network's.
const BUILD: Duration = Duration::from_secs(600);

/// The tar file, made first if it is not there or of another recipe. One process makes it, others wait.
pub(super) fn ensure() -> Result<PathBuf> {
    let directory = artefacts::target_dir()?.join("oracle");
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    give(&directory)?;
    let lock = directory.join("lock");
    let file = File::create(&lock).with_context(|| format!("make {}", lock.display()))?;
    give(&lock)?;
    flock(&file, FlockOperation::LockExclusive).with_context(|| format!("lock {}", lock.display()))?;
    let tar = directory.join(format!("{SUITE}-{:016x}.tar", recipe()));
    if !tar.exists() {
        for entry in fs::read_dir(&directory)?.flatten().filter(|entry| entry.path() != lock) {
            fs::remove_file(entry.path()).with_context(|| format!("remove {}", entry.path().display()))?;
        }
        build(&tar)?;
    }
    Ok(tar)
}

fn build(tar: &Path) -> Result<()> {
    ensure!(
        found("mmdebstrap") && found("systemd-nspawn"),
        "the real logind needs mmdebstrap and systemd-nspawn: `apt-get install mmdebstrap systemd-container`"
    );
    // Complete or not there.
    let new = tar.with_extension("new.tar");
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--format=tar"]).arg(format!("--include={PACKAGES}"));
    command.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    command.arg(format!("--customize-hook=chroot \"$1\" sh -ec '{SETUP}'"));
    command.arg(SUITE).arg(&new).args(mirror()).stdin(Stdio::null());
    let output = finish(command, BUILD).context("run mmdebstrap")?;
    let output = output.with_context(|| format!("mmdebstrap did not end within {BUILD:?}"))?;
    if !output.ok() {
        let _ = fs::remove_file(&new);
        bail!("mmdebstrap cannot make Debian {SUITE}; does apt-get update work here? {output}");
    }
    give(&new)?;
    fs::rename(&new, tar).with_context(|| format!("rename {}", new.display()))
}

/// Where this computer's apt gets Debian from; mmdebstrap's own choice if it does not.
fn mirror() -> Option<String> {
    let format = "$(ORIGIN) $(LABEL) $(REPO_URI)";
    let output = Command::new("apt-get").args(["indextargets", "--format", format]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|dir| dir.join(program).exists())
}

fn recipe() -> u64 {
    let mut hasher = DefaultHasher::new();
    (SUITE, PACKAGES, LEFT_OUT, SETUP).hash(&mut hasher);
    hasher.finish()
}

/// The target directory holds only files of the one who builds.
fn give(path: &Path) -> Result<()> {
    let parent = path.parent().context("a path without a parent")?;
    let owner = fs::metadata(parent).with_context(|| format!("look at {}", parent.display()))?;
    chown(path, Some(owner.uid()), Some(owner.gid())).with_context(|| format!("chown {}", path.display()))
}
