//! What the harness tells `usher-sandbox` about the machine to make: one JSON line on its standard input.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything PID 1 needs to know to make the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The machine's own directory in the host's cgroup2 tree.
    pub cgroup: PathBuf,
    /// Built programs and where they go.
    pub artefacts: Vec<Artefact>,
    /// The people of the machine, besides root.
    pub users: Vec<User>,
    /// Whether the PAM stacks name `pam_usher.so`.
    pub pam_usher: bool,
    /// Lines to add at the end of `/etc/pam.d/SERVICE`.
    pub pam_lines: Vec<(String, String)>,
    /// Files to write after everything else.
    pub files: Vec<File>,
    /// Mount the machine's cgroup tree read-only, as unprivileged containers have it.
    pub cgroup_readonly: bool,
    /// Mount the machine's sysfs for writing, as a host has it.
    pub sysfs_writable: bool,
    /// Give the machine's root shared propagation, as systemd and most containers do; private otherwise.
    pub shared_mounts: bool,
    /// Show the host's virtual terminals in `/dev` and `/sys`.
    pub terminals: bool,
    /// SSH keys of the machine.
    pub keys: Keys,
}

/// One built file and its place in the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artefact {
    /// Path on the host.
    pub source: PathBuf,
    /// Path in the machine.
    pub target: PathBuf,
}

/// A person with a home directory, a bash login shell and an SSH key that root of the machine holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Login name; the home directory is `/home/NAME`.
    pub name: String,
    /// User and primary group number.
    pub uid: u32,
}

/// A file to write into the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    /// Absolute path in the machine.
    pub path: PathBuf,
    /// Its content.
    pub contents: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner; directories made on the way belong to the same user.
    pub owner: u32,
}

/// Two ed25519 key pairs in OpenSSH's text formats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keys {
    /// Private host key of the machine's sshd.
    pub host_private: String,
    /// Its public half.
    pub host_public: String,
    /// Private key with which root of the machine logs in as anybody.
    pub user_private: String,
    /// Its public half, in everybody's `authorized_keys`.
    pub user_public: String,
}

/// Where PID 1 and what the harness runs live, below the machine's cgroup root. The root itself stays empty of processes,
/// as a cgroup2 directory that hands out controllers has to be, and libsystemd knows this name as PID 1's.
pub const INIT_CGROUP: &str = "init.scope";

/// The harness's own directory in the machine.
pub const SANDBOX_DIR: &str = "/run/sandbox";
/// Every datagram that reached `/dev/log`, one a line.
pub const SYSLOG: &str = "/run/sandbox/syslog";
/// A notification socket for sd_notify(3), answered by PID 1.
pub const NOTIFY_SOCKET: &str = "/run/sandbox/notify.socket";
/// What arrived there: `PID KEY=VALUE`, one a line.
pub const NOTIFICATIONS: &str = "/run/sandbox/notifications";
/// Password of every account in the machine.
pub const PASSWORD: &str = "usher";
