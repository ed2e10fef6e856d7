//! The PAM module is not taken away from under a PAM stack that loads it: with `required`, nobody could log in any more.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::layout::Layout;
use super::manifest::Line;
use super::target::{Found, Target};

const MODULE: &str = "pam_usher.so";

/// Refuses to go on while files of /etc/pam.d load the module, other than those that go with it.
pub(super) fn refuse_while_in_use(target: &Target, layout: &Layout, installed: &[Line]) -> Result<()> {
    let directory = layout.sysconfdir.join("pam.d");
    let place = target.at(&directory);
    if !place.is_dir() {
        return Ok(());
    }
    let mut users: Vec<PathBuf> = Vec::new();
    for entry in place.read_dir().with_context(|| format!("list {}", place.display()))? {
        let name = entry.with_context(|| format!("list {}", place.display()))?.file_name();
        let path = directory.join(name);
        if installed.iter().any(|line| line.path == path) {
            continue;
        }
        if let Found::File(bytes) = target.find(&path, false)?
            && loads_module(&String::from_utf8_lossy(&bytes))
        {
            users.push(target.at(&path));
        }
    }
    users.sort();
    if users.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = users.iter().map(|path| path.display().to_string()).collect();
    bail!(
        "nothing is removed: {} still load{} {MODULE}; take these lines out first (usher-pam-setup or pam-auth-update does it)",
        shown.join(", "),
        if shown.len() == 1 { "s" } else { "" }
    );
}

/// Whether a line that is no comment names the module. pam.conf(5): what follows a `#` is one.
fn loads_module(text: &str) -> bool {
    let module = |word: &str| Path::new(word).file_name().is_some_and(|name| name == MODULE);
    text.lines().any(|line| line.split('#').next().unwrap_or("").split_whitespace().any(module))
}

#[cfg(test)]
mod tests {
    use super::loads_module;

    #[test]
    fn comments_load_nothing() {
        assert!(loads_module("session required pam_unix.so\n-session optional pam_usher.so debug\n"));
        assert!(loads_module("session optional /usr/lib/security/pam_usher.so"));
        assert!(!loads_module(
            "# session optional pam_usher.so\nsession optional pam_unix.so # not pam_usher.so\n"
        ));
    }
}
