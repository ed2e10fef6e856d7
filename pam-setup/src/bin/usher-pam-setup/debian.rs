//! Debian and its relatives: pam-auth-update(8) writes the shared files, and switches profiles on and off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use usher_pam_setup::plan::Refusal;
use usher_pam_setup::{Broker, CANDIDATE, Group, Module, PamConfig, unified_diff};

use crate::change::{is_this_machine, note};
use crate::store::{NEW, Store};
use crate::trial;
use usher_pam_setup::cli::{Change, Common};

const PROFILE: &str = "usher";
const PROFILES: &str = "/usr/share/pam-configs";
/// What pam-auth-update remembers between runs.
const STATE: &str = "/var/lib/pam";
/// What logins share.
const SHARED: &str = "common-session";
/// All files that pam-auth-update writes.
const WRITTEN: [&str; 5] =
    ["common-auth", "common-account", "common-password", SHARED, "common-session-noninteractive"];
/// The names of the profiles that install has switched off, in the directory of copies.
const REPLACED: &str = "profiles";

/// Switches usher's profile on.
pub(crate) fn install(config: &PamConfig, common: &Common, change: &Change, replace: bool) -> Result<()> {
    let others = brokers(config)?;
    if others.is_empty() && config.own_stack(SHARED, Group::Session)?.has_usher() {
        println!("/etc/pam.d/{SHARED}: pam_usher.so is in it already, nothing to do");
        return Ok(());
    }
    if !others.is_empty() && !replace {
        return Err(Refusal::OtherBroker(others).into());
    }
    need_this_machine(common)?;
    if !Path::new(PROFILES).join(PROFILE).is_file() {
        bail!(
            "{PROFILES}/{PROFILE} does not exist: it is a part of usher's packaging (packaging/pam-configs/usher)"
        );
    }
    let off = profiles_of(&others)?;
    run(config, common, change, &[PROFILE], &off.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(())
}

/// Switches it off, and on again what was switched off for it.
pub(crate) fn remove(config: &PamConfig, common: &Common, change: &Change) -> Result<()> {
    if !config.own_stack(SHARED, Group::Session)?.has_usher() {
        println!("/etc/pam.d/{SHARED}: pam_usher.so is not in it, nothing to do");
        return Ok(());
    }
    need_this_machine(common)?;
    let remembered = Path::new("/var/lib/usher/pam-backup").join(REPLACED);
    let on = fs::read_to_string(&remembered).unwrap_or_default();
    let on: Vec<&str> = on.lines().filter(|name| Path::new(PROFILES).join(name).is_file()).collect();
    run(config, common, change, &on, &[PROFILE])?;
    if !change.dry_run {
        let _ = fs::remove_file(&remembered);
    }
    Ok(())
}

/// The brokers beside usher in what logins share.
fn brokers(config: &PamConfig) -> Result<Vec<Module>> {
    let stack = config.own_stack(SHARED, Group::Session)?;
    Ok(stack
        .brokers()
        .filter(|(broker, _)| *broker != Broker::Usher)
        .map(|(_, module)| module.clone())
        .collect())
}

/// The profiles that bring these modules.
fn profiles_of(modules: &[Module]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(PROFILES).with_context(|| format!("list {PROFILES}"))? {
        let path = entry.with_context(|| format!("list {PROFILES}"))?.path();
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        let brings = |module: &Module| text.split_whitespace().any(|word| word == module.module);
        if let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|_| modules.iter().any(brings))
        {
            found.push(name.to_owned());
        }
    }
    for module in modules {
        let brings = |name: &String| {
            fs::read_to_string(Path::new(PROFILES).join(name))
                .is_ok_and(|text| text.split_whitespace().any(|word| word == module.module))
        };
        if !found.iter().any(brings) {
            bail!(
                "{}:{}: no profile in {PROFILES} brings {}: take the line out by hand",
                module.file,
                module.line,
                module.module
            );
        }
    }
    found.sort();
    Ok(found)
}

/// On a copy first: to show what would change, and to try it. Then for good, and back if that fails.
fn run(config: &PamConfig, common: &Common, change: &Change, on: &[&str], off: &[&str]) -> Result<()> {
    let store = Store::open(&common.root, !change.dry_run)?;
    let copy = Copy::make()?;
    copy.update(on, off)?;
    let usher = on.contains(&PROFILE);
    let new = copy.read(SHARED)?;
    let target = store.target(SHARED)?;
    let names = |text: &[u8]| PamConfig::clone(config).with(SHARED, text).own_stack(SHARED, Group::Session);
    if names(&new)?.has_usher() != usher {
        bail!(
            "pam-auth-update leaves /etc/pam.d/common-* as they are: somebody has edited them between its marks. Undo \
             that, or let 'pam-auth-update --force' write them anew; nothing was changed"
        );
    }
    if change.dry_run {
        for name in WRITTEN {
            let old = config.read(name)?.bytes;
            print!("{}", unified_diff(&format!("/etc/pam.d/{name}"), &old, &copy.read(name)?));
        }
        return Ok(());
    }
    if !change.no_test {
        let candidate = store.candidate(&target, &new, NEW)?;
        trial::run(&candidate.service, usher).with_context(|| {
            format!("a session with the new /etc/pam.d/{SHARED} fails, and nothing was changed")
        })?;
    }
    let mut backup = PathBuf::new();
    for name in WRITTEN {
        let target = store.target(name)?;
        backup = store.back_up(&target)?;
    }
    if usher && !off.is_empty() {
        let remembered = store.backups()?.join(REPLACED);
        fs::write(&remembered, off.join("\n") + "\n")
            .with_context(|| format!("write {}", remembered.display()))?;
    }
    update(None, on, off)?;
    let session = match change.no_test {
        true => None,
        false => match trial::run(SHARED, usher) {
            Ok(session) => session,
            Err(error) => {
                update(None, off, on)
                    .context("a session with the new stack fails, and pam-auth-update cannot undo it")?;
                let text = format!(
                    "a session with the new /etc/pam.d/{SHARED} fails; pam-auth-update has undone it"
                );
                return Err(error.context(text));
            }
        },
    };
    let directory = backup.parent().unwrap_or(Path::new("/")).display();
    println!(
        "pam-auth-update has switched {} {}; the old files are in {directory}",
        PROFILE,
        if usher { "on" } else { "off" }
    );
    note(usher && !change.no_test, session.as_deref());
    Ok(())
}

/// pam-auth-update, on this machine or on a copy of its files.
fn update(root: Option<&Path>, on: &[&str], off: &[&str]) -> Result<()> {
    let mut command = Command::new("pam-auth-update");
    command.arg("--package").env("DEBIAN_FRONTEND", "noninteractive");
    if let Some(root) = root {
        // Answers are kept beside the copy, and not in the machine's debconf.
        let database = root.join("debconf");
        command.env("DEBCONF_DB_REPLACE", format!("File{{filename:{}}}", database.display()));
        command.arg("--root").arg(root);
    }
    if !on.is_empty() {
        command.arg("--enable").args(on);
    }
    if !off.is_empty() {
        command.arg("--disable").args(off);
    }
    let output =
        command.stdin(Stdio::null()).output().context("run pam-auth-update (package libpam-runtime)")?;
    if !output.status.success() {
        bail!(
            "pam-auth-update failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// What pam-auth-update reads and writes, in a directory of its own.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Result<Self> {
        let template = std::env::temp_dir().join(format!("{CANDIDATE}{}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&template).with_context(|| format!("make {}", template.display()))?;
        let copy = Self(template);
        for directory in ["/etc/pam.d", PROFILES, STATE] {
            copy.directory(directory)?;
        }
        Ok(copy)
    }

    fn directory(&self, path: &str) -> Result<()> {
        let to = self.0.join(path.trim_start_matches('/'));
        fs::create_dir_all(&to).with_context(|| format!("make {}", to.display()))?;
        for entry in fs::read_dir(path).with_context(|| format!("list {path}"))? {
            let entry = entry.with_context(|| format!("list {path}"))?;
            if entry.path().is_file() {
                let to = to.join(entry.file_name());
                fs::copy(entry.path(), &to).with_context(|| format!("copy {}", entry.path().display()))?;
            }
        }
        Ok(())
    }

    fn update(&self, on: &[&str], off: &[&str]) -> Result<()> {
        update(Some(&self.0), on, off)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.0.join("etc/pam.d").join(name);
        fs::read(&path).with_context(|| format!("read {}", path.display()))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn need_this_machine(common: &Common) -> Result<()> {
    if !is_this_machine(common) {
        bail!(
            "pam-auth-update keeps its answers in debconf, which --root does not reach: run \
             'chroot {} usher-pam-setup ...' instead",
            common.root.display()
        );
    }
    Ok(())
}
