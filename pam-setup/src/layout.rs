//! Which file the logins of a distribution share, told by what lies there and not by the distribution's name.

use serde::Serialize;

use crate::config::{ConfigError, PamConfig};
use crate::parse::Group;

/// How a machine's PAM configuration is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Debian, Ubuntu, Devuan: common-session is written by pam-auth-update(8), from /usr/share/pam-configs.
    PamAuthUpdate,
    /// Arch, Artix, Void, Gentoo: system-login.
    SystemLogin,
    /// Alpine: base-session.
    BaseSession,
    /// Fedora and relatives: system-auth and password-auth are written by authselect(8).
    Authselect,
    /// openSUSE, and a Debian whose administrator writes the files: a common-session that no tool we know writes.
    CommonSession,
    /// The login service has its own session lines, and shares them with nobody we know.
    Login,
    /// Nothing that we know.
    Unknown,
}

impl Layout {
    /// Looks which it is.
    ///
    /// # Errors
    /// When a file that decides it is there and cannot be read.
    pub fn recognise(config: &PamConfig) -> Result<Self, ConfigError> {
        let read = |name| match config.read(name) {
            Ok(found) => Ok(Some(found)),
            Err(ConfigError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        };
        let common = read("common-session")?;
        let contains = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        if common.as_ref().is_some_and(|common| {
            contains(&common.bytes, b"(the \"Additional\" block)")
                && contains(&common.bytes, b"# end of pam-auth-update config")
        }) {
            return Ok(Self::PamAuthUpdate);
        }
        let has_session = |name: &str| {
            config
                .own_stack(name, Group::Session)
                .is_ok_and(|s| !s.modules.is_empty() || !s.problems.is_empty())
        };
        Ok(match () {
            () if has_session("system-login") => Self::SystemLogin,
            () if has_session("base-session") => Self::BaseSession,
            () if has_session("system-auth") && has_session("password-auth") => Self::Authselect,
            () if common.is_some() => Self::CommonSession,
            () if has_session("login") => Self::Login,
            () => Self::Unknown,
        })
    }

    /// The file that `usher-pam-setup install` edits, if there is one that it may.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::SystemLogin => Some("system-login"),
            Self::BaseSession => Some("base-session"),
            Self::Login => Some("login"),
            Self::PamAuthUpdate | Self::Authselect | Self::CommonSession | Self::Unknown => None,
        }
    }

    /// What it is, and what to do on such a machine.
    pub fn explain(self) -> &'static str {
        match self {
            Self::PamAuthUpdate => {
                "pam-auth-update writes /etc/pam.d/common-session (Debian and its relatives): \
                 /usr/share/pam-configs/usher is usher's profile, and pam-auth-update switches it on and off"
            }
            Self::SystemLogin => "logins share /etc/pam.d/system-login (Arch, Artix, Void, Gentoo)",
            Self::BaseSession => "logins share /etc/pam.d/base-session (Alpine)",
            Self::Authselect => {
                "system-auth and password-auth are shared, and usually written by authselect (Fedora and its \
                 relatives): make a profile of your own (authselect create-profile), put the line \
                 'session optional pam_usher.so' into its system-auth and password-auth in place of pam_systemd.so, \
                 and select it; without authselect, name the files: --service system-auth, then \
                 --service password-auth"
            }
            Self::CommonSession => {
                "common-session is not written by pam-auth-update: add the line 'session optional pam_usher.so' \
                 behind pam_unix.so, or let --service common-session do it; on openSUSE pam-config writes that file \
                 anew, and lines of your own belong into the services, such as --service login"
            }
            Self::Login => {
                "no file is shared by all logins; /etc/pam.d/login is recognised, and other services (sshd, a display \
                 manager) need --service"
            }
            Self::Unknown => {
                "no file that logins share is recognised: add the line 'session optional pam_usher.so' behind \
                 pam_unix.so of every service that logs people in (login, sshd, the display manager), or let \
                 --service FILE do it"
            }
        }
    }
}
