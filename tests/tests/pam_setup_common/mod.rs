//! A machine laid out as Arch is, and usher-pam-setup in it.

#![allow(dead_code, reason = "each test program uses some of it")]

use usher_tests::{Builder, Machine, Output};

pub(crate) const ADDED: &str = "-session   optional   pam_usher.so   # usher-pam-setup";
pub(crate) const LOGIN: &str = "/etc/pam.d/system-login";

/// The shared stack, with `{broker}` for more lines.
pub(crate) const SYSTEM_LOGIN: &str = "\
#%PAM-1.0
# Local remark.
auth       include    system-auth
account    required   pam_nologin.so
account    include    system-auth
password   include    system-auth

session    optional   pam_loginuid.so
session    include    system-auth
session    optional   pam_motd.so
{broker}session    required   pam_env.so
";
const SYSTEM_AUTH: &str = "\
auth required pam_unix.so
account required pam_unix.so
password required pam_unix.so
session required pam_limits.so
session required pam_unix.so
";
const REMOTE_LOGIN: &str = "\
auth include system-login
account include system-login
password include system-login
session include system-login
";
const SSHD: &str = "\
auth include system-remote-login
account include system-remote-login
password include system-remote-login
session include system-remote-login
";

/// No session broker is in the stack, unless `broker` (whole lines) brings one.
pub(crate) fn arch(broker: &str) -> Builder {
    let login = SYSTEM_LOGIN.replace("{broker}", broker);
    [
        ("system-login", login.as_str()),
        ("system-auth", SYSTEM_AUTH),
        ("system-remote-login", REMOTE_LOGIN),
        ("sshd", SSHD),
        ("login", SSHD),
    ]
    .into_iter()
    .fold(Machine::builder(), |builder, (name, text)| {
        builder.file(format!("/etc/pam.d/{name}"), text, 0o640, 0)
    })
}

/// Runs usher-pam-setup.
pub(crate) fn setup(machine: &Machine, words: &[&str]) -> Output {
    let mut command = vec!["usher-pam-setup"];
    command.extend(words);
    machine.try_run(&command)
}

/// Runs it, and it has to succeed.
pub(crate) fn done(machine: &Machine, words: &[&str]) -> String {
    let output = setup(machine, words);
    assert!(output.ok(), "{words:?}: {output:?}");
    output.stdout
}

/// Runs it, and it has to fail with 1; what it says.
pub(crate) fn fails(machine: &Machine, words: &[&str]) -> String {
    let output = setup(machine, words);
    assert_eq!(output.code, 1, "{words:?}: {output:?}");
    output.stderr
}

/// Every file of PAM's configuration, with its contents, mode and owner, and what usher-pam-setup keeps.
pub(crate) fn everything(machine: &Machine) -> String {
    let find = "for f in $(find /etc/pam.d /var/lib/pam /var/lib/usher/pam-backup /usr/share/pam-configs -type f | sort); do \
                stat -c '%n %a %u %g' $f; cat $f; done 2>/dev/null";
    machine.sh(find).stdout
}

/// Whether `name` is in a directory listing of /etc/pam.d.
pub(crate) fn candidates_left(machine: &Machine) -> bool {
    machine.sh("ls -a /etc/pam.d").stdout.contains("usher-pam-setup")
}

/// Logs in by the real sshd; the session that it is given, or nothing.
pub(crate) fn ssh_session(machine: &Machine) -> String {
    machine.ssh("alice", "echo $XDG_SESSION_ID $XDG_RUNTIME_DIR").text().to_owned()
}
