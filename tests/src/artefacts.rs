//! Finds what was built, and says where a package would put it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::spec::{Artefact, File};

/// Programs of usher: file name in cargo's target directory, and path in the machine.
const PROGRAMS: [(&str, &str); 9] = [
    ("usherd", "/usr/sbin/usherd"),
    ("usher-user-manager", "/usr/lib/usher/usher-user-manager"),
    ("usherctl", "/usr/bin/usherctl"),
    ("usher-pam-setup", "/usr/sbin/usher-pam-setup"),
    ("usher-pam-load", "/usr/bin/usher-pam-load"),
    ("usher-bus-load", "/usr/bin/usher-bus-load"),
    ("usher-pam-login", "/usr/bin/usher-pam-login"),
    ("usher-pam-host", "/usr/bin/usher-pam-host"),
    ("usher-varlink", "/usr/bin/usher-varlink"),
];
/// Programs that a machine can do without: they are put in when they have been built.
const OPTIONAL: [&str; 6] = [
    "usher-pam-setup",
    "usher-pam-load",
    "usher-bus-load",
    "usher-pam-login",
    "usher-pam-host",
    "usher-varlink",
];
/// usherd that can be made to die at named points: a program of its own, so that all other tests run the usual one.
const CRASH_POINTS: (&str, &str) = ("usherd-crash-points", "/usr/sbin/usherd-crash-points");
const MODULE: &str = "libpam_usher.so";

/// What of usher the system bus, polkit and user managers read, and where a package puts it: over systemd's, where the host has that.
const DESCRIPTIONS: [(&str, &str); 5] = [
    (
        "/usr/share/dbus-1/system.d/org.freedesktop.login1.conf",
        include_str!("../../packaging/dbus-1/org.freedesktop.login1.conf"),
    ),
    (
        "/usr/share/dbus-1/system-services/org.freedesktop.login1.service",
        include_str!("../../packaging/dbus-1/org.freedesktop.login1.service"),
    ),
    (
        "/usr/share/polkit-1/actions/org.freedesktop.login1.policy",
        include_str!("../../packaging/polkit-1/org.freedesktop.login1.policy"),
    ),
    (
        "/usr/lib/systemd/user/active-session.target",
        include_str!("../../packaging/user-units/active-session.target"),
    ),
    ("/usr/lib/systemd/user/logged-in.target", include_str!("../../packaging/user-units/logged-in.target")),
];
/// This one only where systemd's is not there: on Debian that comes with `systemd --user`, whatever PID 1 is.
const SYSTEMD1: (&str, &str) = (
    "/usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf",
    include_str!("../../packaging/dbus-1/org.freedesktop.systemd1.conf"),
);

/// The definitions of user managers.
const MANAGERS: [(&str, &str); 6] = [
    ("/usr/lib/usher/managers/systemd.conf", include_str!("../../packaging/managers/systemd.conf")),
    ("/usr/lib/usher/managers/dinit.conf", include_str!("../../packaging/managers/dinit.conf")),
    ("/usr/lib/usher/managers/runit.conf", include_str!("../../packaging/managers/runit.conf")),
    ("/usr/lib/usher/managers/s6.conf", include_str!("../../packaging/managers/s6.conf")),
    ("/usr/lib/usher/managers/openrc.conf", include_str!("../../packaging/managers/openrc.conf")),
    ("/usr/lib/usher/managers/none.conf", include_str!("../../packaging/managers/none.conf")),
];

/// The program that makes machines and enters them.
pub(crate) fn sandbox_program() -> Result<PathBuf> {
    built("usher-sandbox")
}

/// usher's programs, and with `module` the PAM module.
pub(crate) fn usher(module: bool) -> Result<Vec<Artefact>> {
    let mut artefacts = Vec::new();
    for (name, target) in PROGRAMS {
        match built(name) {
            Ok(source) => artefacts.push(Artefact { source, target: target.into() }),
            Err(_) if OPTIONAL.contains(&name) => {}
            Err(error) => return Err(error),
        }
    }
    if module {
        artefacts.push(Artefact { source: built(MODULE)?, target: pam_module_dir()?.join("pam_usher.so") });
    }
    Ok(artefacts)
}

/// What of usher the system bus, polkit and user managers read, and the definitions of those.
pub(crate) fn descriptions() -> Vec<File> {
    let file = |(path, text): (&str, &str)| File {
        path: path.into(),
        contents: text.to_owned(),
        mode: 0o644,
        owner: 0,
    };
    let missing = (!Path::new(SYSTEMD1.0).exists()).then_some(SYSTEMD1);
    DESCRIPTIONS.into_iter().chain(missing).chain(MANAGERS).map(file).collect()
}

/// usherd with crash points.
pub(crate) fn crash_points() -> Result<Artefact> {
    let (name, target) = CRASH_POINTS;
    let source = built(name).with_context(|| {
        format!(
            "{name} is built by `cargo xtask test`, or by \
             `cargo build --workspace --features usher-broker/crash-points --bin {name}`"
        )
    })?;
    Ok(Artefact { source, target: target.into() })
}

/// cargo's target directory: that of the profile is in it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let bin = bin_dir()?;
    Ok(bin.parent().unwrap_or(&bin).to_path_buf())
}

/// One of the programs of this crate.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let dir = bin_dir()?;
    let path = dir.join(name);
    if !path.is_file() {
        bail!(
            "{} is not built; run `cargo xtask test`, which builds everything first \
             (or `cargo build --workspace`, or set USHER_BIN_DIR to the directory that holds the programs)",
            path.display()
        );
    }
    Ok(path)
}

/// `target/PROFILE`: the running program is in it, or in its `deps` directory when it is a test.
fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("USHER_BIN_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let exe = std::env::current_exe().context("find the running test program")?;
    let dir = exe.parent().unwrap_or(Path::new("/"));
    let in_deps = dir.file_name().is_some_and(|name| name == "deps" || name == "examples");
    Ok(if in_deps { dir.parent().unwrap_or(dir) } else { dir }.to_path_buf())
}

/// The directory of PAM modules: `/usr/lib/TRIPLET/security` on Debian and Ubuntu, found by pam_unix.so, always there.
fn pam_module_dir() -> Result<PathBuf> {
    let lib = Path::new("/usr/lib");
    let mut candidates = vec![lib.join("security")];
    for entry in lib.read_dir().context("list /usr/lib")? {
        candidates.push(entry.context("list /usr/lib")?.path().join("security"));
    }
    candidates
        .into_iter()
        .find(|dir| dir.join("pam_unix.so").exists())
        .context("no pam_unix.so in /usr/lib/*/security: install the package libpam-modules")
}
