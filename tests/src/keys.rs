//! The SSH keys of the machines: made once for each test process, by the real `ssh-keygen`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::spec::Keys;

/// The keys, made on first use.
pub(crate) fn keys() -> Result<Keys> {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    if let Some(keys) = KEYS.get() {
        return Ok(keys.clone());
    }
    let keys = generate()?;
    Ok(KEYS.get_or_init(|| keys).clone())
}

fn generate() -> Result<Keys> {
    let dir = tempfile::tempdir().context("make a temporary directory for SSH keys")?;
    let (host_private, host_public) = key_pair(&dir.path().join("host"))?;
    let (user_private, user_public) = key_pair(&dir.path().join("user"))?;
    Ok(Keys { host_private, host_public, user_private, user_public })
}

fn key_pair(path: &Path) -> Result<(String, String)> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "usher-sandbox", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .context("run ssh-keygen (package openssh-client; `cargo xtask setup` installs it)")?;
    ensure!(status.success(), "ssh-keygen failed: {status}");
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
    Ok((read(path)?, read(&path.with_extension("pub"))?))
}
