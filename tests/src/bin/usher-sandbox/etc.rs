//! The machine's files: accounts, name service, sshd, sudo, and none of the host's jobs, messages and lingering users.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result};
use usher_tests::spec::{Spec, User};

pub(crate) const HOSTNAME: &str = "usher-sandbox";

/// crypt(5), method sha512crypt, of [`usher_tests::spec::PASSWORD`].
const PASSWORD_HASH: &str =
    "$6$usherSandbox$uBX2BWUnbTBO7GThvIrMKlX0jRcoeoKjJsTXe6REAFvGW2GyrDtxw1hvlyuwlrmra.5mUGgOtF.w3ovDtReUK.";

/// Directories whose host content has no place in a machine: jobs, login messages, shell set-up, other settings.
const EMPTIED: [&str; 13] = [
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/profile.d",
    "/etc/sudoers.d",
    "/etc/ssh/ssh_config.d",
    "/etc/ssh/sshd_config.d",
    "/etc/update-motd.d",
    "/var/lib/systemd/linger",
    "/var/spool/cron/crontabs",
    "/etc/usher",
];

/// What the bus would start by itself and a machine has only where a test starts it.
const ABSENT: [&str; 1] = ["/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"];

const NSSWITCH: &str =
    "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files\nservices: files\n";

const SSHD_CONFIG: &str = "\
# The machine of usher's tests.
ListenAddress 127.0.0.1
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
UsePAM yes
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
UseDNS no
AcceptEnv LANG LC_* XDG_*
MaxStartups 200
LogLevel VERBOSE
";

const SSH_CLIENT_CONFIG: &str = "\
Host *
  BatchMode yes
  IdentityFile ~/.ssh/id_ed25519
  LogLevel ERROR
  ConnectTimeout 20
";

const SUDOERS: &str = "\
Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
root ALL=(ALL:ALL) ALL
alice ALL=(ALL:ALL) NOPASSWD: ALL
";

/// Writes everything that does not depend on PAM.
pub(crate) fn write(spec: &Spec) -> Result<()> {
    for directory in EMPTIED {
        empty(Path::new(directory))?;
    }
    for path in ABSENT.map(Path::new).into_iter().filter(|path| path.exists()) {
        fs::remove_file(path).with_context(|| format!("remove {} from the machine", path.display()))?;
    }
    accounts(&spec.users)?;
    system()?;
    ssh(spec)?;
    for user in &spec.users {
        home(user)?;
    }
    Ok(())
}

fn system() -> Result<()> {
    for (path, contents, mode) in [
        ("/etc/hostname", "usher-sandbox\n", 0o644),
        ("/etc/hosts", "127.0.0.1 localhost usher-sandbox\n::1 localhost\n", 0o644),
        ("/etc/machine-id", "5f7a1c0e3b9d4e6f8a2b4c6d8e0f1a2b\n", 0o444),
        ("/etc/nsswitch.conf", NSSWITCH, 0o644),
        ("/etc/crontab", "", 0o644),
        ("/etc/sudoers", SUDOERS, 0o440),
        ("/etc/motd", "", 0o644),
        ("/run/utmp", "", 0o664),
        ("/var/log/wtmp", "", 0o664),
        ("/var/log/btmp", "", 0o660),
        ("/var/log/lastlog", "", 0o664),
    ] {
        file(Path::new(path), contents, mode, 0)?;
    }
    for directory in ["/run/sshd", "/run/lock", "/run/dbus", "/run/sandbox"] {
        fs::create_dir(directory).with_context(|| format!("make {directory}"))?;
    }
    Ok(())
}

/// Root and the system accounts of the host stay (dbus and sshd need theirs); its people do not.
fn accounts(users: &[User]) -> Result<()> {
    let passwd = read("/etc/passwd")?;
    let shadow = read("/etc/shadow")?;
    let group = read("/etc/group")?;
    let kept: Vec<&str> = passwd.lines().filter(|line| is_system(line)).filter_map(name).collect();
    let (mut new_passwd, mut new_shadow, mut new_group) = (
        "root:x:0:0:root:/root:/bin/bash\n".to_owned(),
        format!("root:{PASSWORD_HASH}:19000:0:99999:7:::\n"),
        String::new(),
    );
    for line in passwd.lines().filter(|line| is_system(line) && name(line) != Some("root")) {
        new_passwd.push_str(&format!("{line}\n"));
    }
    for line in
        shadow.lines().filter(|line| name(line).is_some_and(|name| name != "root" && kept.contains(&name)))
    {
        new_shadow.push_str(&format!("{line}\n"));
    }
    for line in group.lines().filter(|line| is_system(line)) {
        let (head, members) = line.rsplit_once(':').unwrap_or((line, ""));
        let members: Vec<&str> = members.split(',').filter(|member| kept.contains(member)).collect();
        new_group.push_str(&format!("{head}:{}\n", members.join(",")));
    }
    for User { name, uid } in users {
        new_passwd.push_str(&format!("{name}:x:{uid}:{uid}:{name}:/home/{name}:/bin/bash\n"));
        new_shadow.push_str(&format!("{name}:{PASSWORD_HASH}:19000:0:99999:7:::\n"));
        new_group.push_str(&format!("{name}:x:{uid}:\n"));
    }
    file(Path::new("/etc/passwd"), &new_passwd, 0o644, 0)?;
    file(Path::new("/etc/shadow"), &new_shadow, 0o600, 0)?;
    file(Path::new("/etc/group"), &new_group, 0o644, 0)
}

/// Debian's ranges: people from 1000 on, `nobody` and `nogroup` at 65534. Lines of NIS (`+`) have no number.
fn is_system(line: &str) -> bool {
    line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok()).is_some_and(|id| id < 1000 || id == 65534)
}

fn name(line: &str) -> Option<&str> {
    line.split(':').next()
}

fn ssh(spec: &Spec) -> Result<()> {
    let keys = &spec.keys;
    let known = format!("localhost,127.0.0.1 {}", keys.host_public);
    for (path, contents, mode) in [
        ("/etc/ssh/sshd_config", SSHD_CONFIG, 0o644),
        ("/etc/ssh/ssh_config", SSH_CLIENT_CONFIG, 0o644),
        ("/etc/ssh/ssh_host_ed25519_key", keys.host_private.as_str(), 0o600),
        ("/etc/ssh/ssh_host_ed25519_key.pub", keys.host_public.as_str(), 0o644),
        ("/etc/ssh/ssh_known_hosts", known.as_str(), 0o644),
        ("/root/.ssh/id_ed25519", keys.user_private.as_str(), 0o600),
        ("/root/.ssh/authorized_keys", keys.user_public.as_str(), 0o600),
    ] {
        file(Path::new(path), contents, mode, 0)?;
    }
    mode(Path::new("/root/.ssh"), 0o700)?;
    for user in &spec.users {
        let directory = Path::new("/home").join(&user.name).join(".ssh");
        file(&directory.join("authorized_keys"), &keys.user_public, 0o600, user.uid)?;
        mode(&directory, 0o700)?;
    }
    Ok(())
}

fn home(user: &User) -> Result<()> {
    let home = Path::new("/home").join(&user.name);
    mode(&home, 0o700)?;
    // Quiet logins: no "last login" line between a test and its shell.
    file(&home.join(".hushlogin"), "", 0o644, user.uid)
}

/// Writes a file with its mode and owner, and its directories where they are missing.
pub(crate) fn file(path: &Path, contents: &str, permissions: u32, owner: u32) -> Result<()> {
    if let Some(parent) = path.parent() {
        directories(parent, owner)?;
    }
    // Through a link, as some hosts have in /etc, one would write into another file.
    if path.is_symlink() {
        fs::remove_file(path).with_context(|| format!("remove the link {}", path.display()))?;
    }
    fs::write(path, contents).with_context(|| format!("write {}", path.display()))?;
    mode(path, permissions)?;
    chown(path, Some(owner), Some(owner)).with_context(|| format!("give {} to uid {owner}", path.display()))
}

fn directories(path: &Path, owner: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        directories(parent, owner)?;
    }
    fs::create_dir(path).with_context(|| format!("make {}", path.display()))?;
    chown(path, Some(owner), Some(owner)).with_context(|| format!("give {} to uid {owner}", path.display()))
}

fn mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("chmod {}", path.display()))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {path}"))
}

fn empty(directory: &Path) -> Result<()> {
    let entries = match directory.read_dir() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("list {}", directory.display()))?,
    };
    for entry in entries {
        let path = entry.with_context(|| format!("list {}", directory.display()))?.path();
        let real_directory = path.is_dir() && !path.is_symlink();
        let removed = if real_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("remove {} from the machine", path.display()))?;
    }
    Ok(())
}
