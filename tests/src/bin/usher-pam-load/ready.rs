//! The bare user manager: from the spawn of its process until it says READY=1. Whoever runs this has prepared the rest
//! (cgroup, runtime directory, user, the mount namespace with /run/systemd/system).

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

use crate::login::nanos;
use crate::logins;

/// The kernel is to have forgotten how the prepared process came into its cgroup, as it has when somebody logs in.
const REST: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Ready {
    ready_ns: u64,
}

/// Measures once.
pub(crate) fn measure(program: &[OsString]) -> Result<()> {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").context("XDG_RUNTIME_DIR is not set")?;
    let path = Path::new(&directory).join("bench-notify");
    let socket = UnixDatagram::bind(&path).with_context(|| format!("bind {}", path.display()))?;
    let (name, arguments) = program.split_first().context("no program is named")?;
    let mut command = Command::new(name);
    command.args(arguments).env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::null());
    std::thread::sleep(REST);
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("run {}", name.display()))?;
    let result = wait(&socket, start);
    // systemd(1): SIGTERM starts exit.target.
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
    let status = child.wait().context("wait for the program's end")?;
    std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    match result {
        Ok(ready_ns) => logins::print(&Ready { ready_ns }),
        Err(error) => bail!("{error:#}; {} ended: {status}", name.display()),
    }
}

fn wait(socket: &UnixDatagram, start: Instant) -> Result<u64> {
    let mut buffer = [0; 4096];
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        ensure!(!left.is_zero(), "no READY=1 within {PATIENCE:?}");
        socket.set_read_timeout(Some(left)).context("set a timeout")?;
        let length = socket.recv(&mut buffer).context("wait for READY=1")?;
        if buffer[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
            return Ok(nanos(start.elapsed()));
        }
    }
}
