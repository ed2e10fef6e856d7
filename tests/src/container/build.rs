//! Building a root file system with mmdebstrap, from the mirror that this computer's apt uses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::image::Parts;
use crate::machine::command::finish;

/// To be changed when images have to be made anew because this file makes them differently.
pub(super) const WAY: u32 = 1;
/// Nobody reads manuals there.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*"];
/// Where the script is in the new system while it runs.
const SCRIPT: &str = ".container-setup";
/// Some 25 s, most of it the network's.
const LIMIT: Duration = Duration::from_secs(900);

/// Writes the tar file.
pub(super) fn build(parts: &Parts<'_>, tar: &Path) -> Result<()> {
    ensure!(
        found("mmdebstrap") && found("systemd-nspawn"),
        "containers need mmdebstrap and systemd-nspawn: `apt-get install mmdebstrap systemd-container`"
    );
    let additions = tempfile::tempdir().context("make a temporary directory")?;
    let tree = additions.path().join("tree");
    write(&tree, parts)?;
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--format=tar"]);
    if !parts.packages.is_empty() {
        command.arg(format!("--include={}", parts.packages.join(",")));
    }
    command.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    let keep = "--no-overwrite-dir --keep-directory-symlink";
    command.arg(format!("--customize-hook=tar -C '{}' -c . | tar -C \"$1\" -x {keep}", tree.display()));
    command.arg(format!("--customize-hook=chroot \"$1\" sh -e /{SCRIPT} && rm \"$1/{SCRIPT}\""));
    command.arg(parts.suite).arg(tar).args(mirror()).stdin(Stdio::null());
    let output = finish(command, LIMIT).context("run mmdebstrap")?;
    let output = output.with_context(|| format!("mmdebstrap did not end within {LIMIT:?}"))?;
    if !output.ok() {
        bail!("mmdebstrap cannot make Debian {}; does apt-get update work here? {output}", parts.suite);
    }
    Ok(())
}

/// The recipe's files and script, in places as in the new system.
fn write(tree: &Path, parts: &Parts<'_>) -> Result<()> {
    fs::create_dir(tree).with_context(|| format!("make {}", tree.display()))?;
    let script = (PathBuf::from(SCRIPT), parts.setup.to_owned(), 0o600);
    for (path, contents, mode) in parts.files.iter().chain([&script]) {
        let place = tree.join(path.strip_prefix("/").unwrap_or(path));
        let written = place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            fs::write(&place, contents)?;
            fs::set_permissions(&place, fs::Permissions::from_mode(*mode))
        });
        written.with_context(|| format!("write {}", place.display()))?;
    }
    Ok(())
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
