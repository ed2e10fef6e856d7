//! What usherd knows of itself and of its surroundings, for `usherctl doctor`.

use serde::{Deserialize, Serialize};

/// The reply of `GetStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// The status.
    pub status: StatusView,
}

/// How usherd is. Fields that a later version adds are ignored, those that an earlier one lacks are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusView {
    /// The version of the program that runs.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it was started, CLOCK_REALTIME, microseconds.
    pub started: u64,
    /// The configuration files that were read last, in order.
    pub configuration_files: Vec<String>,
    /// Mistakes in them, each with its file and line.
    pub configuration_warnings: Vec<String>,
    /// Where the cgroup2 tree is mounted that sessions have their cgroups in; without one, [`Self::cgroups_error`] says why.
    pub cgroups: Option<String>,
    /// Why sessions have no cgroups; empty where they have.
    pub cgroups_error: String,
    /// RuntimeDirectory=: `auto`, `tmpfs` or `directory`.
    pub runtime_directory: String,
    /// The system bus's socket.
    pub bus_socket: String,
    /// The names that usherd is to have on the bus, as far as there is one.
    pub bus_names: Vec<BusNameView>,
    /// The user managers that are known.
    pub managers: Vec<ManagerKindView>,
}

/// A name on the system bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusNameView {
    /// The name.
    pub name: String,
    /// How usherd stands to it.
    pub state: BusNameState,
    /// Who has it instead, or what the bus says; empty where there is nothing to say.
    #[serde(default)]
    pub detail: String,
}

/// How usherd stands to a name on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusNameState {
    /// It has the name.
    Owned,
    /// It waits for the name: somebody else has it.
    Waiting,
    /// The bus does not let it have the name.
    Refused,
    /// The bus has not answered in time.
    Unknown,
}

/// A user manager that usherd knows how to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagerKindView {
    /// Its name; `command` is the command that Manager= gives.
    pub name: String,
    /// Whether Manager= names it: everybody's who has no other.
    pub is_default: bool,
    /// Whether ManagerOf= names it: somebody's.
    pub is_chosen: bool,
    /// Whether somebody else starts and supervises it.
    pub external: bool,
    /// The program that would be run: the first of its definition that is installed; `None` where none is.
    pub program: Option<String>,
    /// The programs that its definition names. None: there is no manager.
    pub programs: Vec<String>,
    /// Why its definition cannot be used; empty where it can.
    pub error: String,
}
