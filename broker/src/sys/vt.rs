//! seat0's virtual terminals: whether there are any, and which is in the foreground (contract/seats-devices.md
//! section 2).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use usher_protocol::ids::VtNr;

use super::{Context, Result, raw};

const ACTIVE: &str = "/sys/class/tty/tty0/active";

/// Whether this machine has virtual terminals. Containers mostly do not.
pub fn available() -> bool {
    Path::new("/dev/tty0").exists() && Path::new(ACTIVE).exists()
}

/// The terminal in the foreground now.
pub fn foreground() -> Option<VtNr> {
    Foreground::open().ok()?.read()
}

/// Asks the kernel to show another terminal. Whether and when it does is up to whoever has the one in the foreground:
/// console_ioctl(2), VT_ACTIVATE.
///
/// # Errors
/// There are no virtual terminals, or the kernel refuses.
pub fn activate(vtnr: VtNr) -> Result<()> {
    const CONSOLE: &str = "/dev/tty0";
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let console = rustix::fs::open(CONSOLE, flags, Mode::empty()).context("open", CONSOLE)?;
    raw::activate_vt(console.as_fd(), vtnr.get()).context("switch virtual terminal to", vtnr)
}

/// The kernel's word on which terminal is in the foreground.
#[derive(Debug)]
pub struct Foreground {
    file: File,
}

impl Foreground {
    /// Opens it.
    ///
    /// # Errors
    /// [`SysError::is_gone`](super::SysError::is_gone): there are no virtual terminals.
    pub fn open() -> Result<Self> {
        Ok(Self { file: File::open(ACTIVE).context("open", ACTIVE)? })
    }

    /// The terminal in the foreground now. Has to be read once before a change is reported.
    pub fn read(&self) -> Option<VtNr> {
        let mut text = [0; 64];
        let length = self.file.read_at(&mut text, 0).ok()?;
        VtNr::from_tty(std::str::from_utf8(text.get(..length)?).ok()?.trim_end())
    }
}

/// Has something of priority after a change: for [`Readiness::of_priority`](super::Readiness::of_priority).
impl AsFd for Foreground {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
