//! The Debian and Ubuntu packages that building, testing and showing need: the one list, and their installation.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, root};

/// Package, and what for. The essential packages of the distribution are not named.
const PACKAGES: [(&str, &str); 27] = [
    ("gcc", "cargo links programs with it"),
    ("g++", "the fuzzing engine, libFuzzer, is C++"),
    ("libc6-dev", "the C library to link against"),
    ("libpam0g-dev", "the PAM library to link against"),
    ("openrc", "openrc-run and supervise-daemon, one of the inits that usherd is a service of"),
    ("openssh-server", "the sshd that people log in through, in the sandbox"),
    ("openssh-client", "ssh and ssh-keygen, to log in with"),
    ("login", "logins on a terminal"),
    ("sudo", "sudo inside a session"),
    ("cron", "sessions of cron jobs"),
    ("pamtester", "single steps of PAM"),
    ("systemd", "the `systemd --user` that becomes each user's manager"),
    ("runit", "runsvdir, as another user manager"),
    ("s6", "s6-svscan, as another user manager"),
    ("dbus", "a real system bus"),
    ("dbus-user-session", "the users' own bus"),
    ("polkitd", "real decisions about who sits at the computer, from usher's state files"),
    ("python3-dbus", "clients and services of the system bus that behave as a test needs it"),
    ("libpam-systemd", "systemd's own PAM module, which logs people in through usherd, too"),
    ("libglib2.0-bin", "gdbus, a client of the system bus that is not systemd's"),
    ("libseat-dev", "libseat, through which compositors talk to logind"),
    ("mmdebstrap", "Debian systems with other inits, and with the real logind"),
    ("systemd-container", "systemd-nspawn, to boot these systems"),
    ("python3-systemd", "libsystemd's view of sessions, through its own binding"),
    ("iproute2", "the sandbox's loopback interface"),
    ("procps", "ps and pgrep"),
    ("tmux", "what people leave behind when they log out"),
];

/// Services that some packages start; nobody asked for them on this computer.
const SERVICES: [(&str, &[&str], &str); 2] =
    [("openssh-server", &["ssh.service", "ssh.socket"], "ssh"), ("cron", &["cron.service"], "cron")];

/// Installs what is missing, after saying so.
pub(crate) fn ensure() -> Result<()> {
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("These packages of the distribution are missing and will be installed:");
    for (name, reason) in &missing {
        println!("  {name:18} {reason}");
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", names.join(" "));
    root::ask("packages are to be installed")
        .with_context(|| format!("or let root run `{by_hand}` first"))?;
    let services: Vec<_> = SERVICES.iter().filter(|(package, ..)| names.contains(package)).collect();
    let units: Vec<&str> = services.iter().flat_map(|(_, units, _)| units.iter().copied()).collect();
    let scripts: Vec<&str> = services.iter().map(|(.., script)| *script).collect();
    if !services.is_empty() {
        println!(
            "Their services ({}) will not be started on this computer; where systemd runs they are masked, and \
             `systemctl unmask {}` gives them back.",
            scripts.join(", "),
            units.join(" ")
        );
    }
    let script = install_script(&names, &units, &scripts);
    cargo::succeed(root::command("sh").args(["-c", &script]))
        .with_context(|| format!("install packages; by hand: `{by_hand}`"))
}

fn missing() -> Result<Vec<(&'static str, &'static str)>> {
    let mut missing = Vec::new();
    for (name, reason) in PACKAGES {
        let output = match Command::new("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status}", name])
            .output()
        {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("no dpkg here: this works on Debian and Ubuntu, with these packages: {}", list())
            }
            output => output.context("run dpkg-query")?,
        };
        if output.stdout != b"installed" {
            missing.push((name, reason));
        }
    }
    Ok(missing)
}

fn list() -> String {
    PACKAGES.map(|(name, _)| name).join(" ")
}

/// As root. `--no-remove`: on a system with another init, apt must rather fail than replace it. Services stay off by the
/// distribution's own means: masked units, or invoke-rc.d's policy (an existing one is left alone, ours is taken away).
fn install_script(packages: &[&str], units: &[&str], scripts: &[&str]) -> String {
    let (packages, units, scripts) = (packages.join(" "), units.join(" "), scripts.join(" "));
    format!(
        r#"set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
if [ -n "{units}" ] && [ -d /run/systemd/system ]; then
    systemctl mask {units}
elif [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
apt-get install -y --no-install-recommends --no-remove {packages}
if [ ! -d /run/systemd/system ] && command -v update-rc.d > /dev/null; then
    for script in {scripts}; do update-rc.d "$script" disable; done
fi
"#
    )
}

#[cfg(test)]
mod tests {
    use super::install_script;
    use std::process::Command;

    #[test]
    fn the_install_script_is_shell() {
        for (units, scripts) in [(&["ssh.service"][..], &["ssh"][..]), (&[], &[])] {
            let script = install_script(&["gcc", "cron"], units, scripts);
            assert!(Command::new("sh").args(["-n", "-c", &script]).status().unwrap().success(), "{script}");
        }
    }
}
