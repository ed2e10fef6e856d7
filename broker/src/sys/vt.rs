//! seat0's virtual terminals: whether there are any, and which is in the foreground (contract/seats-devices.md
//! section 2).

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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

/// The name, without `/dev/`, of a terminal that somebody has opened for reading and writing.
///
/// # Errors
/// It is no terminal, or not open for both.
pub fn terminal_name(fd: BorrowedFd<'_>) -> Result<String> {
    let number = fd.as_raw_fd();
    let flags = rustix::fs::fcntl_getfl(fd).context("look at descriptor", number)?;
    if !rustix::termios::isatty(fd) || flags & OFlags::RWMODE != OFlags::RDWR || flags.contains(OFlags::PATH)
    {
        return Err(rustix::io::Errno::NOTTY).context("find the terminal of descriptor", number);
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{number}"))
        .context("find the terminal of descriptor", number)?;
    let name = path.strip_prefix("/dev").ok().and_then(|path| path.to_str());
    let name = name.filter(|name| !name.chars().any(|c| c.is_control()));
    name.map(str::to_owned).ok_or(rustix::io::Errno::NODEV).context("find the terminal of descriptor", number)
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
