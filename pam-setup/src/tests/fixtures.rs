//! Small configurations in the way of each distribution, in a directory of their own.

use std::path::Path;

use crate::PamConfig;

/// A root with these files in /etc/pam.d (a name) or elsewhere (a path), and every module that they name installed.
pub(super) struct Root(tempfile::TempDir);

pub(super) const MODULES: &[&str] = &[
    "pam_unix.so",
    "pam_usher.so",
    "pam_systemd.so",
    "pam_elogind.so",
    "pam_permit.so",
    "pam_deny.so",
    "pam_loginuid.so",
    "pam_env.so",
    "pam_limits.so",
    "pam_motd.so",
    "pam_mail.so",
    "pam_keyinit.so",
    "pam_lastlog.so",
    "pam_succeed_if.so",
    "pam_gnome_keyring.so",
    "pam_shells.so",
    "pam_nologin.so",
    "pam_umask.so",
    "pam_turnstile.so",
    "pam_rundir.so",
    "pam_ck_connector.so",
    "pam_localuser.so",
];

impl Root {
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(root.path().join("etc/pam.d")).unwrap();
        for module in MODULES {
            root.write(&format!("/usr/lib/security/{module}"), b"");
        }
        for (name, text) in files {
            root.write(name, text.as_bytes());
        }
        root
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn config(&self) -> PamConfig {
        PamConfig::at(self.path())
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        let path = match name.strip_prefix('/') {
            Some(path) => self.path().join(path),
            None => self.path().join("etc/pam.d").join(name),
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

pub(super) fn debian(broker: &str) -> Root {
    let common = |more: &str| {
        format!(
            "# managed\n\
             # here are the per-package modules (the \"Primary\" block)\n\
             session\t[default=1]\t\t\tpam_permit.so\n\
             # here's the fallback if no module succeeds\n\
             session\trequisite\t\t\tpam_deny.so\n\
             session\trequired\t\t\tpam_permit.so\n\
             # and here are more per-package modules (the \"Additional\" block)\n\
             session\trequired\tpam_unix.so \n\
             {more}\
             # end of pam-auth-update config\n"
        )
    };
    Root::with(&[
        ("common-session", &common(&format!("session\toptional\t{broker}\n"))),
        ("common-session-noninteractive", &common("")),
        ("common-auth", "auth required pam_unix.so\n"),
        ("common-account", "account required pam_unix.so\n"),
        ("common-password", "password required pam_unix.so\n"),
        (
            "sshd",
            "@include common-auth\naccount required pam_nologin.so\n@include common-account\n\
                  session required pam_loginuid.so\n@include common-session\nsession optional pam_motd.so # motd\n\
                  @include common-password\n",
        ),
        (
            "cron",
            "@include common-auth\nsession required pam_env.so\n@include common-session-noninteractive\n",
        ),
        ("other", "@include common-auth\n@include common-session\n"),
    ])
}

/// Arch; `{broker}` is a whole line.
pub(super) const ARCH_LOGIN: &str = "\
#%PAM-1.0

auth       required   pam_shells.so
auth       requisite  pam_nologin.so
auth       include    system-auth

account    required   pam_nologin.so
account    include    system-auth

password   include    system-auth

session    optional   pam_loginuid.so
session    optional   pam_keyinit.so       force revoke
session    include    system-auth
session    optional   pam_motd.so
session    optional   pam_umask.so
{broker}session    required   pam_env.so
";

pub(super) fn arch(broker: &str) -> Root {
    Root::with(&[
        ("system-login", &ARCH_LOGIN.replace("{broker}", broker)),
        (
            "system-auth",
            "auth [success=2 default=ignore] pam_unix.so try_first_pass nullok\nauth [default=die] pam_deny.so\n\
             auth required pam_permit.so\naccount required pam_unix.so\npassword required pam_unix.so\n\
             session required pam_limits.so\nsession required pam_unix.so\nsession optional pam_permit.so\n",
        ),
        (
            "system-remote-login",
            "auth include system-login\naccount include system-login\n\
                                 password include system-login\nsession include system-login\n",
        ),
        (
            "sshd",
            "auth include system-remote-login\naccount include system-remote-login\n\
                  password include system-remote-login\nsession include system-remote-login\n",
        ),
        ("other", "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n"),
    ])
}

pub(super) fn void() -> Root {
    Root::with(&[
        (
            "system-login",
            "auth include system-auth\naccount include system-auth\npassword include system-auth\n\
                          session optional pam_loginuid.so\nsession include system-auth\n\
                          session optional pam_motd.so motd=/etc/motd\n-session optional pam_elogind.so\n\
                          -session optional pam_ck_connector.so nox11\nsession required pam_env.so\n\
                          session required pam_lastlog.so silent",
        ),
        (
            "system-auth",
            "auth required pam_unix.so\naccount required pam_unix.so\npassword required pam_unix.so\n\
                         session required pam_limits.so\nsession required pam_unix.so\nsession optional pam_permit.so\n",
        ),
        ("login", "auth include system-local-login\nsession include system-local-login\n"),
        ("system-local-login", "auth include system-login\nsession include system-login\n"),
    ])
}

pub(super) fn gentoo() -> Root {
    Root::with(&[
        (
            "system-login",
            "auth include system-auth\naccount include system-auth\npassword include system-auth\n\
                          session\t\toptional\tpam_loginuid.so\nsession\t\trequired\tpam_env.so envfile=/etc/profile.env\n\
                          session\t\toptional\tpam_lastlog.so silent\nsession\t\tinclude\t\tsystem-auth\n\
                          session\t\toptional\tpam_motd.so motd=/etc/motd\n-session\toptional\tpam_elogind.so\n",
        ),
        (
            "system-auth",
            "auth required pam_unix.so\naccount required pam_unix.so\npassword required pam_unix.so\n\
                         session\t\trequired\tpam_limits.so\nsession\t\trequired\tpam_env.so\n\
                         session\t\trequired\tpam_unix.so\nsession\t\toptional\tpam_permit.so\n",
        ),
        (
            "system-services",
            "auth sufficient pam_permit.so\nsession optional pam_loginuid.so\n\
                             session required pam_limits.so\nsession required pam_env.so\nsession required pam_unix.so\n",
        ),
        ("cron", "auth include system-services\nsession include system-services\n"),
        ("sshd", "auth include system-login\nsession include system-login\n"),
    ])
}

pub(super) fn alpine() -> Root {
    Root::with(&[
        (
            "base-session",
            "session required pam_limits.so\nsession required pam_env.so\nsession required pam_unix.so\n",
        ),
        ("base-auth", "auth required pam_env.so\nauth required pam_unix.so\n"),
        ("login", "auth include base-auth\nsession include base-session\n"),
    ])
}

pub(super) fn fedora() -> Root {
    let auth = "auth required pam_unix.so\naccount required pam_unix.so\npassword required pam_unix.so\n\
                session optional pam_keyinit.so revoke\nsession required pam_limits.so\n\
                -session optional pam_systemd.so\n\
                session [success=1 default=ignore] pam_succeed_if.so service in crond quiet use_uid\n\
                session required pam_unix.so\n";
    let root = Root::with(&[
        ("/etc/authselect/password-auth", auth),
        ("/etc/authselect/system-auth", auth),
        (
            "sshd",
            "auth substack password-auth\nsession required pam_loginuid.so\nsession include password-auth\n",
        ),
        (
            "login",
            "auth substack system-auth\nsession required pam_loginuid.so\nsession include system-auth\n",
        ),
    ]);
    for name in ["system-auth", "password-auth"] {
        let link = root.path().join("etc/pam.d").join(name);
        std::os::unix::fs::symlink(format!("/etc/authselect/{name}"), link).unwrap();
    }
    root
}
