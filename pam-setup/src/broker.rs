//! The PAM modules that register logins with somebody.

use serde::Serialize;

/// usher's PAM module, as it stands in a configuration.
pub const MODULE: &str = "pam_usher.so";

/// Who a login is registered with. Two brokers on one login fight over its cgroup and its runtime directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broker {
    /// usher.
    Usher,
    /// systemd-logind.
    Systemd,
    /// elogind.
    Elogind,
    /// turnstile.
    Turnstile,
    /// pam_rundir: the runtime directory only.
    Rundir,
    /// pam_dumb_runtime_dir: the runtime directory only.
    DumbRuntimeDir,
    /// pam_xdg: the runtime directory only.
    Xdg,
    /// ConsoleKit.
    ConsoleKit,
}

const ALL: [(&str, Broker, &str); 8] = [
    (MODULE, Broker::Usher, "usher"),
    ("pam_systemd.so", Broker::Systemd, "systemd-logind"),
    ("pam_elogind.so", Broker::Elogind, "elogind"),
    ("pam_turnstile.so", Broker::Turnstile, "turnstile"),
    ("pam_rundir.so", Broker::Rundir, "pam_rundir"),
    ("pam_dumb_runtime_dir.so", Broker::DumbRuntimeDir, "dumb_runtime_dir"),
    ("pam_xdg.so", Broker::Xdg, "pam_xdg"),
    ("pam_ck_connector.so", Broker::ConsoleKit, "ConsoleKit"),
];

impl Broker {
    /// The broker that a module belongs to, by the module's file name; the directory does not count.
    pub fn of(module: &str) -> Option<Self> {
        let name = module.rsplit('/').next().unwrap_or(module);
        ALL.iter().find(|(known, ..)| *known == name).map(|&(_, broker, _)| broker)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(_, broker, _)| *broker == self).map_or("", |&(.., name)| name)
    }

    /// Its PAM module.
    pub fn module(self) -> &'static str {
        ALL.iter().find(|(_, broker, _)| *broker == self).map_or("", |&(module, ..)| module)
    }
}
