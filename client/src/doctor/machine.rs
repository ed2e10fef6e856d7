//! Everything that more than one check wants to know: gathered once, handed to all.

use std::path::Path;

use super::asked::{self, Asked};
use super::mounts::{self, Mount};
use super::processes::{self, Process};
use super::tree::Tree;
use crate::clock::Now;
use usher_protocol::{ROOT_SOCKET_PATH, SOCKET_PATH};

/// The parent of all runtime directories.
pub const RUNTIME_DIRECTORIES: &str = "/run/user";

/// The machine as the checks see it.
#[derive(Debug)]
pub struct Machine {
    /// Its files.
    pub tree: Tree,
    /// The names in /run/user, listed before usherd was asked: of whom it does not know then, nothing is to be there.
    pub runtime_names: Vec<String>,
    /// What usherd says.
    pub asked: Asked,
    /// The processes that can be seen.
    pub processes: Vec<Process>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Who looks.
    pub caller: Caller,
    /// When.
    pub now: Now,
}

/// Who looks, and the part of the environment that a login has made.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// XDG_RUNTIME_DIR.
    pub runtime_dir: Option<String>,
    /// XDG_SESSION_ID.
    pub session: Option<String>,
}

impl Machine {
    /// This machine, with usherd at its socket.
    pub fn look(socket: &Path) -> Self {
        let tree = Tree::at("/");
        let caller = Caller::own();
        let root_socket = (caller.uid == 0 && socket == Path::new(SOCKET_PATH)).then_some(ROOT_SOCKET_PATH);
        let runtime_names = tree.list(RUNTIME_DIRECTORIES).unwrap_or_default();
        Self {
            runtime_names,
            asked: asked::ask(socket, root_socket.map(Path::new)),
            processes: processes::read(&tree),
            mounts: mounts::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()),
            caller,
            now: Now::read(),
            tree,
        }
    }

    /// Whether everything can be looked at.
    pub fn is_root(&self) -> bool {
        self.caller.uid == 0
    }

    /// Processes of root's by that name. Anybody else can call a program so.
    pub fn daemons(&self, name: &str) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.uid == 0 && process.name == name)
    }

    /// What is mounted on a path, the topmost.
    pub fn mounted(&self, point: &str) -> Option<&Mount> {
        self.mounts.iter().rev().find(|mount| mount.point == point)
    }

    /// What PID 1 is called.
    pub fn init(&self) -> &str {
        self.processes.iter().find(|process| process.pid == 1).map_or("", |process| &process.name)
    }
}

impl Caller {
    fn own() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            uid: uzers::get_effective_uid(),
            runtime_dir: variable("XDG_RUNTIME_DIR"),
            session: variable("XDG_SESSION_ID"),
        }
    }
}
