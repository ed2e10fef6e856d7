//! The machine's PAM configuration: the host's service files, and the shared stacks as Debian's pam-auth-update writes
//! them on a fresh system, with `pam_usher.so` where `pam_systemd.so` would be.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use usher_tests::spec::Spec;

use crate::etc;

const DIRECTORY: &str = "/etc/pam.d";
/// Packages since Debian 12 keep their files here; a file in /etc/pam.d overrides it.
const VENDOR_DIRECTORY: &str = "/usr/lib/pam.d";

/// Session brokers: none but usher's in a machine.
const BROKERS: [&str; 3] = ["pam_systemd.so", "pam_elogind.so", "pam_usher.so"];
/// Modules that touch what namespaces do not separate (the audit login uid, kernel keyrings, security labels): they may
/// fail here without failing the login.
const MAY_FAIL: [&str; 4] = ["pam_loginuid.so", "pam_keyinit.so", "pam_selinux.so", "pam_apparmor.so"];

const USHER: &str = "session optional pam_usher.so\n";

const COMMON_AUTH: &str = "\
auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
";
const COMMON_ACCOUNT: &str = "\
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
";
const COMMON_PASSWORD: &str = "\
password [success=1 default=ignore] pam_unix.so obscure yescrypt
password requisite pam_deny.so
password required pam_permit.so
";
const COMMON_SESSION: &str = "\
session [default=1] pam_permit.so
session requisite pam_deny.so
session required pam_permit.so
session required pam_unix.so
";
/// For a host without systemd's file; as user@.service's documentation describes it.
const SYSTEMD_USER: &str = "\
@include common-account
session required pam_limits.so
@include common-session-noninteractive
";
/// Authentication and account always succeed: for pamtester and measurements.
const PERMIT: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";

/// Writes all of it.
pub(crate) fn write(spec: &Spec) -> Result<()> {
    let usher = if spec.pam_usher { USHER } else { "" };
    services()?;
    for (name, text) in [
        ("common-auth", COMMON_AUTH.to_owned()),
        ("common-account", COMMON_ACCOUNT.to_owned()),
        ("common-password", COMMON_PASSWORD.to_owned()),
        ("common-session", format!("{COMMON_SESSION}{usher}")),
        ("common-session-noninteractive", COMMON_SESSION.to_owned()),
        ("systemd-user", format!("{}{usher}", rewrite(&systemd_user()?))),
        ("usher-test", format!("{PERMIT}{usher}")),
        ("usher-bench", format!("{PERMIT}{usher}")),
        ("permit-bench", format!("{PERMIT}session required pam_permit.so\n")),
    ] {
        service(name, &text)?;
    }
    for (name, line) in &spec.pam_lines {
        let path = Path::new(DIRECTORY).join(name);
        let text = if path.exists() { read(&path)? } else { PERMIT.to_owned() };
        service(name, &format!("{text}{line}\n"))?;
    }
    Ok(())
}

/// Rewrites what the host's packages brought, where that changes anything.
fn services() -> Result<()> {
    for entry in fs::read_dir(DIRECTORY).context("list /etc/pam.d")? {
        let path = entry.context("list /etc/pam.d")?.path();
        if path.is_file() {
            let before = read(&path)?;
            let after = rewrite(&before);
            if after != before {
                fs::write(&path, after).with_context(|| format!("write {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn systemd_user() -> Result<String> {
    for directory in [DIRECTORY, VENDOR_DIRECTORY] {
        let path = Path::new(directory).join("systemd-user");
        if path.is_file() {
            return read(&path);
        }
    }
    Ok(SYSTEMD_USER.to_owned())
}

fn service(name: &str, text: &str) -> Result<()> {
    etc::file(&Path::new(DIRECTORY).join(name), text, 0o644, 0)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// The service file without other session brokers, and with [`MAY_FAIL`] optional.
fn rewrite(text: &str) -> String {
    text.lines().filter(|line| !names(line, &BROKERS)).map(|line| soften(line) + "\n").collect()
}

fn soften(line: &str) -> String {
    if !names(line, &MAY_FAIL) {
        return line.to_owned();
    }
    // pam.d(5): the control is the second field, either one of these words or in brackets.
    let fields: Vec<&str> = line.split_whitespace().collect();
    match fields.get(1) {
        Some(&control @ ("required" | "requisite")) => line.replacen(control, "optional", 1),
        _ => line.to_owned(),
    }
}

/// Whether a line that is not a comment loads one of the modules, by name or by path.
fn names(line: &str, modules: &[&str]) -> bool {
    !line.trim_start().starts_with('#')
        && line.split_whitespace().any(|field| modules.contains(&field.rsplit('/').next().unwrap_or(field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_go_and_comments_stay() {
        let text = "# pam_systemd.so is here\n-session optional pam_systemd.so\nsession required /lib/pam_elogind.so a\n";
        assert_eq!(rewrite(text), "# pam_systemd.so is here\n");
    }

    #[test]
    fn modules_that_may_fail_become_optional() {
        assert_eq!(
            rewrite("session    required     pam_loginuid.so\n"),
            "session    optional     pam_loginuid.so\n"
        );
        let bracketed = "session [success=ok ignore=ignore default=bad] pam_selinux.so close\n";
        assert_eq!(rewrite(bracketed), bracketed);
    }

    #[test]
    fn other_modules_are_untouched() {
        let text = "session required pam_limits.so\nsession optional pam_systemd_home.so\n";
        assert_eq!(rewrite(text), text);
    }
}
