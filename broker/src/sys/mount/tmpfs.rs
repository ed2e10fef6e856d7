//! A tmpfs of the user's own: made whole and configured, then put in place, so that nobody sees a half-made one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
};
use usher_model::record::{RuntimeDir, RuntimeKind};

use super::super::{Context, Result, SysError};
use super::look::{self, by_number, mount_number, open_directory};
use super::plain::{instead, is_refusal, undo};
use super::{MARK, Problem, Wanted, make_directory};
use crate::crash;

impl Wanted {
    fn pairs(&self) -> [(&'static str, String); 5] {
        [
            ("mode", "0700".to_owned()),
            ("uid", self.uid.to_string()),
            ("gid", self.gid.to_string()),
            ("size", self.bytes.to_string()),
            ("nr_inodes", self.inodes.to_string()),
        ]
    }
}

/// A file system that is ready to be attached.
pub(super) enum Tree {
    /// A mount that is nowhere yet.
    Detached(OwnedFd),
    /// The kernel is older than 5.2: mount(2) configures and attaches at once.
    OldKernel,
}

pub(super) fn prepare(wanted: &Wanted) -> Result<Tree> {
    let context = match rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC) {
        // PERM: also what filters of system calls say that do not know this one, while they let mount(2) pass.
        Err(Errno::NOSYS | Errno::PERM) => return Ok(Tree::OldKernel),
        opened => opened.context("create", "tmpfs")?,
    };
    let configured = configure(&context, wanted);
    configured.map_err(|error| explain(&context, error)).context("configure", "tmpfs")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mounted = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes);
    let tree = mounted.map_err(|error| explain(&context, error)).context("mount", "tmpfs")?;
    mark(&tree);
    Ok(Tree::Detached(tree))
}

fn mark(root: &OwnedFd) {
    if let Err(error) = rustix::fs::setxattr(by_number(root), MARK, b"1", XattrFlags::empty()) {
        // In a user namespace, or on a kernel without such attributes: then the state file alone knows.
        tracing::debug!(%error, "runtime directory not marked");
    }
}

fn configure(context: &OwnedFd, wanted: &Wanted) -> rustix::io::Result<()> {
    rustix::mount::fsconfig_set_string(context, "source", "tmpfs")?;
    for (key, value) in wanted.pairs() {
        rustix::mount::fsconfig_set_string(context, key, value)?;
    }
    rustix::mount::fsconfig_create(context)
}

/// Adds what the kernel has to say beyond the error number.
pub(super) fn explain(context: &OwnedFd, error: Errno) -> io::Error {
    let mut message = [0; 256];
    match rustix::io::read(context, &mut message) {
        Ok(length) if error != Errno::PERM && error != Errno::ACCESS => {
            let text = String::from_utf8_lossy(message.get(..length).unwrap_or_default()).into_owned();
            let kind = io::Error::from(error).kind();
            io::Error::new(kind, format!("{} ({})", io::Error::from(error), text.trim()))
        }
        _ => error.into(),
    }
}

/// Puts the file system in place.
pub(super) fn attach(parent: &OwnedFd, wanted: &Wanted, tree: Tree) -> Result<RuntimeDir, Problem> {
    let uid = wanted.uid;
    let path = uid.runtime_path();
    let created = make_directory(parent, uid)?;
    crash::point(crash::RUNTIME_DIRECTORY_MADE);
    let directory = open_directory(parent, uid)?
        .ok_or_else(|| SysError::other("open", &path, "somebody has removed it this moment"))?;
    if mount_number(directory.as_fd())? != mount_number(parent.as_fd())? {
        let reason = "somebody has mounted something there this moment";
        return Err(SysError::other("mount tmpfs on", &path, reason).into());
    }
    let attached = match &tree {
        Tree::Detached(tree) => {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            rustix::mount::move_mount(tree, "", &directory, "", flags)
        }
        Tree::OldKernel => mount_at_once(&directory, wanted),
    };
    if let Err(error) = attached.context("mount tmpfs on", &path) {
        if is_refusal(&error.source) {
            return instead(parent, wanted, created, error);
        }
        undo(parent, uid, created);
        return Err(error.into());
    }
    crash::point(crash::TMPFS_ATTACHED);
    let root = match tree {
        Tree::Detached(tree) => tree,
        Tree::OldKernel => {
            let root = open_directory(parent, uid)?;
            let root =
                root.ok_or_else(|| SysError::other("open", &path, "somebody has removed it this moment"))?;
            mark(&root);
            root
        }
    };
    share(&root, &path);
    crash::point(crash::TMPFS_SHARED);
    Ok(RuntimeDir { kind: RuntimeKind::Mount, mount: Some(look::identity(root.as_fd())?) })
}

fn mount_at_once(directory: &OwnedFd, wanted: &Wanted) -> rustix::io::Result<()> {
    let pairs = wanted.pairs().map(|(key, value)| format!("{key}={value}"));
    let data = std::ffi::CString::new(pairs.join(",")).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(
        "tmpfs",
        by_number(directory),
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(&*data),
    )
}

/// What a user's services mount below shall be seen by his sessions, and the other way round, though the manager lives
/// in a mount namespace of its own. A mount can only be shared once it is somewhere.
fn share(root: &OwnedFd, path: &str) {
    if let Err(error) = rustix::mount::mount_change(by_number(root), MountPropagationFlags::SHARED) {
        tracing::warn!(path, %error, "mounts in the runtime directory will not be seen across namespaces");
    }
}
