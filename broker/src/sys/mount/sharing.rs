//! Making `/run/user` give its mounts to other mount namespaces. A user manager has one of its own; where `/` is private, as
//! the kernel makes it and only some init systems change, a runtime directory that is made after a manager's start
//! would be missing there, and one that is removed would live on in it.

use std::fs;
use std::os::fd::AsFd;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};

use super::super::{Context, Result, SysError};
use super::look::{Line, mount_number};
use super::{PARENT, Problem, open_parent};
use crate::crash;

/// Makes `/run/user` a mount of its own with shared propagation, unless its mounts are shared already. To do it twice is
/// fine. Left alone where something is mounted below: that would be hidden, and come to light again when it is too late.
///
/// # Errors
/// The kernel's; runtime directories work all the same.
pub fn share_parent() -> Result<(), Problem> {
    let parent = open_parent()?;
    let id = mount_number(parent.as_fd())?;
    let table = fs::read_to_string("/proc/self/mountinfo").context("read", "/proc/self/mountinfo")?;
    let lines: Vec<_> = table.lines().filter_map(Line::parse).collect();
    let own = lines.iter().find(|line| line.id == id);
    if own.is_some_and(|line| line.shared) {
        return Ok(());
    }
    let is_mount = own.is_some_and(|line| line.point == PARENT);
    if !is_mount {
        let below = format!("{PARENT}/");
        if let Some(line) = lines.iter().find(|line| line.point.starts_with(&below)) {
            let reason = format!("{} is mounted there; this is done at the next boot", line.point);
            return Err(SysError::other("share the mounts of", PARENT, &reason).into());
        }
        mount_bind(PARENT, PARENT).context("bind to itself", PARENT)?;
        crash::point(crash::PARENT_BOUND);
    }
    mount_change(PARENT, MountPropagationFlags::SHARED).context("share the mounts of", PARENT)?;
    Ok(())
}
